#include "server/gateway/table/dump.h"

#include <cstdio>

#include "store/base/regex.h"
#include "server/gateway/policy/template.h"

namespace server::gateway {
namespace {

std::string text(const TemplatePtr& value) { return value == nullptr ? "-" : value->text(); }
std::string text(const RegexPtr& value) { return value == nullptr ? "-" : "/" + value->pattern() + "/" + (value->ignores_case() ? "i" : ""); }
std::string text(milliseconds time) { return time.count() % 1000 == 0 ? std::to_string(time.count() / 1000) + "s" : std::to_string(time.count()) + "ms"; }
std::string text(double number) {
  char out[32];
  std::snprintf(out, sizeof out, "%g", number);
  return out;
}
std::string text(const Endpoint& e) { return (e.address.is_v4() ? e.address.text() : "[" + e.address.text() + "]") + ":" + std::to_string(e.port); }
std::string joined(const std::vector<std::string>& parts, const char* by = " ") {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : by) + part;
  return out;
}
std::string text(const std::vector<base::Cidr>& ranges) {
  std::vector<std::string> parts;
  for (const base::Cidr& range : ranges) parts.push_back(range.text());
  return joined(parts);
}
std::string text(const std::vector<int>& numbers) {
  std::vector<std::string> parts;
  for (int number : numbers) parts.push_back(std::to_string(number));
  return joined(parts);
}

std::string text(const UpstreamTls& tls) {
  std::string out = tls.verify ? "verified" : "unverified";
  if (!tls.server_name.empty()) out += " name " + tls.server_name;
  if (tls.send_server_name) out += " sni";
  if (!tls.trusted_pem.empty()) out += " ca";
  if (!tls.certificate_pem.empty()) out += " certificate";
  if (tls.verify_depth != 1) out += " depth " + std::to_string(tls.verify_depth);
  if (tls.protocols != UpstreamTls().protocols) out += " protocols " + tls.protocols;
  if (!tls.ciphers.empty()) out += " ciphers " + tls.ciphers;
  return out;
}

std::string text(const UpstreamPtr& upstream) {
  if (upstream == nullptr) return "nobody";
  std::string out = upstream->name + " [";
  for (size_t i = 0; i < upstream->endpoints.size(); ++i) out += (i == 0 ? "" : " ") + text(upstream->endpoints[i]);
  out += "]";
  if (upstream->protocol == UpstreamProtocol::kHttp2) out += " http2";
  if (upstream->tls != nullptr) out += " tls(" + text(*upstream->tls) + ")";
  if (upstream->balance == Balance::kLeastTime) out += " least-time";
  if (upstream->balance == Balance::kHash) out += " hash(" + text(upstream->hash_by) + (upstream->hash_subset > 0 ? " of " + std::to_string(upstream->hash_subset) : "") + ")";
  if (upstream->send_proxy_protocol > 0) out += " proxy-protocol";
  return out;
}

std::string text(const Redirect& r) {
  return "redirect " + std::to_string(r.status) + " " + text(r.location) + (r.relative ? " (relative)" : "") + (r.to_tls ? " (without TLS)" : "");
}

std::string text(const PathMatch& path) {
  static const char* const kKinds[] = {"exact", "prefix", "text", "regex"};
  return std::string(kKinds[static_cast<size_t>(path.kind)]) + " " + (path.kind == PathKind::kRegex ? text(path.regex) : path.value);
}

class Writer {
 public:
  explicit Writer(DumpOrigins origins) : show_origins_(origins == DumpOrigins::kShow) {}
  std::string take() { return std::move(out_); }

  void listener(const Listener& l);

 private:
  void line(int depth, const std::string& what, const Origin& origin = {}) {
    out_.append(static_cast<size_t>(depth) * 2, ' ').append(what);
    if (show_origins_ && !origin.name.empty()) out_.append("  # " + origin.kind + " " + (origin.ns.empty() ? "" : origin.ns + "/") + origin.name + (origin.field.empty() ? "" : " " + origin.field));
    out_.push_back('\n');
  }
  void host(const VirtualHost& h);
  void route(const Route& r);
  void match(const Match& m);
  void policy(const Policy& p);
  void access(const Policy& p);
  void external(const ExternalAuth& e);
  void forward(const Forward& f);
  void canary(const Canary& c);
  void affinity(const Affinity& a);
  void buffers(const Forward& f);
  void changes(const char* what, const std::vector<HeaderChange>& changes);
  void substitutions(const char* what, const std::vector<Substitution>& all);
  static std::string summary(const Action& action);
  void details(const Action& action) {
    if (const auto* f = std::get_if<Forward>(&action)) forward(*f);
  }

