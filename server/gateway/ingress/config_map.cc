#include "server/gateway/ingress/config_map.h"

#include <algorithm>

#include "server/gateway/ingress/annotations.h"
#include "server/gateway/ingress/setters.h"
#include "server/gateway/ingress/values.h"
#include "store/base/text.h"

namespace server::gateway {
namespace {

using Config = ControllerConfig;

template <auto kMember>
base::Status flag(const std::string& value, Config& config) {
  const auto parsed = parse_flag(value);
  if (!parsed) return malformed();
  config.*kMember = *parsed;
  return {};
}
template <auto kMember>
base::Status object(const std::string& value, Config& config) {
  if (!value.empty() && !parse_object_name(value, "x")) return malformed();
  config.*kMember = value;
  return {};
}
template <auto kMember>
base::Status ranges(const std::string& value, Config& config) {
  auto parsed = parse_ranges(value);
  if (!parsed) return malformed();
  config.*kMember = std::move(*parsed);
  return {};
}

base::Status set_hsts_max_age(const std::string& value, Config& config) {
  const auto number = parse_number(value);
  if (!number || *number < 0) return malformed();
  config.hsts_max_age = *number;
  return {};
}
base::Status set_redirect_code(const std::string& value, Config& config) {
  const auto number = parse_number(value);
  if (!number || (*number != 301 && *number != 302 && *number != 307 && *number != 308)) return malformed();
  config.redirect_code = static_cast<int>(*number);
  return {};
}
base::Status set_limit_status(const std::string& value, Config& config) {
  const auto number = parse_number(value);
  if (!number || *number < 400 || *number > 599) return malformed();
  config.base.limits.status = static_cast<int>(*number);
  return {};
}
base::Status set_allowed_headers(const std::string& value, Config& config) {
  for (const std::string& name : split_list(value)) {
    if (!is_header_name(name)) return malformed("\"" + name + "\" is no name");
    config.allowed_response_headers.push_back(base::lower(name));
  }
  return {};
}
base::Status set_forwarded_for_header(const std::string& value, Config& config) {
  if (!is_header_name(value)) return malformed();
  config.forwarded_for_header = value;
  return {};
}
base::Status set_real_ip_ranges(const std::string& value, Config& config) {
  return value.empty() ? base::Status() : ranges<&Config::trusted_proxies>(value, config);
}
base::Status set_stream_timeout(const std::string& value, Config& config) {
  const auto time = parse_time(value);
  if (!time || time->count() == 0) return malformed();
  config.stream_timeout = *time;
  return {};
}
base::Status set_no_auth_paths(const std::string& value, Config& config) {
  config.no_auth_paths = split_list(value);
  return {};
}
base::Status set_no_log(const std::string& value, Config& config) {
  const auto off = parse_flag(value);
  if (!off) return malformed();
  config.base.access_log = !*off;
  return {};
}
base::Status set_non_idempotent(const std::string& value, Config& config) {
  const auto on = parse_flag(value);
  if (!on) return malformed();
  config.base.proxy.retry.non_idempotent = *on;
  return {};
}

struct Row {
  const char* key;
  const char* form;
  base::Status (*apply)(const std::string& value, Config& config);
};

const Row kRows[] = {
    {"hsts", kFlagForm, &flag<&Config::hsts>},
    {"hsts-include-subdomains", kFlagForm, &flag<&Config::hsts_subdomains>},
    {"hsts-preload", kFlagForm, &flag<&Config::hsts_preload>},
    {"hsts-max-age", kSecondsForm, &set_hsts_max_age},
    {"http-redirect-code", "301, 302, 307 or 308", &set_redirect_code},
    {"limit-req-status-code", "a status of 400 to 599", &set_limit_status},
    {"global-allowed-response-headers", "names of headers by commas", &set_allowed_headers},
    {"proxy-set-headers", "NAMESPACE/NAME of a ConfigMap", &object<&Config::set_headers>},
    {"add-headers", "NAMESPACE/NAME of a ConfigMap", &object<&Config::add_headers>},
    {"allow-cross-namespace-resources", kFlagForm, &flag<&Config::cross_namespace>},
    {"use-forwarded-headers", kFlagForm, &flag<&Config::trust_forwarded>},
    {"enable-real-ip", kFlagForm, &flag<&Config::real_ip>},
    {"compute-full-forwarded-for", kFlagForm, &flag<&Config::full_forwarded_for>},
    {"forwarded-for-header", "the name of a header", &set_forwarded_for_header},
    {"proxy-real-ip-cidr", kRangesForm, &set_real_ip_ranges},
    {"proxy-add-original-uri-header", kFlagForm, &flag<&Config::original_uri>},
    {"use-proxy-protocol", kFlagForm, &flag<&Config::proxy_protocol>},
    {"block-cidrs", kRangesForm, &ranges<&Config::blocked>},
    {"proxy-stream-timeout", "a time such as 600s", &set_stream_timeout},
    {"no-auth-locations", "paths by commas", &set_no_auth_paths},
    {"disable-access-log", kFlagForm, &set_no_log},
    {"retry-non-idempotent", kFlagForm, &set_non_idempotent},
};

// Read by other parts (the API's admission), or right as they are.
constexpr std::string_view kElsewhere[] = {"strict-validate-path-type", "annotation-value-word-blocklist"};

// They tune nginx's processes, buffers and modules, which are not there; leaving them out changes no answer.
constexpr std::string_view kNoEffect[] = {
    "access-log-params", "access-log-path", "http-access-log-path", "stream-access-log-path", "error-log-path", "error-log-level", "bind-address", "client-body-timeout",
    "client-header-buffer-size", "client-header-timeout", "disable-ipv6", "disable-ipv6-dns", "enable-brotli", "brotli-level", "brotli-min-length", "brotli-types", "enable-multi-accept",
    "enable-underscores-in-headers", "generate-request-id", "gzip-level", "gzip-min-length", "gzip-types", "gzip-disable", "http2-max-concurrent-streams",
    "http2-max-field-size", "http2-max-header-size", "http2-max-requests", "ignore-invalid-headers", "keep-alive", "keep-alive-requests", "large-client-header-buffers",
    "limit-conn-zone-variable", "log-format-escape-json", "log-format-escape-none", "log-format-stream", "log-format-upstream", "log-reject-handshake", "map-hash-bucket-size",
    "max-worker-connections", "max-worker-open-files", "plugins", "proxy-headers-hash-bucket-size", "proxy-headers-hash-max-size", "proxy-stream-next-upstream",
    "proxy-stream-next-upstream-timeout", "proxy-stream-next-upstream-tries", "proxy-stream-responses", "reuse-port", "server-name-hash-bucket-size", "server-name-hash-max-size",
    "server-tokens", "skip-access-log-urls", "ssl-buffer-size", "ssl-dh-param", "ssl-early-data", "ssl-ecdh-curve", "ssl-session-cache", "ssl-session-cache-size",
    "ssl-session-ticket-key", "ssl-session-tickets", "ssl-session-timeout", "upstream-keepalive-connections", "upstream-keepalive-requests", "upstream-keepalive-time",
    "upstream-keepalive-timeout", "use-gzip", "use-geoip", "use-geoip2", "use-http2", "use-http3", "variables-hash-bucket-size", "variables-hash-max-size", "worker-cpu-affinity",
    "worker-processes", "worker-serial-reloads", "worker-shutdown-timeout", "nginx-status-ipv4-whitelist", "nginx-status-ipv6-whitelist", "debug-connections", "enable-aio-write"};

// They would change answers, and do not.
struct Refused {
  std::string_view key, why;
};
constexpr Refused kRefused[] = {
    {"annotations-risk-level", "all annotations that are honoured are taken from all Ingresses; a cluster with a lower level than High refuses some of them."},
    {"allow-snippet-annotations", "snippets are refused here, whatever it says."},
    {"server-snippet", "raw nginx configuration cannot be run here."},
    {"location-snippet", "raw nginx configuration cannot be run here."},
    {"http-snippet", "raw nginx configuration cannot be run here."},
    {"main-snippet", "raw nginx configuration cannot be run here."},
    {"stream-snippet", "raw nginx configuration cannot be run here."},
    {"global-auth-snippet", "raw nginx configuration cannot be run here."},
    {"enable-modsecurity", "there is no web application firewall here; requests pass unchecked."},
    {"enable-owasp-modsecurity-crs", "there is no web application firewall here; requests pass unchecked."},
    {"modsecurity-snippet", "there is no web application firewall here; requests pass unchecked."},
    {"enable-opentelemetry", "the gateway sends no traces."},
    {"limit-conn-status-code", "limit-req-status-code counts for connections, too."},
    {"ssl-protocols", "TLS 1.2 and 1.3 are spoken, no others."},
    {"ssl-reject-handshake", "names without a certificate get the default one."},
    {"block-user-agents", "requests are not chosen by their User-Agent."},
    {"block-referers", "requests are not chosen by their Referer."},
    {"hide-headers", "endpoints' headers are passed on."},
    {"no-tls-redirect-locations", "/.well-known/acme-challenge is never redirected, everything else is."},
    {"proxy-ssl-location-only", "settings of proxy-ssl-* hold for the rules of their own Ingress in any case."},
    {"default-type", "a response without a Content-Type stays without."},
};

template <size_t N>
bool contains(const std::string_view (&list)[N], std::string_view key) {
  return std::find(std::begin(list), std::end(list), key) != std::end(list);
}

std::string shown(const std::string& key, const std::string& value) { return "Key " + key + " = " + in_quotes(value) + " of the controller's ConfigMap "; }

// Not known to this folder's own rows: an annotation's, one without effect, a refused one, or an error.
void apply_other(const std::string& key, const std::string& value, Config& config, const TellKey& tell) {
  constexpr std::string_view kGlobal = "global-";
  const AnnotationRow* row = find_annotation_of_config_key(key);
  bool global = false;
  if (row == nullptr && key.starts_with("global-auth-")) {
    row = find_annotation(std::string_view(key).substr(kGlobal.size()));
    global = row != nullptr && row->apply != nullptr;
    if (!global) row = nullptr;
  }
  if (row == nullptr) {
    for (const Refused& refused : kRefused) {
      if (refused.key == key) return tell(key, "ConfigKeyUnsupported", shown(key, value) + "is not honoured: " + std::string(refused.why));
    }
    if (contains(kElsewhere, key) || contains(kNoEffect, key)) return;
    return tell(key, "ConfigKeyUnknown", shown(key, value) + "has no meaning: ingress-nginx is not known to have such a key. Check its spelling, or remove it.");
  }
  if (row->apply == nullptr) return;
  Settings scratch;
  Settings& target = global ? scratch : config.base;
  if (global) scratch.external = config.global_auth;
  const base::Status done = row->apply(value, target);
  if (global) config.global_auth = scratch.external;
  if (done.ok()) return;
  tell(key, "ConfigKeyInvalid", shown(key, value) + "is not used: it must be " + row->form + (done.error().message.empty() ? "" : " (" + done.error().message + ")") + ".");
}

}  // namespace

std::string ControllerConfig::hsts_value() const {
  std::string out = "max-age=" + std::to_string(hsts_max_age);
  if (hsts_subdomains) out += "; includeSubDomains";
  if (hsts_preload) out += "; preload";
  return out;
}

ControllerConfig read_controller_config(const ConfigMap* config_map, const TellKey& tell) {
  ControllerConfig out;
  if (config_map == nullptr) return out;
  for (const auto& [key, raw] : config_map->data) {
    const std::string value(trim(raw));
    const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&k = key](const Row& r) { return k == r.key; });
    if (row == std::end(kRows)) {
      if (!value.empty()) apply_other(key, value, out, tell);
      continue;
    }
    const base::Status done = row->apply(value, out);
    if (done.ok()) continue;
    tell(key, "ConfigKeyInvalid", shown(key, raw) + "is not used: it must be " + row->form + (done.error().message.empty() ? "" : " (" + done.error().message + ")") + ".");
  }
  out.base.annotated = false;
  return out;
}

std::vector<std::string_view> own_config_keys() {
  std::vector<std::string_view> out;
  for (const Row& row : kRows) out.emplace_back(row.key);
  return out;
}

}  // namespace server::gateway
