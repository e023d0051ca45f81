// server/api/subresources/proxy_target.h - whom a request through .../proxy means, and what of it changes on the way. Pure.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/ip.h"
#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

// "NAME", "NAME:PORT" or "SCHEME:NAME:PORT", with http, https or nothing for the scheme.
struct ProxyName {
  std::string scheme, name, port;
};
std::optional<ProxyName> parse_proxy_name(const std::string& text);

struct ProxyTarget {
  bool tls = false;
  base::Ip ip;
  uint16_t port = 0;
};
base::Result<ProxyTarget> pod_target(const ProxyName& wanted, const json& pod);
base::Result<ProxyTarget> node_target(const ProxyName& wanted, const json& node);
// `id` is the name as it was asked for; `slices` are the service's EndpointSlices; `pick` chooses among its ready endpoints.
base::Result<ProxyTarget> service_target(const ProxyName& wanted, const std::string& id, const json& service, const std::vector<json>& slices, size_t pick);

// Where a redirect leads when it is followed through the proxy: `prefix` is the path up to and including ".../proxy",
// `host` the Host that the client asked, `backend` the endpoint's own.
std::string rewrite_location(const std::string& location, const std::string& prefix, const std::string& host, const std::string& backend);

std::string encode_path(std::string_view path);    // Percent encoding, "/" kept.
std::string encode_query(std::string_view text);   // Of a name or a value.

}  // namespace server
