#include "server/api/nginx_webhook.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr std::string_view kPrefix = "nginx.ingress.kubernetes.io/";
constexpr const char* kCanary = "nginx.ingress.kubernetes.io/canary";
constexpr std::string_view kDeprecated[] = {"enable-influxdb",     "influxdb-measurement",  "influxdb-port",
                                            "influxdb-host",       "influxdb-server-name",  "secure-verify-ca-secret"};
constexpr std::string_view kBadParts[] = {"/etc/passwd", "/etc/shadow", "/etc/group", "/etc/nginx", "/etc/ingress-controller", "/var/run/secrets", "_by_lua"};
constexpr std::string_view kBadDirectives[] = {"alias", "root"};  // With a semicolon somewhere after them.

// Go's strconv.ParseBool.
bool is_true(const std::string* text) {
  static constexpr std::string_view kTrue[] = {"1", "t", "T", "true", "TRUE", "True"};
  return text != nullptr && std::find(std::begin(kTrue), std::end(kTrue), *text) != std::end(kTrue);
}
bool is_canary(const json& ingress) { return is_true(store::find_annotation(ingress, kCanary)); }
const std::string* nginx_annotation(const json& ingress, std::string_view name) {
  return store::find_annotation(ingress, std::string(kPrefix).append(name));
}

std::string host_of(const json& rule) {
  std::string host = store::get_string(rule, "host");
  return host.empty() ? "_" : host;
}
std::string rule_path(const json& entry) {
  std::string path = store::get_string(entry, "path");
  return path.empty() ? "/" : path;
}
bool has_service(const json& entry) { return store::find(entry, "backend.service") != nullptr; }
// An Ingress that takes everything that nobody else does.
bool is_catch_all(const json& ingress) {
  return store::get_array(ingress, "spec.rules").empty() && store::find(ingress, "spec.defaultBackend.service") != nullptr;
}
std::string name_of(const json& ingress) { return store::get_string(ingress, "metadata.namespace") + "/" + store::get_string(ingress, "metadata.name"); }

// --- Words that could escape into nginx.conf ---

bool is_dangerous(const std::string& text) {
  for (std::string_view bad : kBadParts) {
    if (text.find(bad) != std::string::npos) return true;
  }
  for (std::string_view directive : kBadDirectives) {
    const size_t at = text.find(directive);
    if (at != std::string::npos && text.find(';', at) != std::string::npos) return true;
  }
  return false;
}

std::string inspect(const json& ingress) {
  const std::string of = name_of(ingress) + ": ", found = "invalid value found: ";
  for (const json& rule : store::get_array(ingress, "spec.rules")) {
    const std::string host = store::get_string(rule, "host");
    if (is_dangerous(host)) return "invalid object: invalid host in ingress " + of + found + host;
    for (const json& entry : store::get_array(rule, "http.paths")) {
      const std::string path = store::get_string(entry, "path");
      if (is_dangerous(path)) return "invalid object: invalid rule in ingress " + of + "invalid http path: " + found + path;
    }
  }
  return {};
}

// --- Paths by type ---

bool is_plain_path(const std::string& path) {
  auto plain = [](unsigned char c) { return (c < 0x80 && std::isalnum(c)) || c == '.' || c == '_' || c == '-' || c == '/'; };
  return path.starts_with('/') && std::all_of(path.begin(), path.end(), plain);
}

std::vector<std::string> path_problems(const json& ingress) {
  std::vector<std::string> out;
  for (const json& rule : store::get_array(ingress, "spec.rules")) {
    for (const json& entry : store::get_array(rule, "http.paths")) {
      const std::string path = store::get_string(entry, "path"), type = store::get_string(entry, "pathType");
      if (path.empty() || type == "ImplementationSpecific" || is_plain_path(path)) continue;
      out.push_back("path " + path + " cannot be used with pathType " + type);
    }
  }
  return out;
}

// --- Annotations ---

std::string annotation_problem(const json& ingress, const NginxSettings& settings) {
  for (const auto& [key, value] : store::get_string_map(ingress, "metadata.annotations")) {
    for (const std::string& word : settings.blocked_words) {
      if (key.starts_with(kPrefix) && value.find(word) != std::string::npos) return key + " annotation contains invalid word " + word;
    }
    if (!settings.snippets && key.ends_with("-snippet")) {
      return key + " annotation cannot be used. Snippet directives are disabled by the Ingress administrator";
    }
  }
  return {};
}

// --- Routes that are there already ---

struct Location {
  std::string path;
  bool exact = false;
  const json* owner = nullptr;
};

bool is_rewritten(const Location& location) {
  const std::string* target = nginx_annotation(*location.owner, "rewrite-target");
  return (target != nullptr && !target->empty() && *target != location.path) || is_true(nginx_annotation(*location.owner, "use-regex"));
}

void add_locations(const std::string& host, const json& ingress, std::vector<Location>& out) {
  if (is_canary(ingress)) return;
  for (const json& rule : store::get_array(ingress, "spec.rules")) {
    if (host_of(rule) != host) continue;
    for (const json& entry : store::get_array(rule, "http.paths")) {
      if (!has_service(entry)) continue;
      Location wanted{rule_path(entry), store::get_string(entry, "pathType") == "Exact", &ingress};
      // The first of a path decides whether one of the same type is there, as in ingress-nginx.
      const auto first = std::find_if(out.begin(), out.end(), [&](const Location& l) { return l.path == wanted.path; });
      if (first == out.end() || first->exact != wanted.exact) out.push_back(std::move(wanted));
    }
  }
}

