#include "server/gateway/explain.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "server/gateway/message/message.h"
#include "store/base/regex.h"
#include "server/gateway/policy/rewrite.h"
#include "server/gateway/policy/template.h"
#include "server/gateway/table/matcher.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace server::gateway {
namespace {

constexpr std::string_view kPrefix = "nginx.ingress.kubernetes.io/";
constexpr char kAcme[] = "/.well-known/acme-challenge";

json describe(const Origin& origin) {
  if (origin.name.empty()) return json::object();
  json out = {{"kind", origin.kind}, {"namespace", origin.ns}, {"name", origin.name}};
  if (!origin.field.empty()) out["field"] = origin.field;
  return out;
}

const char* path_kind(PathKind kind) {
  switch (kind) {
    case PathKind::kExact:
      return "exactly";
    case PathKind::kPrefix:
      return "elements below";
    case PathKind::kText:
      return "everything that begins with";
    case PathKind::kRegex:
      return "regular expression";
  }
  return "";
}

json describe(const Route& route) {
  json out = describe(route.origin);
  out["path"] = route.location_path.empty() ? route.match.path.value : route.location_path;
  out["matches"] = std::string(path_kind(route.match.path.kind)) + " " + (route.match.path.regex != nullptr ? route.match.path.regex->pattern() : route.match.path.value);
  if (!route.match.method.empty()) out["method"] = route.match.method;
  return out;
}

json describe(const Upstream& upstream) {
  json endpoints = json::array();
  for (const Endpoint& e : upstream.endpoints) {
    const std::string at = e.address.is_v4() ? e.address.text() : "[" + e.address.text() + "]";
    endpoints.push_back({{"name", e.name}, {"address", at + ":" + std::to_string(e.port)}});
  }
  json out = {{"name", upstream.name}, {"endpoints", endpoints}};
  if (!upstream.service.empty()) out["service"] = upstream.service_ns + "/" + upstream.service + ":" + upstream.service_port;
  std::string protocol = upstream.protocol == UpstreamProtocol::kHttp2 ? "HTTP/2" : "HTTP/1.1";
  if (upstream.tls != nullptr) protocol += upstream.tls->verify ? " over TLS, certificate checked" : " over TLS, certificate not checked";
  out["protocol"] = protocol;
  out["balancing"] = upstream.balance == Balance::kRoundRobin ? "in turn" : upstream.balance == Balance::kLeastTime ? "the fastest (EWMA)" : "by hash of " + (upstream.hash_by ? upstream.hash_by->text() : "");
  return out;
}

// ---- What the rule's settings make of the request, in the order in which they take effect --------------------------

class Story {
 public:
  Story(const Question& question, const RequestHead& head, const ClientInfo& client, const Route& route, const std::vector<std::string_view>& captures)
      : question_(question), route_(route) {
    context_.request = &head;
    context_.client = &client;
    context_.route = &route;
    context_.captures = &captures;
    head_ = &head;
  }

  json tell() {
    checks();
    const bool acme = head_->path().starts_with(kAcme);
    if (route_.redirect && !(route_.redirect->to_tls && (question_.tls || acme))) {
      redirect(*route_.redirect);
    } else {
      std::visit([this](const auto& action) { act(action); }, route_.action);
    }
    json out = {{"answer", answer_}, {"steps", steps_}};
    if (!backends_.empty()) out["backends"] = backends_;
    return out;
  }

 private:
  void step(const std::string& text) { steps_.push_back(text); }

