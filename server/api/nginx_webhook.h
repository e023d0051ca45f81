// server/api/nginx_webhook.h - what ingress-nginx's validating webhook says of an Ingress of its class, to the letter, as far
// as it does not need the controller: words that could escape into nginx.conf, paths that need a regular expression,
// snippets, and routes that another Ingress has already. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

// Of the controller's ConfigMap, with ingress-nginx's defaults.
struct NginxSettings {
  bool strict_paths = true;               // strict-validate-path-type
  bool snippets = false;                  // allow-snippet-annotations
  std::vector<std::string> blocked_words; // annotation-value-word-blocklist

  static NginxSettings from(const json& config_map);
};

// Host ("_" for none) and path of each route that an Ingress makes, as written, each once. Canaries make none: they join
// those of another.
using NginxRoute = std::pair<std::string, std::string>;
std::vector<NginxRoute> nginx_routes(const json& ingress);
// Routes of others that may stand in the way of one: /a and /a/ do.
std::vector<NginxRoute> rivals_of(const NginxRoute& route);

// Said beside the answer, whatever it is.
std::vector<std::string> nginx_warnings(const json& ingress);
// kBadRequest as the API server words a webhook's refusal. `others`: the Ingresses of the class that have a rival route, without
// the one that is checked.
base::Status nginx_verdict(const json& ingress, const NginxSettings& settings, std::vector<const json*> others);

}  // namespace server
