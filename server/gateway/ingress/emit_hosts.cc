// Hosts, the second part: what was settled, as a table has it.
#include <algorithm>

#include "server/gateway/ingress/hosts.h"
#include "server/gateway/ingress/values.h"
#include "server/gateway/policy/template.h"

namespace server::gateway {
namespace {

const std::shared_ptr<const Policy>& usual_policy(const ControllerConfig& config, std::shared_ptr<const Policy>& kept) {
  if (kept == nullptr) {
    auto made = std::make_shared<Policy>();
    made->hsts = config.hsts;
    made->hsts_value = config.hsts_value();
    kept = std::move(made);
  }
  return kept;
}

}  // namespace

// example.com: www.example.com comes back to it, and the other way round.
void Hosts::plan() {
  for (const Host& host : hosts_) {
    places_.push_back({host.name, &host, false});
    if (host.www == nullptr || host.name.empty() || host.name.starts_with("*.")) continue;
    std::string from = host.name.starts_with("www.") ? host.name.substr(4) : "www." + host.name;
    if (by_name_.contains(from)) {
      compilation_.tell_annotation(*host.www->ingress, "from-to-www-redirect", "AliasConflict", "Host " + from + " has rules of its own; it is not redirected to " + host.name + ".");
    } else {
      places_.push_back({std::move(from), &host, true});
    }
  }
  std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) { return a.name.empty() != b.name.empty() ? b.name.empty() : a.name < b.name; });
}

std::vector<VirtualHost> Hosts::emit() {
  plan();
  std::vector<VirtualHost> out(places_.size());
  for (size_t i = 0; i < places_.size(); ++i) {
    if (places_[i].www) emit_www(places_[i], out[i]);
    else emit_host(*places_[i].host, out[i]);
  }
  return out;
}

std::vector<VirtualHost> Hosts::emit_tls(const std::vector<VirtualHost>& plain) {
  std::vector<VirtualHost> out = plain;
  for (size_t i = 0; i < places_.size(); ++i) {
    const Host& host = *places_[i].host;
    VirtualHost& to = out[i];
    if (places_[i].www) {
      if (certificates_.covers(host.identity, to.name)) to.identity = host.identity;
      continue;
    }
    to.identity = host.identity;
    to.ciphers = host.ciphers;
    to.passthrough = passthrough_of(host);
    if (host.differs_with_tls) emit_routes(host, true, to);
  }
  return out;
}

Action Hosts::otherwise() const {
  const UpstreamPtr upstream = routes_.default_backend();
  if (upstream == nullptr) return Reply{};
  Forward forward;
  forward.backends.push_back({upstream});
  return forward;
}

void Hosts::emit_host(const Host& host, VirtualHost& out) {
  out.name = host.name;
  out.aliases = host.aliases;
  out.origin = host.origin;
  out.order = host.regex ? VirtualHost::Order::kInOrder : VirtualHost::Order::kMostSpecific;
  if (routes_.default_backend() != nullptr) out.otherwise = otherwise();
  out.client_auth = host.client_auth;
  emit_routes(host, false, out);
}

void Hosts::emit_routes(const Host& host, bool tls, VirtualHost& out) {
  out.routes.clear();
  out.routes.reserve(host.locations.size() + (host.app_root != nullptr ? 1 : 0));
  if (host.app_root != nullptr) emit_app_root(host, out);
  for (const Location& location : host.locations) {
    if (!emit_location(host, location, tls, out.routes.emplace_back())) out.routes.pop_back();
  }
}

// Before all else, for exactly "/".
void Hosts::emit_app_root(const Host& host, VirtualHost& out) const {
  std::shared_ptr<const Policy> policy;
  const RewriteSettings& rewrite = host.app_root->settings.rewrite;
  Route route;
  route.match.path = {PathKind::kExact, "/", nullptr};
  route.policy = usual_policy(compilation_.config, policy);
  Redirect to{302, rewrite.relative ? Template::literal(rewrite.app_root) : *Template::parse("$scheme://$http_host" + rewrite.app_root), rewrite.relative, false};
  route.redirect = to;
  route.action = to;
  route.origin = origin_of(*host.app_root->ingress, "metadata.annotations[" + compilation_.key_of("app-root") + "]");
  route.location_path = "/";
  out.routes.push_back(std::move(route));
}

void Hosts::emit_www(const Place& place, VirtualHost& out) const {
  const Host& host = *place.host;
  out.name = place.name;
  out.origin = origin_of(*host.www->ingress, "metadata.annotations[" + compilation_.key_of("from-to-www-redirect") + "]");
  // The API server lets no host in that is no template; should one come, it is answered as an unknown one.
  const base::Result<TemplatePtr> location = Template::parse("$scheme://" + host.name + "$request_uri_without_slash");
  if (location.ok()) out.otherwise = Redirect{compilation_.config.redirect_code, *location, false, false};
}

UpstreamPtr Hosts::passthrough_of(const Host& host) {
  if (host.first == nullptr || !host.first->settings.passthrough || host.name.empty()) return nullptr;
  const std::string name = "ssl-passthrough";
  if (!compilation_.options.passthrough) {
    compilation_.tell_annotation(*host.first->ingress, name, "AnnotationUnsupported", "Annotation " + compilation_.key_of(name) + " counts only when the controller runs with --enable-ssl-passthrough.");
    return nullptr;
  }
  for (const Location& location : host.locations) {
    if (location.path != "/" || location.backend == nullptr) continue;
    Variant variant;
    variant.cluster_ip = true;
    variant.suffix = " passthrough";
    return upstream_of(*location.owner, *location.backend, variant, location.origin);
  }
  compilation_.tell_annotation(*host.first->ingress, name, "AnnotationIncomplete", "Annotation " + compilation_.key_of(name) + " needs a rule for path / of host " + host.name + ", whose Service gets the connections; TLS is ended here.");
  return nullptr;
}

