// server/gateway/ingress/config_map.h - the controller's ConfigMap: what holds for all Ingresses. Keys are ingress-nginx's; each is
// honoured, or a problem says that it is not. Pure; any thread.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/gateway/ingress/model.h"
#include "server/gateway/ingress/settings.h"

namespace server::gateway {

struct ControllerConfig {
  Settings base;                       // What the settings of each Ingress begin as.
  ExternalSettings global_auth;        // global-auth-*; without a URL: none.
  std::vector<std::string> no_auth_paths = {"/.well-known/acme-challenge"};
  bool hsts = true, hsts_subdomains = true, hsts_preload = false;
  int64_t hsts_max_age = 31'536'000;
  int redirect_code = 308;             // http-redirect-code
  std::vector<std::string> allowed_response_headers;  // Lower case.
  std::string set_headers, add_headers;               // ConfigMaps: for endpoints, for clients.
  bool cross_namespace = false;        // allow-cross-namespace-resources
  bool trust_forwarded = false, real_ip = false, full_forwarded_for = false, original_uri = false, proxy_protocol = false;
  std::string forwarded_for_header = "X-Forwarded-For";
  std::vector<base::Cidr> trusted_proxies = {base::Cidr::everything(base::Family::kIpv4)}, blocked;
  milliseconds stream_timeout{600'000};
  std::string hsts_value() const;
};

using TellKey = std::function<void(const std::string& key, const char* reason, const std::string& message)>;
ControllerConfig read_controller_config(const ConfigMap* config_map, const TellKey& tell);

// All keys that are honoured but not by an annotation's row; for the documentation and its test.
std::vector<std::string_view> own_config_keys();

}  // namespace server::gateway
