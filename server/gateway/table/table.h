// server/gateway/table/table.h - what the gateway does, as plain data: which addresses it listens on, which requests go
// where, and what is done to them on the way. Ingress compiles to it, the Gateway API will; nothing in it knows either.
//
// Immutable once published: a change makes a new Table, and requests under way keep the one they began with. Parts are
// shared between tables. Values; any thread. Times are chrono, sizes bytes.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "store/base/ip.h"

namespace base {
class Regex;  // store/base/regex.h
}

namespace server::gateway {

using base::Regex;
class Template;  // policy/template.h: text with nginx's variables
using RegexPtr = std::shared_ptr<const Regex>;
using TemplatePtr = std::shared_ptr<const Template>;
using std::chrono::milliseconds;

// The object that something comes from: for `kubelan explain`, the access log and headers that name it.
struct Origin {
  std::string kind;   // "Ingress"
  std::string ns;
  std::string name;
  std::string field;  // "spec.rules[0].http.paths[1]"
  bool operator==(const Origin&) const = default;
};

// ---- Where requests go ------------------------------------------------------------------------------------------

struct Endpoint {
  base::Ip address;
  uint16_t port = 0;
  std::string name;        // Of the pod, or "address:port".
  bool operator==(const Endpoint&) const = default;
};

enum class UpstreamProtocol : uint8_t { kHttp1, kHttp2 };  // kHttp2 without TLS: prior knowledge (h2c, gRPC).

// TLS towards an upstream (backend-protocol HTTPS, BackendTLSPolicy).
struct UpstreamTls {
  bool verify = false;
  std::string trusted_pem;           // CA certificates; empty: the system's.
  std::string server_name;           // For SNI when `send_server_name`, and what the certificate must name.
  bool send_server_name = false;
  int verify_depth = 1;
  std::string certificate_pem, key_pem;  // Shown to the upstream; empty: none.
  std::vector<std::string> names;        // Subject alternative names of which one must fit; empty: server_name.
  std::string protocols = "TLSv1.2 TLSv1.3";
  std::string ciphers;
  bool operator==(const UpstreamTls&) const = default;
};

enum class Balance : uint8_t { kRoundRobin, kLeastTime /* EWMA */, kHash };

// A set of endpoints that serve alike: one port of a Service. Connections are kept by endpoint, not by upstream.
struct Upstream {
  std::string name;                  // "default/app-service:80"; unique in a table: turns are counted by it.
  std::string service_ns, service, service_port;
  std::vector<Endpoint> endpoints;   // Empty: 503.
  UpstreamProtocol protocol = UpstreamProtocol::kHttp1;
  std::shared_ptr<const UpstreamTls> tls;  // nullptr: plain.
  Balance balance = Balance::kRoundRobin;
  TemplatePtr hash_by;               // kHash
  uint32_t hash_subset = 0;          // 0: single endpoints; else the hash chooses among groups of that size.
  uint8_t send_proxy_protocol = 0;   // L4 only: version 1 when not 0.
};
using UpstreamPtr = std::shared_ptr<const Upstream>;

// ---- Which requests a route takes -------------------------------------------------------------------------------

enum class PathKind : uint8_t {
  kExact,   // The path, byte by byte.
  kPrefix,  // Elements: "/a" takes "/a", "/a/" and "/a/b", not "/ab". The value has no "/" at its end but for "/" itself.
  kText,    // Characters: "/a" takes "/ab".
  kRegex,   // Found at the beginning of the path.
};
struct PathMatch {
  PathKind kind = PathKind::kPrefix;
  std::string value = "/";
  RegexPtr regex;          // kRegex only.
};
enum class ValueKind : uint8_t { kExact, kRegex, kPresent };
struct ValueMatch {
  std::string name;        // Of headers without case, of query parameters with.
  ValueKind kind = ValueKind::kExact;
  std::string value;
  RegexPtr regex;
};
struct Match {
  PathMatch path;
  std::string method;      // Empty: any.
  std::vector<ValueMatch> headers, query;  // All must fit.
};

// ---- What is done to them ---------------------------------------------------------------------------------------

struct HeaderChange {
  enum class Kind : uint8_t { kSet, kAdd, kRemove } kind = Kind::kSet;
  std::string name;
  TemplatePtr value;       // nullptr with kRemove.
};

struct Timeouts {
  milliseconds connect{5'000};
  milliseconds read{60'000};     // Between two reads from the upstream.
  milliseconds send{60'000};     // Between two writes to it.
  milliseconds request{0};       // From the request's head to the end of the response; 0: none.
  milliseconds try_each{0};      // One attempt; 0: none.
};

struct Retry {
  bool on_error = true, on_timeout = true, on_invalid_header = false;
  std::vector<int> on_status;    // 502, 503, 504, 500, 404, 403, 429
  bool non_idempotent = false;   // POST, LOCK, PATCH too, once anything was sent.
  int tries = 3;                 // In all; 0: as many as there are endpoints.
  milliseconds within{0};        // 0: no limit.
  milliseconds backoff{0};
};

// The path and query that the upstream sees.
struct Rewrite {
  enum class Kind : uint8_t { kRegex, kFullPath, kPrefix } kind = Kind::kRegex;
  RegexPtr regex;          // kRegex: what it found is replaced as a whole, the rest of the path is dropped, as nginx does.
  TemplatePtr target;      // kRegex: may use $1 and carry "?query". kFullPath, kPrefix: literal.
  std::string prefix;      // kPrefix: replaced.
};

struct Affinity {          // A cookie that leads back to the same endpoint.
  std::string cookie = "INGRESSCOOKIE", path, domain, same_site;
  std::optional<int64_t> expires_s, max_age_s;
  std::optional<bool> secure;          // Nothing: when the request came by TLS.
  bool conditional_same_site_none = false;
  bool change_on_failure = false;
  bool persistent = false;             // Keeps to an endpoint until it is gone; else moves few when endpoints change.
};

struct Backend {
  UpstreamPtr upstream;    // nullptr: answered with `status`.
  uint32_t weight = 1;
  int status = 503;
  std::vector<HeaderChange> request_headers, response_headers;
  Origin origin;           // Of a canary: the canary Ingress.
};

// Takes some of the requests of a route, asked before its backends, in order.
struct Canary {
  std::string header, header_value;
  RegexPtr header_pattern;
  std::string cookie;
  uint32_t weight = 0, weight_total = 100;
  bool sticky = true;      // An affinity cookie given by this canary leads back to it, whatever the conditions say now.
  Backend backend;
  Origin origin;
};

struct Mirror {            // A copy of the request, whose answer nobody waits for.
  UpstreamPtr upstream;
  TemplatePtr uri;         // nullptr: the request's own.
  TemplatePtr host;
  bool body = true;
  uint32_t numerator = 1, denominator = 1;
};

struct ErrorPages {        // custom-http-errors
  std::vector<int> codes;
  UpstreamPtr backend;     // Its status and body are answered.
};

// Location and Refresh, Set-Cookie's Domain and Path: from -> to. "off" leaves out; a regex begins with '~'.
struct Substitution {
  std::string from, to;
  RegexPtr regex;
};

struct Forward {
  std::vector<Backend> backends;       // One by weight.
  std::vector<Canary> canaries;
  std::vector<Mirror> mirrors;
  UpstreamPtr fallback;                // default-backend: used while the chosen upstream has no endpoint; nullptr: 503.
  Timeouts timeouts;
  Retry retry;
  std::optional<Rewrite> rewrite;
  TemplatePtr upstream_host;           // nullptr: as the client sent it.
  std::vector<HeaderChange> request_headers, response_headers;
  std::optional<Affinity> affinity;
  std::optional<ErrorPages> error_pages;
  std::vector<Substitution> cookie_domains, cookie_paths, redirects;
  std::string connection_header;       // connection-proxy-header; empty: our own.
  bool http10 = false;                 // proxy-http-version 1.0
  bool buffer_request = true;          // Read the body before the upstream is asked (up to request_buffer in memory).
  bool buffer_response = false;
  uint64_t request_buffer = 16 * 1024;
  uint64_t header_buffer = 4 * 1024;   // A response head above it is a 502.
  uint64_t response_buffers = 4 * 4 * 1024;
};
struct Redirect {
  int status = 302;
  TemplatePtr location;    // Whole, with variables; relative with `relative`.
  bool relative = false;
  // Only requests without TLS are sent elsewhere, the others go on; the ACME challenge is never.
  bool to_tls = false;
};
struct Reply {
  int status = 404;
  std::string content_type = "text/html";
  std::string body;        // Empty: nginx's page for that status.
};
using Action = std::variant<Forward, Redirect, Reply>;

// ---- Who may -----------------------------------------------------------------------------------------------------

struct Cors {
  bool any_origin = false;
  std::vector<RegexPtr> origins;
  std::string methods = "GET, PUT, POST, DELETE, PATCH, OPTIONS";
  std::string headers = "DNT,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Range,Authorization";
  std::string expose;
  bool credentials = true;
  int64_t max_age_s = 1'728'000;
};
struct PasswordAuth {      // auth-type basic, digest
  bool digest = false;
  std::string realm;
  std::map<std::string, std::string> users;  // Name -> hash as in htpasswd (basic) or MD5 of name:realm:password (digest).
};
struct ExternalAuth {      // auth-url
  TemplatePtr url;                           // Absolute; http or https.
  // Where the URL's host resolves to: a Service of the cluster, or an address. nullptr: the name could not be resolved, 500.
  UpstreamPtr upstream;
  std::string method;                        // Empty: GET.
  TemplatePtr signin;                        // nullptr: none.
  std::string signin_redirect_param = "rd";
  std::vector<std::string> response_headers; // Copied to the upstream's request.
  TemplatePtr request_redirect;              // X-Auth-Request-Redirect; nullptr: the request URI.
  std::vector<HeaderChange> request_headers; // auth-proxy-set-headers
  TemplatePtr cache_key;                     // nullptr: nothing is kept.
  std::vector<std::pair<int, milliseconds>> cache;  // Status (0: any) -> how long.
  bool always_set_cookie = false;
};
struct Limits {
  std::string key;                 // Names the counters: they outlive a table in which the limit stays the same.
  double requests_per_second = 0;  // 0: none. limit-rpm is a sixtieth.
  double requests_per_minute = 0;
  uint32_t burst_multiplier = 5;
  uint32_t connections = 0;
  std::vector<base::Cidr> exempt;
  int status = 503;
};

// What must hold before a route's action is taken. Checked in the order of nginx's phases: size, redirects and CORS, limits,
// addresses, passwords, external.
struct Policy {
  uint64_t max_body = 1024 * 1024;   // 0: no limit. Above: 413.
  std::optional<Cors> cors;
  Limits limits;
  std::vector<base::Cidr> deny, allow;  // deny first; an empty `allow` allows all.
  std::shared_ptr<const PasswordAuth> password;
  std::shared_ptr<const ExternalAuth> external;
  bool satisfy_any = false;          // Addresses or password: one is enough.
  uint64_t bytes_per_second = 0;     // Of a response, after `free_bytes`; 0: no limit.
  uint64_t free_bytes = 0;
  bool hsts = true;                  // Strict-Transport-Security on answers by TLS, with that value.
  std::string hsts_value = "max-age=31536000; includeSubDomains";
  bool access_log = true;
  std::string required_cn;           // auth-tls-match-cn; empty: any. Else 403.
  RegexPtr required_cn_regex;
};

struct Route {
  Match match;
  std::shared_ptr<const Policy> policy;  // Never nullptr.
  std::optional<Redirect> redirect;      // Before the action: ssl-redirect, app-root, permanent-redirect.
  Action action;
  Origin origin;
  std::string location_path;   // As the manifest has it: for cookies and $location_path.
};

// ---- Listeners ---------------------------------------------------------------------------------------------------

struct Identity {              // A certificate with its key.
  std::string certificate_pem; // The chain, leaf first.
  std::string key_pem;
  Origin origin;
  bool operator==(const Identity&) const = default;
};
using IdentityPtr = std::shared_ptr<const Identity>;

struct ClientAuth {            // Certificates that clients show (auth-tls-*).
  enum class Mode : uint8_t { kOff, kRequire, kOptional, kOptionalNoCa } mode = Mode::kOff;
  std::string trusted_pem;
  int depth = 1;
  std::string error_page;      // Redirects to it instead of 400.
  bool pass_to_upstream = false;
  bool broken = false;         // The CA could not be read: every request is answered 403.
  bool operator==(const ClientAuth&) const = default;
};

struct VirtualHost {
  std::string name;            // Lower case. "": any. "*.x": see `wildcard`.
  enum class Wildcard : uint8_t { kOneLabel, kManyLabels } wildcard = Wildcard::kOneLabel;
  std::vector<std::string> aliases;
  // kMostSpecific: exact, then the longest prefix; among equals the order in `routes`. kInOrder: the first that fits.
  enum class Order : uint8_t { kMostSpecific, kInOrder } order = Order::kMostSpecific;
  std::vector<Route> routes;
  Action otherwise = Reply{};  // No route fits.
  IdentityPtr identity;        // nullptr: the listener's default.
  std::shared_ptr<const ClientAuth> client_auth;
  UpstreamPtr passthrough;     // TLS for this name is not ended here: bytes go to it as they are.
  std::string ciphers;         // Empty: the library's.
  Origin origin;
};

struct Listener {
  enum class Protocol : uint8_t { kHttp, kHttps, kTcp, kUdp } protocol = Protocol::kHttp;
  std::string name;            // "http", "https", "tcp-9000"
  uint16_t port = 80;
  bool accept_proxy_protocol = false;
  // kHttp, kHttps. Exact names win over wildcards, longer wildcards over shorter, "" is last. Names are unique.
  std::vector<VirtualHost> hosts;
  Action otherwise = Reply{};  // No host fits.
  IdentityPtr identity;        // Served to names without one of their own.
  bool check_misdirected = false;  // 421 when SNI and Host choose different hosts.
  // Proxies in front (policy/request_origin.h). X-Forwarded-Proto, -Port and -Host are believed and go on to the upstream as they
  // came; else they are replaced (use-forwarded-headers).
  bool trust_forwarded = false;
  bool find_client = false;             // Its address is the one that `trusted_proxies` name in `forwarded_for_header`.
  bool append_forwarded_for = false;    // With trust_forwarded: the upstream's X-Forwarded-For goes on with the connection's address.
  std::string forwarded_for_header = "X-Forwarded-For";
  std::vector<base::Cidr> trusted_proxies;  // Empty: everybody. Others are not believed in PROXY protocol, either.
  // kTcp, kUdp.
  std::vector<Backend> backends;
  milliseconds idle{600'000};
};

struct Table {
  uint64_t generation = 0;
  std::vector<std::shared_ptr<const Listener>> listeners;  // One a port and transport.
};
using TablePtr = std::shared_ptr<const Table>;

}  // namespace server::gateway