  bool show_origins_;
  std::string out_;
};

std::string Writer::summary(const Action& action) {
  if (const auto* redirect = std::get_if<Redirect>(&action)) return text(*redirect);
  if (const auto* reply = std::get_if<Reply>(&action)) return std::to_string(reply->status) + (reply->body.empty() ? "" : " \"" + reply->body + "\"");
  const Forward& forward = std::get<Forward>(action);
  std::string out;
  for (const Backend& b : forward.backends) {
    out += (out.empty() ? "" : " | ") + (b.upstream == nullptr ? std::to_string(b.status) : text(b.upstream)) + (forward.backends.size() > 1 ? " x" + std::to_string(b.weight) : "");
  }
  return out.empty() ? "503" : out;
}

void Writer::changes(const char* what, const std::vector<HeaderChange>& changes) {
  static const char* const kKinds[] = {" set ", " add ", " remove "};
  for (const HeaderChange& c : changes) line(3, what + std::string(kKinds[static_cast<size_t>(c.kind)]) + c.name + (c.value == nullptr ? "" : ": " + text(c.value)));
}

void Writer::substitutions(const char* what, const std::vector<Substitution>& all) {
  for (const Substitution& s : all) line(3, std::string(what) + " " + (s.regex != nullptr ? text(s.regex) : s.from) + " -> " + s.to);
}

void Writer::canary(const Canary& c) {
  std::string out = "canary " + text(c.backend.upstream);
  if (!c.header.empty()) out += " header " + c.header;
  if (!c.header_value.empty()) out += " value " + c.header_value;
  if (c.header_pattern != nullptr) out += " pattern " + text(c.header_pattern);
  if (!c.cookie.empty()) out += " cookie " + c.cookie;
  if (c.weight > 0 || c.weight_total != 100) out += " weight " + std::to_string(c.weight) + "/" + std::to_string(c.weight_total);
  if (!c.sticky) out += " legacy";
  line(3, out, c.origin);
}

void Writer::affinity(const Affinity& a) {
  std::string out = "affinity " + a.cookie;
  if (a.persistent) out += " persistent";
  if (!a.path.empty()) out += " path " + a.path;
  if (!a.domain.empty()) out += " domain " + a.domain;
  if (!a.same_site.empty()) out += " same-site " + a.same_site;
  if (a.conditional_same_site_none) out += " conditional-none";
  if (a.expires_s) out += " expires " + std::to_string(*a.expires_s);
  if (a.max_age_s) out += " max-age " + std::to_string(*a.max_age_s);
  if (a.secure) out += *a.secure ? " secure" : " insecure";
  if (a.change_on_failure) out += " change-on-failure";
  line(3, out);
}

void Writer::buffers(const Forward& f) {
  const Forward usual;
  if (f.buffer_request != usual.buffer_request) line(3, "request not buffered");
  if (f.buffer_response != usual.buffer_response) line(3, "response buffered");
  if (f.request_buffer != usual.request_buffer) line(3, "request buffer " + std::to_string(f.request_buffer));
  if (f.header_buffer != usual.header_buffer) line(3, "header buffer " + std::to_string(f.header_buffer));
  if (f.response_buffers != usual.response_buffers) line(3, "response buffers " + std::to_string(f.response_buffers));
}

void Writer::forward(const Forward& f) {
  const Forward usual;
  for (const Canary& c : f.canaries) canary(c);
  for (const Mirror& m : f.mirrors) line(3, "mirror " + text(m.upstream) + " uri " + text(m.uri) + " host " + text(m.host) + (m.body ? "" : " without body"));
  if (f.fallback != nullptr) line(3, "fallback " + text(f.fallback));
  if (f.timeouts.connect != usual.timeouts.connect) line(3, "connect timeout " + text(f.timeouts.connect));
  if (f.timeouts.read != usual.timeouts.read) line(3, "read timeout " + text(f.timeouts.read));
  if (f.timeouts.send != usual.timeouts.send) line(3, "send timeout " + text(f.timeouts.send));
  if (f.timeouts.request.count() > 0) line(3, "request timeout " + text(f.timeouts.request));
  if (f.timeouts.try_each.count() > 0) line(3, "try timeout " + text(f.timeouts.try_each));
  const Retry& r = f.retry;
  if (!r.on_error || !r.on_timeout || r.on_invalid_header || !r.on_status.empty() || r.non_idempotent || r.tries != 3 || r.within.count() > 0) {
    std::string out = "retry";
    if (r.on_error) out += " error";
    if (r.on_timeout) out += " timeout";
    if (r.on_invalid_header) out += " invalid-header";
    if (!r.on_status.empty()) out += " " + text(r.on_status);
    if (r.non_idempotent) out += " non-idempotent";
    line(3, out + " tries " + std::to_string(r.tries) + (r.within.count() > 0 ? " within " + text(r.within) : ""));
  }
  if (f.rewrite) line(3, "rewrite " + (f.rewrite->regex != nullptr ? text(f.rewrite->regex) : f.rewrite->prefix) + " -> " + text(f.rewrite->target));
  if (f.upstream_host != nullptr) line(3, "host " + text(f.upstream_host));
  changes("request header", f.request_headers);
  changes("response header", f.response_headers);
  if (f.affinity) affinity(*f.affinity);
  if (f.error_pages) line(3, "error pages " + text(f.error_pages->codes) + " from " + text(f.error_pages->backend));
  substitutions("cookie domain", f.cookie_domains);
  substitutions("cookie path", f.cookie_paths);
  substitutions("location", f.redirects);
  if (!f.connection_header.empty()) line(3, "connection header " + f.connection_header);
  if (f.http10) line(3, "http 1.0");
  buffers(f);
}

void Writer::external(const ExternalAuth& e) {
  line(3, "asks " + (e.method.empty() ? "" : e.method + " ") + text(e.url) + " at " + text(e.upstream));
  if (e.signin != nullptr) line(4, "sign in at " + text(e.signin) + " (" + e.signin_redirect_param + ")");
  if (!e.response_headers.empty()) line(4, "takes " + joined(e.response_headers));
  if (e.request_redirect != nullptr) line(4, "redirect " + text(e.request_redirect));
  for (const HeaderChange& c : e.request_headers) line(4, "sends " + c.name + ": " + text(c.value));
  if (e.cache_key != nullptr) {
    std::string out = "kept by " + text(e.cache_key);
    for (const auto& [status, time] : e.cache) out += " " + (status == 0 ? std::string("any") : std::to_string(status)) + ":" + text(time);
    line(4, out);
  }
  if (e.always_set_cookie) line(4, "always its cookies");
}

void Writer::access(const Policy& p) {
  if (!p.deny.empty()) line(3, "deny " + text(p.deny));
  if (!p.allow.empty()) line(3, "allow " + text(p.allow));
  if (p.password != nullptr) {
    std::vector<std::string> users;
    for (const auto& [name, hash] : p.password->users) users.push_back(name);
    line(3, std::string(p.password->digest ? "digest" : "basic") + " \"" + p.password->realm + "\" users " + joined(users));
  }
  if (p.satisfy_any) line(3, "satisfy any");
  if (p.external != nullptr) external(*p.external);
  if (!p.required_cn.empty()) line(3, "client CN " + p.required_cn);
}

void Writer::policy(const Policy& p) {
  const Policy usual;
  if (p.max_body != usual.max_body) line(3, "max body " + std::to_string(p.max_body));
  if (p.cors) {
    std::vector<std::string> origins;
    for (const RegexPtr& origin : p.cors->origins) origins.push_back(text(origin));
    const Cors cors;
    std::string out = "cors " + (p.cors->any_origin ? "*" : joined(origins));
    if (p.cors->methods != cors.methods) out += " methods " + p.cors->methods;
    if (p.cors->headers != cors.headers) out += " headers " + p.cors->headers;
    if (!p.cors->expose.empty()) out += " expose " + p.cors->expose;
    if (!p.cors->credentials) out += " without credentials";
    if (p.cors->max_age_s != cors.max_age_s) out += " max-age " + std::to_string(p.cors->max_age_s);
    line(3, out);
  }
  const Limits& l = p.limits;
  if (!l.key.empty()) {
    std::string out = "limits of " + l.key;
    if (l.requests_per_second > 0) out += " " + text(l.requests_per_second) + "/s";
    if (l.requests_per_minute > 0) out += " " + text(l.requests_per_minute) + "/min";
    if (l.connections > 0) out += " " + std::to_string(l.connections) + " connections";
    if (l.burst_multiplier != Limits().burst_multiplier) out += " burst " + std::to_string(l.burst_multiplier);
    if (l.status != Limits().status) out += " else " + std::to_string(l.status);
    line(3, out + (l.exempt.empty() ? "" : " not " + text(l.exempt)));
  }
  access(p);
  if (p.bytes_per_second > 0) line(3, "rate " + std::to_string(p.bytes_per_second) + " after " + std::to_string(p.free_bytes));
  if (!p.hsts) line(3, "no hsts");
  else if (p.hsts_value != usual.hsts_value) line(3, "hsts " + p.hsts_value);
  if (!p.access_log) line(3, "no access log");
}

void Writer::match(const Match& m) {
  if (!m.method.empty()) line(3, "method " + m.method);
  for (const auto* values : {&m.headers, &m.query}) {
    for (const ValueMatch& v : *values) {
      line(3, std::string(values == &m.headers ? "header " : "query ") + v.name + (v.kind == ValueKind::kPresent ? " present" : v.kind == ValueKind::kRegex ? " ~ " + text(v.regex) : " = " + v.value));
    }
  }
}

void Writer::route(const Route& r) {
  line(2, text(r.match.path) + " -> " + summary(r.action), r.origin);
  match(r.match);
  const auto* same = std::get_if<Redirect>(&r.action);
  if (r.redirect && (same == nullptr || text(*same) != text(*r.redirect))) line(3, text(*r.redirect));
  if (r.policy != nullptr) policy(*r.policy);
  details(r.action);
}

void Writer::host(const VirtualHost& h) {
  line(1, "host " + (h.name.empty() ? "*" : h.name) + (h.wildcard == VirtualHost::Wildcard::kManyLabels ? " (many labels)" : "") + (h.order == VirtualHost::Order::kInOrder ? " in order" : ""), h.origin);
  if (!h.aliases.empty()) line(2, "alias " + joined(h.aliases));
  if (h.identity != nullptr) line(2, "certificate " + (h.identity->origin.name.empty() ? "-" : h.identity->origin.ns + "/" + h.identity->origin.name));
  if (h.client_auth != nullptr) {
    static const char* const kModes[] = {"off", "required", "optional", "optional without ca"};
    const ClientAuth& c = *h.client_auth;
    line(2, std::string("client certificate ") + kModes[static_cast<size_t>(c.mode)] + " depth " + std::to_string(c.depth) + (c.error_page.empty() ? "" : " else " + c.error_page) + (c.pass_to_upstream ? " passed on" : "") + (c.broken ? " broken" : ""));
  }
  if (!h.ciphers.empty()) line(2, "ciphers " + h.ciphers);
  if (h.passthrough != nullptr) line(2, "passthrough " + text(h.passthrough));
  for (const Route& r : h.routes) route(r);
  const auto* reply = std::get_if<Reply>(&h.otherwise);
  if (reply == nullptr || reply->status != 404 || !reply->body.empty()) line(2, "otherwise -> " + summary(h.otherwise));
}

void Writer::listener(const Listener& l) {
  std::string out = l.name + " :" + std::to_string(l.port);
  if (l.accept_proxy_protocol) out += " proxy-protocol";
  if (l.trust_forwarded) out += std::string(" trusts X-Forwarded-*") + (l.append_forwarded_for ? " and appends" : "");
  if (l.find_client) out += " client by " + l.forwarded_for_header;
  if ((l.find_client || l.accept_proxy_protocol) && !l.trusted_proxies.empty()) out += " of " + text(l.trusted_proxies);
  if (l.identity != nullptr && !l.identity->origin.name.empty()) out += " certificate " + l.identity->origin.ns + "/" + l.identity->origin.name;
  if (l.protocol == Listener::Protocol::kTcp || l.protocol == Listener::Protocol::kUdp) {
    line(0, out + " idle " + text(l.idle) + " -> " + summary(Action(Forward{.backends = l.backends})), l.backends.empty() ? Origin() : l.backends[0].origin);
    return;
  }
  line(0, out);
  for (const VirtualHost& h : l.hosts) host(h);
  const auto* reply = std::get_if<Reply>(&l.otherwise);
  if (reply == nullptr || reply->status != 404 || !reply->body.empty()) line(1, "otherwise -> " + summary(l.otherwise));
}

}  // namespace

std::string dump(const Listener& listener, DumpOrigins origins) {
  Writer writer(origins);
  writer.listener(listener);
  return writer.take();
}

std::string dump(const Table& table, DumpOrigins origins) {
  std::string out;
  for (const auto& listener : table.listeners) out += dump(*listener, origins);
  return out;
}

}  // namespace server::gateway
