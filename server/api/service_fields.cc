#include "server/api/service_fields.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "store/object/access.h"
#include "store/schema/hooks.h"

namespace server {
namespace {

std::string type_of(const json& service) { return store::get_string(service, "spec.type", "ClusterIP"); }

bool same(const json& a, const json& b, const char* path) {
  const json *x = store::find(a, path), *y = store::find(b, path);
  return x && y ? *x == *y : !x && !y;
}
bool same_addresses(const json& a, const json& b) { return same(a, b, "spec.clusterIP") && same(a, b, "spec.clusterIPs"); }

bool is_accessible(const json& service) {
  return service_has_node_ports(service) || (type_of(service) == "ClusterIP" && !store::get_array(service, "spec.externalIPs").empty());
}

std::set<int64_t> node_ports_of(const json& service) {
  std::set<int64_t> out;
  for (const json& port : store::get_array(service, "spec.ports")) {
    if (int64_t n = store::get_int(port, "nodePort")) out.insert(n);
  }
  return out;
}

// By name: the client may have changed everything else of the port.
void keep_node_ports(const json& old, json& service) {
  const std::set<int64_t> had = node_ports_of(old), has = node_ports_of(service);
  std::map<std::string, int64_t> by_name;
  for (const json& port : store::get_array(old, "spec.ports")) by_name[store::get_string(port, "name")] = store::get_int(port, "nodePort");
  if (store::get_array(service, "spec.ports").empty()) return;
  for (json& port : service["spec"]["ports"]) {
    if (!port.is_object() || store::get_int(port, "nodePort") != 0) continue;
    auto at = by_name.find(store::get_string(port, "name"));
    if (at == by_name.end() || at->second == 0 || (had.count(at->second) && has.count(at->second))) continue;
    port["nodePort"] = at->second;
  }
}

base::Error failed(std::vector<base::Cause> causes) {
  base::Error e(base::Code::kInvalid, "");
  e.causes = std::move(causes);
  return e;
}

std::string policy_of(const json& service) { return store::get_string(service, "spec.ipFamilyPolicy"); }
base::Cause policy_cause(const json& service, const char* detail) { return cause_invalid("spec.ipFamilyPolicy", policy_of(service), detail); }

// A service that prefers two stacks is not moved between one and two because the cluster changed.
bool is_settled(const json& old, const json& service) {
  return old.is_object() && type_of(old) == type_of(service) && service_has_addresses(service) && policy_of(service) == "PreferDualStack" &&
         policy_of(old) == "PreferDualStack" && same_addresses(old, service) && same(old, service, "spec.ipFamilies");
}

void default_policy(const json& old, json& service, bool selectorless) {
  if (store::find(service, "spec.ipFamilyPolicy")) return;
  const std::string before = old.is_object() ? policy_of(old) : "";
  // Nobody can say which families somebody else's endpoints will have.
  store::set(service, "spec.ipFamilyPolicy", !before.empty() ? before : selectorless ? "RequireDualStack" : "SingleStack");
}

void trim_to_one(const json& old, json& service, const char* path) {
  const json* list = store::find(service, path);
  if (list && list->is_array() && list->size() > 1 && same(old, service, path)) store::set(service, path, json::array({(*list)[0]}));
}

bool reduced(const json& old, const json& service, const char* path) {
  const size_t now = store::get_array(service, path).size();
  return now != 0 && now < store::get_array(old, path).size();
}

// The policy decides over the lists; an update to SingleStack shortens them.
void check_policy(const json& old, json& service, std::vector<base::Cause>& causes) {
  const bool single = policy_of(service) == "SingleStack";
  if (old.is_object() && single) {
    trim_to_one(old, service, "spec.clusterIPs");
    trim_to_one(old, service, "spec.ipFamilies");
  } else if (old.is_object()) {
    if (reduced(old, service, "spec.clusterIPs")) causes.push_back(policy_cause(service, "must be 'SingleStack' to release the secondary cluster IP"));
    if (reduced(old, service, "spec.ipFamilies")) causes.push_back(policy_cause(service, "must be 'SingleStack' to release the secondary IP family"));
  }
  if (!single) return;
  if (store::get_array(service, "spec.clusterIPs").size() == 2) {
    causes.push_back(policy_cause(service, "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs are specified"));
  }
  if (store::get_array(service, "spec.ipFamilies").size() == 2) {
    causes.push_back(policy_cause(service, "must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified"));
  }
}

bool has_family(const std::vector<base::Family>& cluster, const json& name) {
  return std::any_of(cluster.begin(), cluster.end(), [&](base::Family f) { return name == base::family_name(f); });
}

void infer_families(const std::vector<base::Family>& cluster, const json& service, json& families, std::vector<base::Cause>& causes) {
  const json& ips = store::get_array(service, "spec.clusterIPs");
  for (size_t i = 0; i < ips.size() && ips[i] != "None"; ++i) {
    auto ip = base::Ip::parse(ips[i].get<std::string>());
    if (!ip.ok() || i < families.size()) continue;
    const std::string family = base::family_name(ip->family());
    if (has_family(cluster, family)) families.push_back(family);
    else causes.push_back(cause_invalid("spec.clusterIPs[" + std::to_string(i) + "]", ips, family + " is not configured on this cluster"));
  }
}

void add_other_family(json& families) { families.push_back(families[0] == "IPv4" ? "IPv6" : "IPv4"); }

}  // namespace


bool service_has_addresses(const json& service) { return type_of(service) != "ExternalName"; }
bool service_has_node_ports(const json& service) {
  const std::string type = type_of(service);
  return type == "NodePort" || type == "LoadBalancer";
}
bool service_needs_health_port(const json& service) {
  return type_of(service) == "LoadBalancer" && store::get_string(service, "spec.externalTrafficPolicy") == "Local";
}
bool service_allocates_node_ports(const json& service) {
  const std::string type = type_of(service);
  return type == "NodePort" || (type == "LoadBalancer" && store::get_bool(service, "spec.allocateLoadBalancerNodePorts", true));
}

std::set<base::Ip> service_ips(const json& service) {
  std::set<base::Ip> out;
  if (!service.is_object() || !service_has_addresses(service)) return out;
  auto add = [&](const json& text) {
    if (!text.is_string()) return;
    if (auto ip = base::Ip::parse(text.get_ref<const std::string&>()); ip.ok()) out.insert(*ip);
  };
  add(store::get_string(service, "spec.clusterIP"));
  for (const json& ip : store::get_array(service, "spec.clusterIPs")) add(ip);
  return out;
}

std::set<int> service_node_ports(const json& service) {
  std::set<int> out;
  if (!service.is_object()) return out;
  if (service_has_node_ports(service)) {
    for (int64_t port : node_ports_of(service)) out.insert(static_cast<int>(port));
  }
  if (service_needs_health_port(service)) {
    if (int64_t port = store::get_int(service, "spec.healthCheckNodePort")) out.insert(static_cast<int>(port));
  }
  return out;
}

void keep_allocated(const json& old, json& service) {
  if (service_has_addresses(old) && service_has_addresses(service)) {
    for (const char* path : {"spec.clusterIP", "spec.clusterIPs"}) {
      const json *has = store::find(service, path), *had = store::find(old, path);
      if (had && (!has || has->empty() || *has == "")) store::set(service, path, *had);
    }
  }
  if (service_has_node_ports(old) && service_has_node_ports(service)) keep_node_ports(old, service);
  if (service_needs_health_port(old) && service_needs_health_port(service) && store::get_int(service, "spec.healthCheckNodePort") == 0) {
    if (const json* had = store::find(old, "spec.healthCheckNodePort")) store::set(service, "spec.healthCheckNodePort", *had);
  }
}

void normalize_cluster_ips(const json& old, json& service) {
  const std::string has = store::get_string(service, "spec.clusterIP");
  if (!old.is_object()) {
    if (!has.empty() && store::get_array(service, "spec.clusterIPs").empty()) store::set(service, "spec.clusterIPs", json::array({has}));
    return;
  }
  const std::string had = store::get_string(old, "spec.clusterIP");
  if (has == had) {
    const json* list = store::find(old, "spec.clusterIPs");
    if (list && store::get_array(service, "spec.clusterIPs").empty()) store::set(service, "spec.clusterIPs", *list);
    return;
  }
  if (!same(old, service, "spec.clusterIPs")) return;  // Both were changed: validation compares them.
  if (has.empty()) store::erase(service, "spec.clusterIPs");
  else store::set(service, "spec.clusterIPs", json::array({has}));
}

base::Status init_families(const std::vector<base::Family>& cluster, const json& old, json& service) {
  if (!service_has_addresses(service) || is_settled(old, service)) return {};
  const bool selectorless = store::get_string(service, "spec.clusterIP") == "None" && store::get_object(service, "spec.selector").empty();
  default_policy(old, service, selectorless);
  if (auto causes = store::validate_service_addresses(service, old.is_object() ? &old : nullptr); !causes.empty()) return failed(std::move(causes));
  std::vector<base::Cause> causes;
  check_policy(old, service, causes);
  json families = store::get_array(service, "spec.ipFamilies");
  infer_families(cluster, service, families, causes);
  if (!causes.empty()) return failed(std::move(causes));
  const bool single = policy_of(service) == "SingleStack";
  if (selectorless) {
    if (families.empty()) families.push_back(base::family_name(cluster[0]));
    if (families.size() < 2 && !single) add_other_family(families);
    store::set(service, "spec.ipFamilies", std::move(families));
    return {};
  }
  if (policy_of(service) == "RequireDualStack" && cluster.size() < 2) {
    causes.push_back(policy_cause(service, "this cluster is not configured for dual-stack services"));
  }
  for (size_t i = 0; i < families.size(); ++i) {
    if (!has_family(cluster, families[i])) {
      causes.push_back(cause_invalid("spec.ipFamilies[" + std::to_string(i) + "]", families[i], "not configured on this cluster"));
    }
  }
  if (!causes.empty()) return failed(std::move(causes));
  if (families.empty()) families.push_back(base::family_name(cluster[0]));
  if (!single && families.size() == 1 && cluster.size() == 2) add_other_family(families);
  store::set(service, "spec.ipFamilies", std::move(families));
  return {};
}

void drop_inapplicable(const json& old, json& service) {
  if (!old.is_object()) return;
  auto drop_unchanged = [&](const char* path) {
    if (same(old, service, path)) store::erase(service, path);
  };
  if (service_has_addresses(old) && !service_has_addresses(service)) {
    if (same_addresses(old, service)) {
      store::erase(service, "spec.clusterIP");
      store::erase(service, "spec.clusterIPs");
    }
    drop_unchanged("spec.ipFamilies");
    drop_unchanged("spec.ipFamilyPolicy");
  }
  if (service_has_node_ports(old) && !service_has_node_ports(service)) {
    const std::set<int64_t> had = node_ports_of(old), has = node_ports_of(service);
    if (!has.empty() && std::includes(had.begin(), had.end(), has.begin(), has.end())) {
      for (json& port : service["spec"]["ports"]) store::erase(port, "nodePort");
    }
  }
  const bool balanced = type_of(service) == "LoadBalancer", was_balanced = type_of(old) == "LoadBalancer";
  if (service_needs_health_port(old) && !service_needs_health_port(service)) drop_unchanged("spec.healthCheckNodePort");
  if (was_balanced && !balanced) drop_unchanged("spec.allocateLoadBalancerNodePorts");
  if (was_balanced && !balanced) drop_unchanged("spec.loadBalancerClass");
  if (is_accessible(old) && !is_accessible(service)) drop_unchanged("spec.externalTrafficPolicy");
  // Whoever gave the address out takes it back later; nobody needs to see that.
  if (!balanced && store::find(service, "status.loadBalancer")) store::set(service, "status.loadBalancer", json::object());
}

}  // namespace server