  static std::string list(const std::vector<base::Cidr>& cidrs) {
    std::string out;
    for (const base::Cidr& cidr : cidrs) out += (out.empty() ? "" : ", ") + cidr.text();
    return out;
  }
  static std::string number(double value) {
    std::string text = std::to_string(value);
    text.erase(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
    return text;
  }

  void checks() {
    const Policy& p = *route_.policy;
    if (p.max_body != Policy().max_body) step(p.max_body == 0 ? "a body may be of any size" : "a body above " + std::to_string(p.max_body) + " bytes is answered 413");
    if (p.cors) step("CORS: preflight requests of the allowed origins are answered 204 here, other answers get Access-Control headers");
    if (p.limits.requests_per_second > 0) step("at most " + number(p.limits.requests_per_second) + " requests a second and client, else " + std::to_string(p.limits.status));
    if (p.limits.requests_per_minute > 0) step("at most " + number(p.limits.requests_per_minute) + " requests a minute and client, else " + std::to_string(p.limits.status));
    if (p.limits.connections > 0) step("at most " + std::to_string(p.limits.connections) + " connections a client, else " + std::to_string(p.limits.status));
    if (!p.deny.empty()) step("clients of " + list(p.deny) + " are answered 403");
    if (!p.allow.empty()) step("only clients of " + list(p.allow) + " are served, others are answered 403");
    if (p.password != nullptr) step(std::string(p.password->digest ? "digest" : "basic") + " authentication, " + std::to_string(p.password->users.size()) + " users, else 401" + (p.satisfy_any ? " (or an allowed address)" : ""));
    if (p.external != nullptr) step("asks " + (p.external->url ? p.external->url->text() : "") + " first; goes on when that answers 2xx");
    if (!p.required_cn.empty()) step("the client's certificate must name " + p.required_cn + ", else 403");
    if (p.bytes_per_second > 0) step("the response is slowed down to " + std::to_string(p.bytes_per_second) + " bytes a second");
  }

  std::string render(const TemplatePtr& text) const { return text == nullptr ? "" : text->render(context_); }

  void redirect(const Redirect& r) { answer_ = std::to_string(r.status) + " to " + render(r.location); }

  void act(const Redirect& r) { redirect(r); }
  void act(const Reply& r) { answer_ = std::to_string(r.status) + ", answered here"; }
  void act(const Forward& f) {
    if (f.rewrite) {
      const base::Result<std::string> target = rewritten_target(*f.rewrite, *head_, context_);
      step(target.ok() ? "the path is rewritten to " + *target : "the path cannot be rewritten: " + target.error().message);
    }
    if (f.upstream_host != nullptr) step("Host is " + render(f.upstream_host));
    if (f.affinity) step("a client stays with its endpoint by the cookie " + f.affinity->cookie);
    for (const Mirror& m : f.mirrors) step("a copy goes to " + (m.upstream != nullptr ? m.upstream->name : render(m.host)));
    for (const Canary& c : f.canaries) canary(c);
    if (f.error_pages) step("answers of " + codes(f.error_pages->codes) + " are replaced by those of " + (f.error_pages->backend ? f.error_pages->backend->name : ""));
    bool any = false;
    for (const Backend& b : f.backends) {
      backend(b, f.backends.size() > 1 ? "weight " + std::to_string(b.weight) : "");
      any = any || (b.upstream != nullptr && !b.upstream->endpoints.empty());
    }
    if (any) answer_ = "forwarded to " + name_of(f.backends);
    else if (f.fallback != nullptr) fall_back(*f.fallback);
    else answer_ = std::to_string(f.backends.empty() || f.backends[0].upstream != nullptr ? 503 : f.backends[0].status) + ": no endpoint is ready";
  }

  void fall_back(const Upstream& upstream) {
    answer_ = "forwarded to the default backend " + upstream.name + ": no other endpoint is ready";
    json described = describe(upstream);
    described["when"] = "nothing else is ready";
    backends_.push_back(described);
  }

  static std::string codes(const std::vector<int>& all) {
    std::string out;
    for (int code : all) out += (out.empty() ? "" : ", ") + std::to_string(code);
    return out;
  }
  static std::string name_of(const std::vector<Backend>& backends) {
    std::string out;
    for (const Backend& b : backends) {
      if (b.upstream != nullptr) out += (out.empty() ? "" : " or ") + b.upstream->name;
    }
    return out;
  }

  void canary(const Canary& c) {
    std::string when;
    auto more = [&](const std::string& text) { when += (when.empty() ? "" : "; ") + text; };
    if (!c.header.empty()) more("header " + c.header + (c.header_value.empty() ? c.header_pattern ? " fits " + c.header_pattern->pattern() : " is always" : " is " + c.header_value));
    if (!c.cookie.empty()) more("cookie " + c.cookie + " is always");
    if (c.weight > 0) more(std::to_string(c.weight) + " of " + std::to_string(c.weight_total) + " requests");
    json described = c.backend.upstream != nullptr ? describe(*c.backend.upstream) : json::object();
    described["when"] = "canary: " + when;
    described["canary"] = describe(c.origin);
    backends_.push_back(described);
  }

  void backend(const Backend& b, const std::string& when) {
    if (b.upstream == nullptr) return;
    json described = describe(*b.upstream);
    if (!when.empty()) described["when"] = when;
    backends_.push_back(described);
  }

  const Question& question_;
  const Route& route_;
  const RequestHead* head_ = nullptr;
  TemplateContext context_{};
  std::string answer_;
  json steps_ = json::array();
  json backends_ = json::array();
};

json annotations_of(const Origin& origin, const FindObject& find) {
  json out = json::array();
  const store::Object* object = find(origin);
  if (object == nullptr) return out;
  for (const auto& [name, value] : store::get_string_map(object->tree(), "metadata.annotations")) {
    if (name.starts_with(kPrefix)) out.push_back({{"name", name.substr(kPrefix.size())}, {"value", value}});
  }
  return out;
}

json describe(const Action& action) {
  if (const auto* forward = std::get_if<Forward>(&action); forward != nullptr && !forward->backends.empty() && forward->backends[0].upstream != nullptr) {
    return {{"answer", "forwarded to the default backend " + forward->backends[0].upstream->name}, {"backends", json::array({describe(*forward->backends[0].upstream)})}};
  }
  if (const auto* redirect = std::get_if<Redirect>(&action)) return {{"answer", std::to_string(redirect->status) + " to " + (redirect->location ? redirect->location->text() : "")}};
  if (const auto* reply = std::get_if<Reply>(&action)) return {{"answer", std::to_string(reply->status) + ", answered here"}};
  return {{"answer", "503: no backend"}};
}

json hosts_of(const Listener& listener) {
  json out = json::array();
  for (const VirtualHost& host : listener.hosts) {
    if (!host.name.empty()) out.push_back(host.name);
  }
  return out;
}

const Listener* find_listener(const Table& table, bool tls, std::shared_ptr<const Listener>* owner) {
  for (const auto& listener : table.listeners) {
    if (listener->protocol != (tls ? Listener::Protocol::kHttps : Listener::Protocol::kHttp)) continue;
    *owner = listener;
    return listener.get();
  }
  return nullptr;
}

RequestHead make_head(const Question& question) {
  RequestHead head;
  head.method = question.method;
  head.target = question.target;
  head.authority = base::lower(question.host);
  for (const auto& [name, value] : question.headers) head.headers.add(name, value);
  return head;
}

// One line a rule, although a rule may be several routes.
json lost_of(const std::vector<Considered>& considered, const Route* won) {
  json out = json::array();
  std::set<std::string> told;
  for (const Considered& c : considered) {
    if (c.won || (won != nullptr && c.route->origin == won->origin)) continue;
    json line = describe(*c.route);
    line["why"] = c.why;
    if (told.insert(line.dump()).second) out.push_back(line);
  }
  return out;
}

json describe_tls(const Listener& listener, const VirtualHost* host) {
  const IdentityPtr own = host != nullptr ? host->identity : nullptr;
  const IdentityPtr shown = own != nullptr ? own : listener.identity;
  if (shown == nullptr || shown->origin.name.empty()) return {{"certificate", "the fake certificate: no Secret fits this host"}};
  return {{"certificate", shown->origin.kind + " " + shown->origin.ns + "/" + shown->origin.name}};
}

}  // namespace

base::Result<Question> parse_question(std::string_view url) {
  Question out;
  if (url.starts_with("https://")) out.tls = true;
  for (std::string_view scheme : {"https://", "http://"}) {
    if (url.starts_with(scheme)) url.remove_prefix(scheme.size());
  }
  const size_t slash = std::min(url.find_first_of("/?"), url.size());
  out.host = base::lower(std::string(url.substr(0, slash)));
  out.target = std::string(url.substr(slash));
  if (out.target.empty() || out.target[0] != '/') out.target = "/" + out.target;
  out.target = out.target.substr(0, out.target.find('#'));
  if (out.target.find_first_of(" \t\r\n") != std::string::npos || out.host.find_first_of(" \t\r\n@") != std::string::npos) return base::Error(base::Code::kInvalid, "\"" + std::string(url) + "\" is not of the form HOST/PATH");
  return out;
}

json explain(const Table& table, const Question& question, const FindObject& find) {
  const RequestHead head = make_head(question);
  json out = {{"request", {{"method", head.method}, {"url", (question.tls ? "https://" : "http://") + head.authority + head.target}}}};
  std::shared_ptr<const Listener> listener;
  if (find_listener(table, question.tls, &listener) == nullptr) {
    out["answer"] = std::string("refused: nothing listens for ") + (question.tls ? "HTTPS" : "HTTP");
    return out;
  }
  out["listener"] = listener->name;
  out["port"] = listener->port;
  ClientInfo client;
  client.tls = question.tls;
  client.local_port = listener->port;
  client.server_name = std::string(host_of(head.authority));
  const base::Result<std::string> path = normalize_path(head.target);
  if (!path.ok()) {
    out["answer"] = "400: " + path.error().message;
    return out;
  }
  const std::string clean = path->substr(0, path->find('?'));
  const ListenerMatcher matcher(listener);
  const MatchInput input{&head, clean};
  const Matched found = matcher.find(input);
  if (question.tls) out["tls"] = describe_tls(*listener, found.host);
  if (found.host == nullptr) {
    out.update(describe(listener->otherwise));
    out["lost"] = json::array();
    out["hosts"] = hosts_of(*listener);
    out["why"] = "no rule has this host";
    return out;
  }
  out["host"] = {{"name", found.host->name.empty() ? "*" : found.host->name},
                 {"order", found.host->order == VirtualHost::Order::kInOrder ? "regular expressions, the longest path first, case ignored" : "exact paths, then the longest prefix"}};
  if (question.tls && found.host->passthrough != nullptr) {
    out["answer"] = "TLS is passed through to " + found.host->passthrough->name;
    out["backends"] = json::array({describe(*found.host->passthrough)});
    return out;
  }
  out["lost"] = lost_of(matcher.explain(input), found.route);
  if (found.route == nullptr) {
    out.update(describe(found.host->otherwise));
    out["why"] = found.host->name.empty() ? "no rule has this host" : "no rule of this host fits the path";
    if (found.host->name.empty()) out["hosts"] = hosts_of(*listener);
    return out;
  }
  out["rule"] = describe(*found.route);
  out["annotations"] = annotations_of(found.route->origin, find);
  out.update(Story(question, head, client, *found.route, found.captures).tell());
  return out;
}

}  // namespace server::gateway