// The server block of a host as the controller would write it: a Prefix path becomes "/a/" and, unless somebody has that,
// exactly "/a".
std::vector<Location> locations_of(const std::string& host, const std::vector<const json*>& ingresses) {
  std::vector<Location> written;
  for (const json* ingress : ingresses) {
    if (host != "_" || !is_catch_all(*ingress) || is_canary(*ingress)) continue;
    written.push_back({"/", false, ingress});
    break;
  }
  for (const json* ingress : ingresses) add_locations(host, *ingress, written);
  std::stable_sort(written.begin(), written.end(), [](const Location& a, const Location& b) {
    return a.path.size() != b.path.size() ? a.path.size() > b.path.size() : a.path > b.path;
  });
  std::vector<Location> out;
  for (const Location& location : written) {
    out.push_back(location);
    if (location.exact || location.path == "/" || is_rewritten(location)) continue;
    if (!location.path.ends_with('/')) out.back().path += '/';
    const bool taken = std::any_of(written.begin(), written.end(), [&](const Location& l) { return l.exact && l.path == location.path; });
    if (!taken) out.push_back({location.path, true, location.owner});
  }
  return out;
}

// Oldest first; the controller adds the one that it checks at the end, however old it is.
std::vector<const json*> in_turn(std::vector<const json*> others, const json& ingress) {
  std::sort(others.begin(), others.end(), [](const json* a, const json* b) {
    const std::string made_a = store::get_string(*a, "metadata.creationTimestamp"), made_b = store::get_string(*b, "metadata.creationTimestamp");
    return made_a != made_b ? made_a < made_b : name_of(*a) > name_of(*b);
  });
  others.push_back(&ingress);
  return others;
}

std::string overlap(const json& ingress, std::vector<const json*> others) {
  // Who writes of canaries at all is taken at their word; of two that do not, the second is refused.
  if (others.empty() || store::find_annotation(ingress, kCanary) != nullptr || is_catch_all(ingress)) return {};
  const std::vector<const json*> all = in_turn(std::move(others), ingress);
  for (const auto& [host, path] : nginx_routes(ingress)) {
    for (const Location& location : locations_of(host, all)) {
      if (location.path != path || location.owner == &ingress || store::find_annotation(*location.owner, kCanary) != nullptr) continue;
      return "host \"" + host + "\" and path \"" + path + "\" is already defined in ingress " + name_of(*location.owner);
    }
  }
  return {};
}

}  // namespace

NginxSettings NginxSettings::from(const json& config_map) {
  NginxSettings out;
  const json& data = store::get_object(config_map, "data");
  if (const json* value = store::find_key(data, "strict-validate-path-type")) out.strict_paths = *value != "false";
  if (const json* value = store::find_key(data, "allow-snippet-annotations")) out.snippets = *value == "true";
  const json* words = store::find_key(data, "annotation-value-word-blocklist");
  const std::string text = words != nullptr && words->is_string() ? words->get<std::string>() : "";
  for (size_t at = 0; at < text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const size_t first = text.find_first_not_of(" \t\n", at);
    if (first < comma) out.blocked_words.push_back(text.substr(first, text.find_last_not_of(" \t\n", comma - 1) + 1 - first));
    at = comma + 1;
  }
  return out;
}

std::vector<NginxRoute> nginx_routes(const json& ingress) {
  std::vector<NginxRoute> out;
  auto add = [&](NginxRoute route) {
    if (std::find(out.begin(), out.end(), route) == out.end()) out.push_back(std::move(route));
  };
  if (is_canary(ingress)) return out;
  if (is_catch_all(ingress)) add({"_", "/"});
  for (const json& rule : store::get_array(ingress, "spec.rules")) {
    for (const json& entry : store::get_array(rule, "http.paths")) {
      if (has_service(entry)) add({host_of(rule), rule_path(entry)});
    }
  }
  return out;
}

std::vector<NginxRoute> rivals_of(const NginxRoute& route) {
  std::vector<NginxRoute> out = {route};
  if (route.second.size() > 1 && route.second.ends_with('/')) out.emplace_back(route.first, route.second.substr(0, route.second.size() - 1));
  return out;
}

std::vector<std::string> nginx_warnings(const json& ingress) {
  std::vector<std::string> out;
  for (const auto& [key, value] : store::get_string_map(ingress, "metadata.annotations")) {
    if (!key.starts_with(kPrefix)) continue;
    const std::string_view name = std::string_view(key).substr(kPrefix.size());
    if (std::find(std::begin(kDeprecated), std::end(kDeprecated), name) != std::end(kDeprecated)) out.push_back("annotation " + key + " is deprecated");
  }
  for (std::string& problem : path_problems(ingress)) out.push_back(std::move(problem));
  return out;
}

base::Status nginx_verdict(const json& ingress, const NginxSettings& settings, std::vector<const json*> others) {
  std::string problem = inspect(ingress);
  if (problem.empty() && settings.strict_paths) {
    for (const std::string& path : path_problems(ingress)) problem += (problem.empty() ? "ingress contains invalid paths: " : "\n") + path;
  }
  if (problem.empty()) problem = annotation_problem(ingress, settings);
  if (problem.empty()) problem = overlap(ingress, std::move(others));
  if (problem.empty()) return {};
  return bad_request("admission webhook \"validate.nginx.ingress.kubernetes.io\" denied the request: " + problem);
}

}  // namespace server