UpstreamPtr Hosts::upstream_of(const Chosen& chosen, const IngressBackend& backend, const Variant& variant, const Origin& origin) {
  const Backends::Found& found = backends_.service({chosen.ingress->key.ns, backend.service}, backend.port, variant);
  if (!found.reason.empty()) compilation_.tell(origin, found.reason, found.message);
  return found.upstream;
}

bool Hosts::emit_match(const Host& host, const Location& location, Match& out) {
  if (!host.regex) {
    std::string value = location.path;
    // "/a/" and "/a" are the same prefix.
    while (!location.exact && value.size() > 1 && value.back() == '/') value.pop_back();
    out.path = {location.exact ? PathKind::kExact : PathKind::kPrefix, std::move(value), nullptr};
    return true;
  }
  const base::Result<RegexPtr> regex = compilation_.regex(location.path, true, true);
  if (!regex.ok()) {
    compilation_.tell(location.origin, "PathInvalid", "Path " + location.path + " of " + host.name + " is no regular expression, which all paths of the host are because of use-regex or rewrite-target: " + regex.error().message + ". The rule is not used.");
    return false;
  }
  out.path = {PathKind::kRegex, location.path, *regex};
  return true;
}

bool Hosts::emit_location(const Host& host, const Location& location, bool tls, Route& out) {
  if (location.owner == nullptr) return false;  // The listener's `otherwise` says the same.
  const Settings& settings = location.owner->settings;
  const Prepared& prepared = *location.owner->prepared;
  // Without anything to do on the way, the rest of a host needs no route.
  const bool to_tls = settings.rewrite.force_ssl_redirect || (settings.rewrite.ssl_redirect && host.tls && !host.name.empty());
  if (location.is_default && location.backend == nullptr && !to_tls && !settings.annotated && !settings.closed) return false;
  if (!emit_match(host, location, out.match)) return false;
  const std::vector<std::string>& open = compilation_.config.no_auth_paths;
  const bool is_open = std::any_of(open.begin(), open.end(), [&](const std::string& path) { return location.path.starts_with(path); });
  out.policy = is_open ? prepared.open_policy : prepared.policy;
  if (!host.common_name.empty()) out.policy = routes_.with_common_name(out.policy, host.common_name, host.common_name_regex);
  out.origin = location.origin;
  out.location_path = location.path;
  if (prepared.closed) {
    out.action = Reply{503, "text/html", ""};
    return true;
  }
  if (prepared.elsewhere) {
    out.redirect = prepared.elsewhere;
    out.action = *prepared.elsewhere;
    return true;
  }
  if (to_tls) out.redirect = prepared.to_tls;
  if (location.backend == nullptr && routes_.default_backend() == nullptr) out.action = Reply{};
  else out.action = emit_forward(location, tls);
  return true;
}

Forward Hosts::emit_forward(const Location& location, bool tls) {
  const Settings& settings = location.owner->settings;
  const Prepared& prepared = *location.owner->prepared;
  const Variant& variant = tls && prepared.variant_tls ? *prepared.variant_tls : prepared.variant;
  Forward out = prepared.forward;
  Backend main;
  main.upstream = location.backend == nullptr ? routes_.default_backend() : upstream_of(*location.owner, *location.backend, variant, location.origin);
  out.backends.push_back(std::move(main));
  if (prepared.target != nullptr && settings.rewrite.target != location.path) {
    if (base::Result<RegexPtr> regex = compilation_.regex(location.path, true, false); regex.ok()) {
      out.rewrite = Rewrite{Rewrite::Kind::kRegex, *regex, prepared.target, ""};
      if (!settings.rewrite.forwarded_prefix.empty()) out.request_headers.push_back({HeaderChange::Kind::kSet, "X-Forwarded-Prefix", Template::literal(settings.rewrite.forwarded_prefix)});
    }
  }
  for (const Taker& taker : location.canaries) {
    const CanarySettings& from = taker.chosen->settings.canary;
    Canary canary;
    canary.header = from.header;
    canary.header_value = from.header_value;
    canary.header_pattern = from.pattern;
    canary.cookie = from.cookie;
    canary.weight = std::min(from.weight, from.weight_total);
    canary.weight_total = from.weight_total;
    canary.sticky = taker.chosen->settings.affinity.sticky_canary;
    canary.origin = canary.backend.origin = taker.origin;
    // Spoken to as the rule's own Service is; chosen among as the canary says.
    Variant of_canary = variant;
    const Variant& own = taker.chosen->prepared->variant;
    of_canary.balance = own.balance;
    of_canary.hash_by = own.hash_by;
    of_canary.hash_subset = own.hash_subset;
    of_canary.suffix += own.balance == Balance::kRoundRobin ? "" : own.suffix;
    canary.backend.upstream = upstream_of(*taker.chosen, *taker.backend, of_canary, taker.origin);
    out.canaries.push_back(std::move(canary));
  }
  return out;
}

}  // namespace server::gateway
