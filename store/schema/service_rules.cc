// Service: what follows from its type, and what its fields may be together.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/object/label_syntax.h"
#include "store/schema/ip_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr int64_t kKubeletPort = 10250;
constexpr int64_t kMaxAffinitySeconds = 86400;
constexpr const char* kSourceRangesAnnotation = "service.beta.kubernetes.io/load-balancer-source-ranges";
constexpr const char* kOnlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";

bool has(const json& object, std::string_view key) { return object.is_object() && object.contains(key); }
int64_t int_at(const json& object, std::string_view key) {
  if (!object.is_object()) return 0;
  const auto at = object.find(key);
  return at != object.end() && at->is_number_integer() ? at->get<int64_t>() : 0;
}
json value_at(const json& object, std::string_view key) { return has(object, key) ? *object.find(key) : json(); }

bool is_external(const json& spec) {
  const std::string type = string_at(spec, "type");
  return type == "NodePort" || type == "LoadBalancer" || (type == "ClusterIP" && !array_at(spec, "externalIPs").empty());
}
bool needs_health_check(const json& spec) {
  return string_at(spec, "type") == "LoadBalancer" && string_at(spec, "externalTrafficPolicy") == "Local";
}

// Upstream's fields that are no pointers are left out when they say nothing.
void drop_empty(json& spec) {
  static constexpr const char* kFields[] = {"clusterIP",   "clusterIPs",     "externalIPs", "externalName", "externalTrafficPolicy", "healthCheckNodePort",
                                            "ipFamilies", "loadBalancerIP", "loadBalancerSourceRanges", "ports", "publishNotReadyAddresses", "selector"};
  for (const char* field : kFields) {
    const auto at = spec.find(field);
    if (at == spec.end()) continue;
    const bool empty = *at == 0 || *at == "" || *at == false || ((at->is_array() || at->is_object()) && at->empty());
    if (empty) spec.erase(at);
  }
}

void rewrite_each(json& spec, const char* key, std::string (*rewrite)(const std::string&)) {
  const auto at = spec.find(key);
  if (at == spec.end()) return;
  if (at->is_string()) *at = rewrite(at->get_ref<const std::string&>());
  if (!at->is_array()) return;
  for (json& value : *at) {
    if (value.is_string()) value = rewrite(value.get_ref<const std::string&>());
  }
}

// One text an address from here on: who computes with a Service need not know the old forms.
void canonicalize(json& spec) {
  for (const char* key : {"clusterIP", "clusterIPs", "externalIPs", "loadBalancerIP"}) rewrite_each(spec, key, canonical_ip);
  rewrite_each(spec, "loadBalancerSourceRanges", canonical_cidr);
}

void default_ports(json& spec) {
  if (array_at(spec, "ports").empty()) return;
  for (json& port : spec["ports"]) {
    if (!port.is_object()) continue;
    const json target = value_at(port, "targetPort");
    if (target.is_null() || target == 0 || target == "") port["targetPort"] = has(port, "port") ? port["port"] : json(0);
    for (const char* key : {"name", "nodePort"}) {
      if (has(port, key) && (port[key] == "" || port[key] == 0)) port.erase(key);
    }
  }
}

