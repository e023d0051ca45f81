#include "server/gateway/ingress/hosts.h"

#include <algorithm>

namespace server::gateway {
namespace {

std::string path_key(const std::string& path, bool exact) { return (exact ? "=" : "^") + path; }

const char* type_name(bool exact) { return exact ? "Exact" : "Prefix"; }

std::string rule_field(size_t rule) { return "spec.rules[" + std::to_string(rule) + "]"; }
std::string path_field(size_t rule, size_t path) { return rule_field(rule) + ".http.paths[" + std::to_string(path) + "]"; }

std::string shown(const std::string& host) { return host.empty() ? "any host" : "host " + host; }

bool names_service(const IngressBackend& backend) { return !backend.service.empty(); }

}  // namespace

Hosts::Hosts(Compilation& compilation, Backends& backends, Routes& routes, Certificates& certificates)
    : compilation_(compilation), backends_(backends), routes_(routes), certificates_(certificates) {
  Host& any = host_of("");
  Location& rest = location_of(any, "/", false);
  rest.is_default = true;
}

Hosts::Host& Hosts::host_of(const std::string& name) {
  const auto [it, added] = by_name_.emplace(name, hosts_.size());
  if (added) hosts_.emplace_back().name = name;
  return hosts_[it->second];
}

Hosts::Location& Hosts::location_of(Host& host, const std::string& path, bool exact) {
  const auto [it, added] = host.by_path.emplace(path_key(path, exact), host.locations.size());
  if (added) {
    host.locations.emplace_back();
    host.locations.back().path = path;
    host.locations.back().exact = exact;
  }
  return host.locations[it->second];
}

void Hosts::add(const std::vector<Chosen>& all) {
  for (const Chosen& chosen : all) {
    if (!chosen.settings.canary.enabled) claim(chosen);
  }
  for (const Chosen& chosen : all) {
    if (!chosen.settings.canary.enabled) settle(chosen);
  }
  for (const Chosen& chosen : all) {
    if (chosen.settings.canary.enabled) join_canary(chosen);
    else if (!chosen.settings.aliases.empty()) join_aliases(chosen);
  }
  for (Host& host : hosts_) order(host);
}

// ---- Hosts, and what takes the rest of each ------------------------------------------------------------------------

// A host belongs to the first Ingress that names it: what no rule takes goes to that one's default backend, with its annotations.
void Hosts::claim(const Chosen& chosen) {
  const Ingress& ingress = *chosen.ingress;
  if (ingress.default_backend && ingress.rules.empty()) claim_rest(chosen);
  if (ingress.default_backend && !ingress.default_backend->resource.empty()) {
    compilation_.tell(ingress, "spec.defaultBackend.resource", "ResourceBackend", "The default backend is the resource " + ingress.default_backend->resource + "; only Services can be served. What no rule takes is answered 404.");
  }
  for (size_t i = 0; i < ingress.rules.size(); ++i) {
    const std::string& name = ingress.rules[i].host;
    if (by_name_.contains(name)) continue;
    Host& host = host_of(name);
    host.first = &chosen;
    host.origin = origin_of(ingress, rule_field(i));
    Location& rest = location_of(host, "/", false);
    rest.is_default = true;
    rest.owner = &chosen;
    rest.origin = origin_of(ingress, rule_field(i) + ".host");
    if (ingress.default_backend && names_service(*ingress.default_backend)) {
      rest.backend = &*ingress.default_backend;
      rest.origin = origin_of(ingress, "spec.defaultBackend");
    }
  }
}

// An Ingress with a default backend and no rules takes everything that nobody else does.
void Hosts::claim_rest(const Chosen& chosen) {
  const Ingress& ingress = *chosen.ingress;
  if (!names_service(*ingress.default_backend)) return;
  Host& any = hosts_[0];
  Location& rest = location_of(any, "/", false);
  if (!rest.is_default) {
    return compilation_.tell(ingress, "spec.defaultBackend", "RuleConflict", "Requests that no rule takes belong to Ingress " + rest.owner->ingress->key.text() + " already, which is older; this default backend is not used.");
  }
  rest.is_default = false;
  rest.owner = &chosen;
  rest.backend = &*ingress.default_backend;
  rest.origin = origin_of(ingress, "spec.defaultBackend");
  if (any.first == nullptr) {
    any.first = &chosen;
    any.origin = rest.origin;
  }
}

// ---- Paths --------------------------------------------------------------------------------------------------------------

void Hosts::settle(const Chosen& chosen) {
  for (size_t i = 0; i < chosen.ingress->rules.size(); ++i) {
    Host& host = host_of(chosen.ingress->rules[i].host);
    settle_server(chosen, host);
    settle_rule(chosen, i);
  }
}

void Hosts::settle_rule(const Chosen& chosen, size_t rule) {
  const Ingress& ingress = *chosen.ingress;
  Host& host = host_of(ingress.rules[rule].host);
  if (host.first == nullptr) {
    host.first = &chosen;
    host.origin = origin_of(ingress, rule_field(rule));
  }
  for (size_t i = 0; i < ingress.rules[rule].paths.size(); ++i) {
    const IngressPath& path = ingress.rules[rule].paths[i];
    const std::string field = path_field(rule, i);
    if (!names_service(path.backend)) {
      compilation_.tell(ingress, field + ".backend", "ResourceBackend",
                        path.backend.resource.empty() ? "The backend names no Service; the rule is not used." : "The backend is the resource " + path.backend.resource + "; only Services can be served. The rule is not used.");
      continue;
    }
    // As in ingress-nginx, ImplementationSpecific is Prefix unless the host works by regular expressions.
    const bool exact = path.type == IngressPath::Type::kExact;
    const auto known = host.by_path.find(path_key(path.path, exact));
    if (known != host.by_path.end() && !host.locations[known->second].is_default) {
      const Location& older = host.locations[known->second];
      const bool own = older.owner == &chosen;
      compilation_.tell(ingress, field, "RuleConflict", "Path " + path.path + " (" + type_name(exact) + ") of " + shown(host.name) + " belongs to " + (own ? older.origin.field + " of the same Ingress" : "Ingress " + older.owner->ingress->key.text() + ", which is older,") + " already; this rule is not used.");
      continue;
    }
    Location& location = location_of(host, path.path, exact);
    location.is_default = false;
    location.owner = &chosen;
    location.backend = &path.backend;
    location.origin = origin_of(ingress, field);
  }
}

// What holds for a whole host: the first Ingress that says so decides.
void Hosts::settle_server(const Chosen& chosen, Host& host) {
  const Ingress& ingress = *chosen.ingress;
  if (!host.tls && !ingress.tls.empty() && !host.name.empty()) {
    host.tls = true;
    host.identity = certificates_.for_host(ingress, host.name);
  }
  if (host.ciphers.empty()) host.ciphers = chosen.settings.ciphers;
  if (host.www == nullptr && chosen.settings.rewrite.from_to_www) host.www = &chosen;
  if (host.app_root == nullptr && !chosen.settings.rewrite.app_root.empty()) host.app_root = &chosen;
  if (chosen.settings.annotated) settle_client_auth(chosen, host);
}

void Hosts::settle_client_auth(const Chosen& chosen, Host& host) {
  if (host.client_auth_owner == &chosen) return;
  std::shared_ptr<const ClientAuth> auth = certificates_.client_auth(chosen);
  if (auth == nullptr) return;
  if (host.client_auth != nullptr) {
    if (*auth == *host.client_auth) return;
    return compilation_.tell_annotation(*chosen.ingress, "auth-tls-secret", "AnnotationConflict", "Client certificates of " + shown(host.name) + " are asked for as Ingress " + host.client_auth_owner->ingress->key.text() + " says, which is older; the auth-tls annotations of this one are not used there.");
  }
  host.client_auth = std::move(auth);
  host.client_auth_owner = &chosen;
  host.common_name = chosen.settings.client_tls.match_cn;
  if (host.common_name.empty()) return;
  if (const base::Result<RegexPtr> regex = compilation_.regex(host.common_name, false, true); regex.ok()) host.common_name_regex = *regex;
}

// ---- Canaries ----------------------------------------------------------------------------------------------------------

void Hosts::join_canary(const Chosen& chosen) {
  const Ingress& ingress = *chosen.ingress;
  if (ingress.default_backend && names_service(*ingress.default_backend)) {
    join_canary_path(chosen, hosts_[0], "/", false, *ingress.default_backend, origin_of(ingress, "spec.defaultBackend"));
  }
  for (size_t r = 0; r < ingress.rules.size(); ++r) {
    const IngressRule& rule = ingress.rules[r];
    const auto host = by_name_.find(rule.host);
    for (size_t p = 0; p < rule.paths.size(); ++p) {
      const IngressPath& path = rule.paths[p];
      Origin origin = origin_of(ingress, path_field(r, p));
      if (!names_service(path.backend)) {
        compilation_.tell(std::move(origin), "ResourceBackend", "The backend names no Service; the canary is not used.");
      } else if (host == by_name_.end()) {
        compilation_.tell(std::move(origin), "CanaryWithoutPrimary", "No other Ingress has " + shown(rule.host) + ", so there is nothing that this canary could take from. Make an Ingress without the annotation canary for it.");
      } else {
        join_canary_path(chosen, hosts_[host->second], path.path, path.type == IngressPath::Type::kExact, path.backend, std::move(origin));
      }
    }
  }
}

void Hosts::join_canary_path(const Chosen& chosen, Host& host, const std::string& path, bool exact, const IngressBackend& backend, Origin origin) {
  const auto found = host.by_path.find(path_key(path, exact));
  const bool nobody = found == host.by_path.end() || host.locations[found->second].backend == nullptr || host.locations[found->second].is_default;
  if (nobody) {
    return compilation_.tell(std::move(origin), "CanaryWithoutPrimary", "No other Ingress has path " + path + " (" + type_name(exact) + ") of " + shown(host.name) + ", so there is nothing that this canary could take from. Path and pathType must be the same as there.");
  }
  Location& location = host.locations[found->second];
  if (!location.canaries.empty()) {
    return compilation_.tell(std::move(origin), "CanaryConflict", "Path " + path + " of " + shown(host.name) + " has a canary already, Ingress " + location.canaries[0].chosen->ingress->key.text() + ", which is older; a rule can have one, and this one gets no requests.");
  }
  const Ingress& primary = *location.owner->ingress;
  if (primary.key.ns == chosen.ingress->key.ns && location.backend->service == backend.service && location.backend->port == backend.port) {
    return compilation_.tell(std::move(origin), "CanaryConflict", "The canary leads to the Service and port that Ingress " + primary.key.text() + " leads to anyway; it is not used.");
  }
  location.canaries.push_back({&chosen, &backend, std::move(origin)});
}

// ---- Other names -------------------------------------------------------------------------------------------------------

void Hosts::join_aliases(const Chosen& chosen) {
  for (const IngressRule& rule : chosen.ingress->rules) {
    if (rule.host.empty()) continue;
    Host& host = host_of(rule.host);
    for (const std::string& alias : chosen.settings.aliases) {
      if (alias == rule.host) continue;
      const auto [it, added] = by_name_.emplace(alias, by_name_[rule.host]);
      if (added) {
        host.aliases.push_back(alias);
        continue;
      }
      Host& other = hosts_[it->second];
      if (&other == &host) continue;
      compilation_.tell_annotation(*chosen.ingress, "server-alias", "AliasConflict", "The name " + alias + " is " + (other.name == alias ? "a host" : "an alias of " + shown(other.name)) + " already (Ingress " + other.origin.ns + "/" + other.origin.name + "); it is no alias of " + rule.host + ".");
    }
  }
}

// The longest path first, as nginx's regular expressions are tried; and Exact before Prefix of the same path.
void Hosts::order(Host& host) const {
  std::stable_sort(host.locations.begin(), host.locations.end(), [](const Location& a, const Location& b) {
    if (a.path.size() != b.path.size()) return a.path.size() > b.path.size();
    if (a.path != b.path) return a.path > b.path;
    return a.exact && !b.exact;
  });
  host.by_path.clear();  // Places have changed.
  for (const Location& location : host.locations) {
    if (location.owner == nullptr) continue;
    const RewriteSettings& rewrite = location.owner->settings.rewrite;
    host.regex = host.regex || rewrite.use_regex || (!rewrite.target.empty() && rewrite.target != location.path);
    host.differs_with_tls = host.differs_with_tls || location.owner->prepared->variant_tls.has_value();
  }
}

}  // namespace server::gateway
