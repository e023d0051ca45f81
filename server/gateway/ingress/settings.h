// server/gateway/ingress/settings.h - what annotations and ConfigMap keys ask for, parsed but not yet applied: names of Secrets
// and Services are still names. One per Ingress; it begins as a copy of the controller's own. A value; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/gateway/table/table.h"
#include "store/base/ip.h"

namespace server::gateway {

enum class BackendProtocol : uint8_t { kHttp, kHttps, kAuto, kGrpc, kGrpcs };

struct RewriteSettings {
  std::string target, app_root, forwarded_prefix;
  bool use_regex = false;
  bool ssl_redirect = true, force_ssl_redirect = false, keep_slash = false, port_in_redirects = false;
  bool from_to_www = false, relative = false;
  TemplatePtr permanent, temporal;
  int permanent_code = 301, temporal_code = 302;
};

struct AuthSettings {
  enum class Type : uint8_t { kNone, kBasic, kDigest } type = Type::kNone;
  std::string secret, realm;
  bool secret_is_map = false;
  bool satisfy_any = false;
  bool global = true;               // enable-global-auth
};

struct ExternalSettings {
  TemplatePtr url, signin, request_redirect, cache_key;
  std::string method, signin_param = "rd", headers_config_map;
  std::vector<std::string> response_headers;
  std::vector<std::pair<int, milliseconds>> cache = {{200, milliseconds(300'000)}, {202, milliseconds(300'000)}, {401, milliseconds(300'000)}};
  bool always_set_cookie = false;
};

struct ClientTlsSettings {
  std::string secret, error_page, match_cn;
  ClientAuth::Mode mode = ClientAuth::Mode::kRequire;
  int depth = 1;
  bool pass = false;
};

struct ProxyTlsSettings {
  std::string secret, name, protocols = "TLSv1.2 TLSv1.3", ciphers;
  bool verify = false, send_name = false;
  int depth = 1;
};

struct CanarySettings {
  bool enabled = false;
  std::string header, header_value, header_pattern, cookie;
  uint32_t weight = 0, weight_total = 100;
  RegexPtr pattern;
};

struct AffinitySettings {
  bool cookie = false;
  bool sticky_canary = true;        // affinity-canary-behavior
  Affinity values;
};

struct LimitSettings {
  double per_second = 0, per_minute = 0;
  uint32_t connections = 0, burst = 5;
  std::vector<base::Cidr> exempt;
  uint64_t rate_kb = 0, rate_after_kb = 0;
  int status = 503;
};

struct MirrorSettings {
  std::string target, host;
  bool body = true;
};

struct ProxySettings {
  BackendProtocol protocol = BackendProtocol::kHttp;
  Timeouts timeouts;
  Retry retry;
  uint64_t max_body = 1024 * 1024;
  bool buffering = false, request_buffering = true, http10 = false;
  uint64_t buffer_size = 4 * 1024, buffers = 4, client_buffer = 16 * 1024;
  TemplatePtr vhost;
  std::string connection_header;
  std::string redirect_from, redirect_to;
  std::vector<Substitution> cookie_domains, cookie_paths;
  bool service_upstream = false;
  std::string default_backend, custom_headers;
  std::vector<int> error_codes;
  bool intercept_errors = true;     // not disable-proxy-intercept-errors
  Balance balance = Balance::kRoundRobin;
  TemplatePtr hash_by;
  bool hash_subset = false;
  uint32_t subset_size = 3;
};

struct Settings {
  RewriteSettings rewrite;
  AuthSettings auth;
  ExternalSettings external;
  ClientTlsSettings client_tls;
  ProxyTlsSettings proxy_tls;
  CanarySettings canary;
  AffinitySettings affinity;
  LimitSettings limits;
  MirrorSettings mirror;
  ProxySettings proxy;
  Cors cors = {.any_origin = true};
  bool cors_enabled = false;        // Else `cors` means nothing.
  std::vector<base::Cidr> allow, deny;
  std::vector<std::string> aliases;
  bool passthrough = false;
  std::string ciphers;
  bool access_log = true;
  bool closed = false;              // An annotation that protects is malformed: all is answered 503.
  bool annotated = false;           // Something differs from the controller's own.
};

}  // namespace server::gateway