void default_affinity(json& spec) {
  const std::string affinity = string_at(spec, "sessionAffinity");
  if (affinity == "None") spec.erase("sessionAffinityConfig");
  if (affinity == "ClientIP" && !has(object_at(object_at(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds")) {
    spec["sessionAffinityConfig"] = {{"clientIP", {{"timeoutSeconds", 10800}}}};
  }
}

void default_ingress_modes(json& tree) {
  if (array_at(object_at(object_at(tree, "status"), "loadBalancer"), "ingress").empty()) return;
  for (json& ingress : tree["status"]["loadBalancer"]["ingress"]) {
    if (ingress.is_object() && !string_at(ingress, "ip").empty() && !has(ingress, "ipMode")) ingress["ipMode"] = "VIP";
  }
}

void check_port(const json& port, const std::string& here, bool need_name, std::set<std::string>& names, Causes& causes) {
  const std::string name = string_at(port, "name");
  if (name.empty() && need_name) causes.push_back(cause_required(here + ".name"));
  if (!name.empty()) {
    add_problem(causes, here + ".name", name, name_problem(name, NameRule::kDnsLabel));
    if (!names.insert(name).second) causes.push_back(cause_duplicate(here + ".name", name));
  }
  // The schema checks the range of a port that is there.
  if (!has(port, "port")) causes.push_back(cause_invalid(here + ".port", 0, port_number_problem(0)));
  const json target = value_at(port, "targetPort");
  if (target.is_number_integer()) add_problem(causes, here + ".targetPort", target, port_number_problem(target.get<int64_t>()));
  if (target.is_string()) add_problem(causes, here + ".targetPort", target, port_name_problem(target.get_ref<const std::string&>()));
  if (const json protocol = value_at(port, "appProtocol"); protocol.is_string()) {
    add_problem(causes, here + ".appProtocol", protocol, label_key_problem(protocol.get_ref<const std::string&>()));
  }
}

void check_ports(const json& spec, Causes& causes) {
  const json& ports = array_at(spec, "ports");
  std::set<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) check_port(ports[i], item("spec", "ports", i), ports.size() > 1, names, causes);
}

// Node ports and ports, each with the protocol, are there once.
void check_port_numbers(const json& spec, Causes& causes) {
  const json& ports = array_at(spec, "ports");
  if (string_at(spec, "type") == "ClusterIP") {
    for (size_t i = 0; i < ports.size(); ++i) {
      if (int_at(ports[i], "nodePort") != 0) {
        causes.push_back(cause_forbidden(item("spec", "ports", i) + ".nodePort", "may not be used when `type` is 'ClusterIP'"));
      }
    }
  }
  std::set<std::pair<std::string, int64_t>> node_ports, numbers;
  for (size_t i = 0; i < ports.size(); ++i) {
    const int64_t node_port = int_at(ports[i], "nodePort");
    if (node_port != 0 && !node_ports.emplace(string_at(ports[i], "protocol"), node_port).second) {
      causes.push_back(cause_duplicate(item("spec", "ports", i) + ".nodePort", node_port));
    }
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string protocol = string_at(ports[i], "protocol");
    const int64_t number = int_at(ports[i], "port");
    if (numbers.emplace(protocol, number).second) continue;
    // Upstream shows the whole of its own struct here, with its own names.
    nlohmann::ordered_json key = {{"Name", ""}, {"Protocol", protocol}, {"AppProtocol", nullptr}, {"Port", number}, {"TargetPort", 0}, {"NodePort", 0}};
    causes.push_back({"FieldValueDuplicate", "Duplicate value: " + key.dump(), item("spec", "ports", i)});
  }
}

void check_type(const json& spec, Causes& causes) {
  const std::string type = string_at(spec, "type");
  const json &ports = array_at(spec, "ports"), &addresses = array_at(spec, "clusterIPs");
  if (ports.empty() && !is_headless(addresses) && type != "ExternalName") causes.push_back(cause_required("spec.ports"));
  if (type == "LoadBalancer") {
    for (size_t i = 0; i < ports.size(); ++i) {
      if (int_at(ports[i], "port") != kKubeletPort) continue;
      const std::string detail = "may not expose port " + std::to_string(kKubeletPort) + " externally since it is used by kubelet";
      causes.push_back(cause_invalid(item("spec", "ports", i), kKubeletPort, detail));
    }
  }
  if (is_headless(addresses) && (type == "LoadBalancer" || type == "NodePort")) {
    causes.push_back(cause_invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for " + type + " services"));
  }
  if (type != "ExternalName") return;
  for (const char* field : {"clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
    if (has(spec, field)) causes.push_back(cause_forbidden(std::string("spec.") + field, "may not be set for ExternalName services"));
  }
  std::string name = string_at(spec, "externalName");
  if (!name.empty() && name.back() == '.') name.pop_back();
  if (name.empty()) causes.push_back(cause_required("spec.externalName"));
  else add_problem(causes, "spec.externalName", name, name_problem(name, NameRule::kDnsSubdomain));
}

void check_affinity(const json& spec, Causes& causes) {
  if (string_at(spec, "sessionAffinity") != "ClientIP") return;
  const json seconds = value_at(object_at(object_at(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds");
  if (!seconds.is_number_integer()) return;
  if (seconds.get<int64_t>() > 0 && seconds.get<int64_t>() <= kMaxAffinitySeconds) return;
  causes.push_back(cause_invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds,
                                 "must be greater than 0 and less than " + std::to_string(kMaxAffinitySeconds)));
}

void check_external_ips(const json& spec, Causes& causes) {
  const json& list = array_at(spec, "externalIPs");
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_string()) continue;
    const auto ip = parse_legacy_ip(list[i].get_ref<const std::string&>());
    add_problem(causes, item("spec", "externalIPs", i), list[i], ip ? special_ip_problem(*ip) : std::string(kBadIp));
  }
}

void check_source_ranges(const json& tree, const json& spec, Causes& causes) {
  const bool balanced = string_at(spec, "type") == "LoadBalancer";
  const json& ranges = array_at(spec, "loadBalancerSourceRanges");
  if (!ranges.empty()) {
    // With a capital L: so upstream names it.
    if (!balanced) causes.push_back(cause_forbidden("spec.LoadBalancerSourceRanges", kOnlyLoadBalancer));
    for (size_t i = 0; i < ranges.size(); ++i) {
      if (ranges[i].is_string() && !parse_legacy_cidr(canonical_cidr(ranges[i].get_ref<const std::string&>()))) {
        causes.push_back(cause_invalid(item("spec", "LoadBalancerSourceRanges", i), ranges[i], std::string(kBadCidr)));
      }
    }
    return;
  }
  const json& annotations = object_at(object_at(tree, "metadata"), "annotations");
  if (!has(annotations, kSourceRangesAnnotation)) return;
  const std::string field = std::string("metadata.annotations[") + kSourceRangesAnnotation + "]";
  if (!balanced) causes.push_back(cause_forbidden(field, kOnlyLoadBalancer));
  const std::string text = string_at(annotations, kSourceRangesAnnotation);
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    std::string value = text.substr(start, end - start);
    value.erase(0, value.find_first_not_of(" \t\r\n"));
    value.erase(value.find_last_not_of(" \t\r\n") + 1);
    if (!parse_legacy_cidr(value)) causes.push_back(cause_invalid(field, value, std::string(kBadCidr)));
    start = end + 1;
  }
}

void check_load_balancer(const json& spec, const json* before, Causes& causes) {
  const bool balanced = string_at(spec, "type") == "LoadBalancer";
  if (!balanced && has(spec, "allocateLoadBalancerNodePorts")) {
    causes.push_back(cause_forbidden("spec.allocateLoadBalancerNodePorts", kOnlyLoadBalancer));
  }
  const json name = value_at(spec, "loadBalancerClass");
  if (before && balanced && string_at(*before, "type") == "LoadBalancer" && value_at(*before, "loadBalancerClass") != name) {
    causes.push_back(cause_invalid("spec.loadBalancerClass", name, "may not change once set"));
  }
  if (name.is_null()) return;
  if (!balanced) causes.push_back(cause_forbidden("spec.loadBalancerClass", kOnlyLoadBalancer));
  else if (name.is_string()) add_problem(causes, "spec.loadBalancerClass", name, label_key_problem(name.get_ref<const std::string&>()));
}

void check_traffic(const json& spec, const json* before, Causes& causes) {
  const std::string policy = string_at(spec, "externalTrafficPolicy");
  if (!policy.empty() && !is_external(spec)) {
    causes.push_back(cause_invalid("spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services"));
  }
  const int64_t health = int_at(spec, "healthCheckNodePort");
  if (health != 0 && !needs_health_check(spec)) {
    causes.push_back(cause_invalid("spec.healthCheckNodePort", health,
                                   "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"));
  }
  if (before && needs_health_check(spec) && needs_health_check(*before) && health != int_at(*before, "healthCheckNodePort")) {
    causes.push_back(cause_forbidden("spec.healthCheckNodePort", "field is immutable"));
  }
  static constexpr std::string_view kInternal[] = {"Cluster", "Local"};
  if (string_at(spec, "internalTrafficPolicy").empty() && string_at(spec, "type") != "ExternalName" && has(spec, "internalTrafficPolicy")) {
    causes.push_back(cause_not_supported("spec.internalTrafficPolicy", "", kInternal));
  }
  static constexpr std::string_view kDistributions[] = {"PreferClose", "PreferSameNode", "PreferSameZone"};
  const json distribution = value_at(spec, "trafficDistribution");
  if (distribution.is_string() && std::find(std::begin(kDistributions), std::end(kDistributions), distribution.get_ref<const std::string&>()) == std::end(kDistributions)) {
    causes.push_back(cause_not_supported("spec.trafficDistribution", distribution, kDistributions));
  }
}

void check_ingress(const json& ingress, const std::string& here, Causes& causes) {
  static constexpr std::string_view kModes[] = {"Proxy", "VIP"};
  const std::string ip = string_at(ingress, "ip"), host = string_at(ingress, "hostname");
  const json mode = value_at(ingress, "ipMode");
  if (!ip.empty() && !parse_legacy_ip(ip)) causes.push_back(cause_invalid(here + ".ip", ip, std::string(kBadIp)));
  if (!mode.is_null() && ip.empty()) causes.push_back(cause_forbidden(here + ".ipMode", "may not be specified when `ip` is not set"));
  else if (!mode.is_null() && mode != "VIP" && mode != "Proxy") causes.push_back(cause_not_supported(here + ".ipMode", mode, kModes));
  if (host.empty()) return;
  add_problem(causes, here + ".hostname", host, name_problem(host, NameRule::kDnsSubdomain));
  if (parse_legacy_ip(host)) causes.push_back(cause_invalid(here + ".hostname", host, "must be a DNS name, not an IP address"));
}

void check_status(const json& tree, const json& spec, Causes& causes) {
  const json& list = array_at(object_at(object_at(tree, "status"), "loadBalancer"), "ingress");
  if (list.empty()) return;
  if (string_at(spec, "type") != "LoadBalancer") {
    causes.push_back(cause_forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'"));
    return;
  }
  for (size_t i = 0; i < list.size(); ++i) check_ingress(list[i], item("status.loadBalancer", "ingress", i), causes);
}

void add_if(std::vector<std::string>& list, std::string text) {
  if (!text.empty()) list.push_back(std::move(text));
}

}  // namespace

void prepare_service(json& tree) {
  if (!tree.is_object() || object_at(tree, "spec").empty()) return;
  json& spec = tree["spec"];
  drop_empty(spec);
  canonicalize(spec);
  default_ports(spec);
  default_affinity(spec);
  const std::string type = string_at(spec, "type");
  if (is_external(spec) && string_at(spec, "externalTrafficPolicy").empty()) spec["externalTrafficPolicy"] = "Cluster";
  if (type != "ExternalName" && !has(spec, "internalTrafficPolicy")) spec["internalTrafficPolicy"] = "Cluster";
  if (type == "LoadBalancer" && !has(spec, "allocateLoadBalancerNodePorts")) spec["allocateLoadBalancerNodePorts"] = true;
  if (type == "LoadBalancer") default_ingress_modes(tree);
}

std::vector<base::Cause> validate_service(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  const json* before = old ? &object_at(*old, "spec") : nullptr;
  if (before) check_service_address_change(spec, *before, causes);
  check_type(spec, causes);
  check_ports(spec, causes);
  check_labels(object_at(spec, "selector"), "spec.selector", causes);
  check_affinity(spec, causes);
  for (base::Cause& cause : validate_service_addresses(tree)) causes.push_back(std::move(cause));
  check_external_ips(spec, causes);
  check_port_numbers(spec, causes);
  check_source_ranges(tree, spec, causes);
  check_load_balancer(spec, before, causes);
  check_traffic(spec, before, causes);
  check_status(tree, spec, causes);
  return causes;
}

std::vector<std::string> service_warnings(const json& tree) {
  std::vector<std::string> out;
  const json& spec = object_at(tree, "spec");
  const std::string type = string_at(spec, "type").empty() ? "ClusterIP" : string_at(spec, "type");
  const bool headless = type == "ClusterIP" && string_at(spec, "clusterIP") == "None";
  const bool external = !array_at(spec, "externalIPs").empty();
  auto each = [&](const char* key, std::string (*warning)(const std::string&, const std::string&)) {
    const json& list = array_at(spec, key);
    for (size_t i = 0; i < list.size(); ++i) {
      if (list[i].is_string()) add_if(out, warning(item("spec", key, i), list[i].get_ref<const std::string&>()));
    }
  };
  if (has(object_at(object_at(tree, "metadata"), "annotations"), "service.kubernetes.io/topology-aware-hints")) {
    out.push_back("annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead");
  }
  if (array_at(spec, "clusterIPs").empty()) add_if(out, legacy_ip_warning("spec.clusterIPs[0]", string_at(spec, "clusterIP")));
  each("clusterIPs", legacy_ip_warning);
  if (headless && has(spec, "loadBalancerIP")) out.push_back("spec.loadBalancerIP is ignored for headless services");
  if (headless && external) out.push_back("spec.externalIPs is ignored for headless services");
  if (headless && string_at(spec, "sessionAffinity") == "ClientIP") out.push_back("spec.SessionAffinity is ignored for headless services");
  each("externalIPs", legacy_ip_warning);
  if (external && !headless && type != "ExternalName") out.push_back("spec.externalIPs is deprecated and may no longer be implemented in some clusters");
  if (const std::string ip = string_at(spec, "loadBalancerIP"); !ip.empty()) add_if(out, legacy_ip_warning("spec.loadBalancerIP", ip));
  each("loadBalancerSourceRanges", legacy_cidr_warning);
  if (type == "ExternalName" && external) out.push_back("spec.externalIPs is ignored when spec.type is \"ExternalName\"");
  if (type != "ExternalName" && !string_at(spec, "externalName").empty()) out.push_back("spec.externalName is ignored when spec.type is not \"ExternalName\"");
  if (string_at(spec, "trafficDistribution") == "PreferClose") {
    out.push_back("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"");
  }
  return out;
}

}  // namespace store
