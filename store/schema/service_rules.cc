// Service: what follows from its type, and what its fields may be together.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/object/label_syntax.h"
#include "store/schema/ip_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr int64_t kMaxAffinitySeconds = 86400;
constexpr const char* kSourceRangesAnnotation = "service.beta.kubernetes.io/load-balancer-source-ranges";
constexpr const char* kTopologyHints = "service.kubernetes.io/topology-aware-hints";
constexpr const char* kTopologyMode = "service.kubernetes.io/topology-mode";
constexpr const char* kOnlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";

constexpr std::string_view kServiceTypes[] = {"ClusterIP", "ExternalName", "LoadBalancer", "NodePort"};
constexpr std::string_view kAffinities[] = {"ClientIP", "None"};
constexpr std::string_view kTrafficPolicies[] = {"Cluster", "Local"};

void check_service_word(const std::string& word, std::span<const std::string_view> known, const std::string& field, Causes& causes) {
  if (std::find(known.begin(), known.end(), word) == known.end()) causes.push_back(cause_not_supported(field, word, known));
}

int64_t number_at(const json& object, std::string_view key) {
  if (!object.is_object()) return 0;
  const auto at = object.find(key);
  return at != object.end() && at->is_number_integer() ? at->get<int64_t>() : 0;
}

bool is_external(const json& spec) {
  const std::string type = string_at(spec, "type");
  return type == "NodePort" || type == "LoadBalancer" || (type == "ClusterIP" && !array_at(spec, "externalIPs").empty());
}
bool needs_health_check(const json& spec) {
  return string_at(spec, "type") == "LoadBalancer" && string_at(spec, "externalTrafficPolicy") == "Local";
}

// Upstream's fields that are no pointers are left out when they say nothing.
void drop_empty_words(json& spec) {
  static constexpr const char* kFields[] = {"clusterIP",   "clusterIPs",     "externalIPs", "externalName", "externalTrafficPolicy", "healthCheckNodePort",
                                            "ipFamilies", "loadBalancerIP", "loadBalancerSourceRanges", "ports", "publishNotReadyAddresses", "selector"};
  for (const char* field : kFields) {
    const auto at = spec.find(field);
    if (at == spec.end()) continue;
    const bool empty = *at == 0 || *at == "" || *at == false || ((at->is_array() || at->is_object()) && at->empty());
    if (empty) spec.erase(at);
  }
}

void default_ports(json& spec) {
  if (array_at(spec, "ports").empty()) return;
  for (json& port : spec["ports"]) {
    if (!port.is_object()) continue;
    const json target = value_at(port, "targetPort");
    if (target.is_null() || target == 0 || target == "") port["targetPort"] = says(port, "port") ? port["port"] : json(0);
    for (const char* key : {"name", "nodePort"}) {
      if (says(port, key) && (port[key] == "" || port[key] == 0)) port.erase(key);
    }
  }
}

void default_affinity(json& spec) {
  const std::string affinity = string_at(spec, "sessionAffinity");
  if (affinity == "None") spec.erase("sessionAffinityConfig");
  if (affinity == "ClientIP" && !says(object_at(object_at(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds")) {
    spec["sessionAffinityConfig"] = {{"clientIP", {{"timeoutSeconds", 10800}}}};
  }
}

void default_ingress_modes(json& tree) {
  if (array_at(object_at(object_at(tree, "status"), "loadBalancer"), "ingress").empty()) return;
  for (json& ingress : tree["status"]["loadBalancer"]["ingress"]) {
    if (ingress.is_object() && !string_at(ingress, "ip").empty() && !says(ingress, "ipMode")) ingress["ipMode"] = "VIP";
  }
}

void check_service_port(const json& port, const std::string& here, bool need_name, std::set<std::string>& names, Causes& causes) {
  const std::string name = string_at(port, "name"), protocol = string_at(port, "protocol");
  if (name.empty() && need_name) causes.push_back(cause_required(here + ".name"));
  if (!name.empty()) {
    add_problem(causes, here + ".name", name, name_problem(name, NameRule::kDnsLabel));
    if (!names.insert(name).second) causes.push_back(cause_duplicate(here + ".name", name));
  }
  add_problem(causes, here + ".port", number_at(port, "port"), port_number_problem(number_at(port, "port")));
  if (protocol.empty()) causes.push_back(cause_required(here + ".protocol"));
  else check_service_word(protocol, kProtocols, here + ".protocol", causes);
  const json target = value_at(port, "targetPort");
  if (target.is_number_integer()) add_problem(causes, here + ".targetPort", target, port_number_problem(target.get<int64_t>()));
  if (target.is_string()) add_problem(causes, here + ".targetPort", target, port_name_problem(target.get_ref<const std::string&>()));
  if (const json app = value_at(port, "appProtocol"); app.is_string()) {
    add_problem(causes, here + ".appProtocol", app, label_key_problem(app.get_ref<const std::string&>()));
  }
}

void check_service_ports(const json& spec, Causes& causes) {
  const json& ports = array_at(spec, "ports");
  std::set<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) check_service_port(ports[i], item("spec", "ports", i), ports.size() > 1, names, causes);
}

// Node ports and ports, each with the protocol, are there once.
void check_port_numbers(const json& spec, Causes& causes) {
  const json& ports = array_at(spec, "ports");
  if (string_at(spec, "type") == "ClusterIP") {
    for (size_t i = 0; i < ports.size(); ++i) {
      if (number_at(ports[i], "nodePort") != 0) {
        causes.push_back(cause_forbidden(item("spec", "ports", i) + ".nodePort", "may not be used when `type` is 'ClusterIP'"));
      }
    }
  }
  std::set<std::pair<std::string, int64_t>> node_ports, numbers;
  for (size_t i = 0; i < ports.size(); ++i) {
    const int64_t node_port = number_at(ports[i], "nodePort");
    if (node_port != 0 && !node_ports.emplace(string_at(ports[i], "protocol"), node_port).second) {
      causes.push_back(cause_duplicate(item("spec", "ports", i) + ".nodePort", node_port));
    }
  }
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string protocol = string_at(ports[i], "protocol");
    const int64_t number = number_at(ports[i], "port");
    if (numbers.emplace(protocol, number).second) continue;
    // Upstream shows the whole of its own struct here, with its own names.
    nlohmann::ordered_json key = {{"Name", ""}, {"Protocol", protocol}, {"AppProtocol", nullptr}, {"Port", number}, {"TargetPort", 0}, {"NodePort", 0}};
    causes.push_back({"FieldValueDuplicate", "Duplicate value: " + key.dump(), item("spec", "ports", i)});
  }
}

void check_service_type(const json& spec, Causes& causes) {
  const std::string type = string_at(spec, "type");
  const json &ports = array_at(spec, "ports"), &addresses = array_at(spec, "clusterIPs");
  if (ports.empty() && !is_headless(addresses) && type != "ExternalName") causes.push_back(cause_required("spec.ports"));
  if (is_headless(addresses) && (type == "LoadBalancer" || type == "NodePort")) {
    causes.push_back(cause_invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for " + type + " services"));
  }
  if (type != "ExternalName") return;
  for (const char* field : {"clusterIPs", "ipFamilies", "ipFamilyPolicy"}) {
    if (says(spec, field)) causes.push_back(cause_forbidden(std::string("spec.") + field, "may not be set for ExternalName services"));
  }
  std::string name = string_at(spec, "externalName");
  if (!name.empty() && name.back() == '.') name.pop_back();
  if (name.empty()) causes.push_back(cause_required("spec.externalName"));
  else add_problem(causes, "spec.externalName", name, name_problem(name, NameRule::kDnsSubdomain));
}

void check_session_affinity(const json& spec, Causes& causes) {
  check_service_word(string_at(spec, "sessionAffinity"), kAffinities, "spec.sessionAffinity", causes);
  if (string_at(spec, "sessionAffinity") != "ClientIP") return;
  const json seconds = value_at(object_at(object_at(spec, "sessionAffinityConfig"), "clientIP"), "timeoutSeconds");
  if (!seconds.is_number_integer()) return;
  if (seconds.get<int64_t>() > 0 && seconds.get<int64_t>() <= kMaxAffinitySeconds) return;
  causes.push_back(cause_invalid("spec.sessionAffinityConfig.clientIP.timeoutSeconds", seconds,
                                 "must be greater than 0 and less than " + std::to_string(kMaxAffinitySeconds)));
}

bool was_there(const json& list, const json& value) { return std::find(list.begin(), list.end(), value) != list.end(); }

// What is stored already may stay, however it is written.
void check_external_ips(const json& spec, const json* before, Causes& causes) {
  const json& list = array_at(spec, "externalIPs");
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_string()) continue;
    const std::string& text = list[i].get_ref<const std::string&>();
    const bool old = before && was_there(array_at(*before, "externalIPs"), list[i]);
    std::string problem = old ? "" : legacy_ip_problem(text);
    if (const auto ip = parse_legacy_ip(text); ip && problem.empty()) problem = special_ip_problem(*ip);
    add_problem(causes, item("spec", "externalIPs", i), list[i], problem);
  }
}

std::string without_space(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

void check_annotated_ranges(const json& tree, const json* old, bool balanced, Causes& causes) {
  const json& annotations = object_at(object_at(tree, "metadata"), "annotations");
  if (!says(annotations, kSourceRangesAnnotation)) return;
  const std::string field = std::string("metadata.annotations[") + kSourceRangesAnnotation + "]";
  if (!balanced) causes.push_back(cause_forbidden(field, kOnlyLoadBalancer));
  const std::string text = string_at(annotations, kSourceRangesAnnotation);
  if (old && string_at(object_at(object_at(*old, "metadata"), "annotations"), kSourceRangesAnnotation) == text) return;
  if (without_space(text).empty()) return;
  for (size_t start = 0; start <= text.size();) {
    const size_t end = std::min(text.find(',', start), text.size());
    const std::string value = without_space(text.substr(start, end - start));
    add_problem(causes, field, value, legacy_cidr_problem(value));
    start = end + 1;
  }
}

void check_source_ranges(const json& tree, const json* old, Causes& causes) {
  const json& spec = object_at(tree, "spec");
  const bool balanced = string_at(spec, "type") == "LoadBalancer";
  const json& ranges = array_at(spec, "loadBalancerSourceRanges");
  if (ranges.empty()) return check_annotated_ranges(tree, old, balanced, causes);
  // With a capital L: so upstream names it.
  if (!balanced) causes.push_back(cause_forbidden("spec.LoadBalancerSourceRanges", kOnlyLoadBalancer));
  std::set<std::string> before;
  if (old) {
    for (const json& range : array_at(object_at(*old, "spec"), "loadBalancerSourceRanges")) before.insert(range.is_string() ? without_space(range.get<std::string>()) : "");
  }
  for (size_t i = 0; i < ranges.size(); ++i) {
    const std::string value = ranges[i].is_string() ? without_space(ranges[i].get<std::string>()) : "";
    if (!before.count(value)) add_problem(causes, item("spec", "LoadBalancerSourceRanges", i), value, legacy_cidr_problem(value));
  }
}

void check_class(const json& spec, Causes& causes) {
  const json name = value_at(spec, "loadBalancerClass");
  if (name.is_null()) return;
  if (string_at(spec, "type") != "LoadBalancer") causes.push_back(cause_forbidden("spec.loadBalancerClass", kOnlyLoadBalancer));
  else if (name.is_string()) add_problem(causes, "spec.loadBalancerClass", name, label_key_problem(name.get_ref<const std::string&>()));
}

// What an update may not change, besides addresses.
void check_service_change(const json& spec, const json& before, Causes& causes) {
  const bool balanced = string_at(spec, "type") == "LoadBalancer" && string_at(before, "type") == "LoadBalancer";
  const json name = value_at(spec, "loadBalancerClass");
  if (balanced && value_at(before, "loadBalancerClass") != name) causes.push_back(cause_invalid("spec.loadBalancerClass", name, "may not change once set"));
  check_class(spec, causes);
  if (needs_health_check(spec) && needs_health_check(before) && number_at(spec, "healthCheckNodePort") != number_at(before, "healthCheckNodePort")) {
    causes.push_back(cause_forbidden("spec.healthCheckNodePort", "field is immutable"));
  }
}

void check_outside(const json& spec, Causes& causes) {
  const std::string policy = string_at(spec, "externalTrafficPolicy");
  if (is_external(spec)) check_service_word(policy, kTrafficPolicies, "spec.externalTrafficPolicy", causes);
  else if (!policy.empty()) causes.push_back(cause_invalid("spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services"));
  const int64_t health = number_at(spec, "healthCheckNodePort");
  if (health == 0) return;
  if (needs_health_check(spec)) return add_problem(causes, "spec.healthCheckNodePort", health, port_number_problem(health));
  causes.push_back(cause_invalid("spec.healthCheckNodePort", health, "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"));
}

void check_traffic(const json& spec, Causes& causes) {
  check_outside(spec, causes);
  if (says(spec, "internalTrafficPolicy")) check_service_word(string_at(spec, "internalTrafficPolicy"), kTrafficPolicies, "spec.internalTrafficPolicy", causes);
  static constexpr std::string_view kDistributions[] = {"PreferClose", "PreferSameZone", "PreferSameNode"};
  if (says(spec, "trafficDistribution")) check_service_word(string_at(spec, "trafficDistribution"), kDistributions, "spec.trafficDistribution", causes);
}

void check_ingress(const json& ingress, const std::string& here, const std::set<std::string>& before, Causes& causes) {
  static constexpr std::string_view kModes[] = {"Proxy", "VIP"};
  const std::string ip = string_at(ingress, "ip"), host = string_at(ingress, "hostname");
  const json mode = value_at(ingress, "ipMode");
  if (!ip.empty() && !before.count(ip)) add_problem(causes, here + ".ip", ip, legacy_ip_problem(ip));
  if (!mode.is_null() && ip.empty()) causes.push_back(cause_forbidden(here + ".ipMode", "may not be specified when `ip` is not set"));
  else if (!mode.is_null() && mode != "VIP" && mode != "Proxy") causes.push_back(cause_not_supported(here + ".ipMode", mode, kModes));
  if (host.empty()) return;
  add_problem(causes, here + ".hostname", host, name_problem(host, NameRule::kDnsSubdomain));
  if (parse_legacy_ip(host)) causes.push_back(cause_invalid(here + ".hostname", host, "must be a DNS name, not an IP address"));
}

const json& ingresses_of(const json& tree) { return array_at(object_at(object_at(tree, "status"), "loadBalancer"), "ingress"); }

void check_status(const json& tree, const json* old, const json& spec, Causes& causes) {
  const json& list = ingresses_of(tree);
  if (list.empty()) return;
  if (string_at(spec, "type") != "LoadBalancer") {
    causes.push_back(cause_forbidden("status.loadBalancer.ingress", "may only be used when `spec.type` is 'LoadBalancer'"));
    return;
  }
  std::set<std::string> before;
  if (old) {
    for (const json& ingress : ingresses_of(*old)) before.insert(string_at(ingress, "ip"));
  }
  for (size_t i = 0; i < list.size(); ++i) check_ingress(list[i], item("status.loadBalancer", "ingress", i), before, causes);
}

void check_hints(const json& annotations, Causes& causes) {
  if (!says(annotations, kTopologyMode) || !says(annotations, kTopologyHints)) return;
  const std::string mode = string_at(annotations, kTopologyMode);
  if (mode == string_at(annotations, kTopologyHints)) return;
  causes.push_back(cause_invalid(std::string("metadata.annotations[") + kTopologyMode + "]", mode,
                                 std::string("must match annotations[") + kTopologyHints + "] when both are specified"));
}

void warn_if(std::vector<std::string>& list, std::string text) {
  if (!text.empty()) list.push_back(std::move(text));
}

}  // namespace

void prepare_service(json& tree) {
  if (!tree.is_object() || object_at(tree, "spec").empty()) return;
  json& spec = tree["spec"];
  drop_empty_words(spec);
  default_ports(spec);
  default_affinity(spec);
  const std::string type = string_at(spec, "type");
  if (is_external(spec) && string_at(spec, "externalTrafficPolicy").empty()) spec["externalTrafficPolicy"] = "Cluster";
  if (type != "ExternalName" && !says(spec, "internalTrafficPolicy")) spec["internalTrafficPolicy"] = "Cluster";
  if (type == "LoadBalancer" && !says(spec, "allocateLoadBalancerNodePorts")) spec["allocateLoadBalancerNodePorts"] = true;
  if (type == "LoadBalancer") default_ingress_modes(tree);
}

std::vector<base::Cause> validate_service(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  const json* before = old ? &object_at(*old, "spec") : nullptr;
  if (before) {
    check_service_address_change(spec, *before, causes);
    check_service_change(spec, *before, causes);
  }
  check_hints(object_at(object_at(tree, "metadata"), "annotations"), causes);
  check_service_type(spec, causes);
  check_service_ports(spec, causes);
  check_labels(object_at(spec, "selector"), "spec.selector", causes);
  check_session_affinity(spec, causes);
  for (base::Cause& cause : validate_service_addresses(tree, old)) causes.push_back(std::move(cause));
  check_external_ips(spec, before, causes);
  check_service_word(string_at(spec, "type"), kServiceTypes, "spec.type", causes);
  check_port_numbers(spec, causes);
  check_source_ranges(tree, old, causes);
  if (string_at(spec, "type") != "LoadBalancer" && says(spec, "allocateLoadBalancerNodePorts")) {
    causes.push_back(cause_forbidden("spec.allocateLoadBalancerNodePorts", kOnlyLoadBalancer));
  }
  check_class(spec, causes);
  check_traffic(spec, causes);
  check_status(tree, old, spec, causes);
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
      if (list[i].is_string()) warn_if(out, warning(item("spec", key, i), list[i].get_ref<const std::string&>()));
    }
  };
  if (says(object_at(object_at(tree, "metadata"), "annotations"), kTopologyHints)) {
    out.push_back("annotation service.kubernetes.io/topology-aware-hints is deprecated, please use service.kubernetes.io/topology-mode instead");
  }
  if (array_at(spec, "clusterIPs").empty()) warn_if(out, legacy_ip_warning("spec.clusterIPs[0]", string_at(spec, "clusterIP")));
  each("clusterIPs", legacy_ip_warning);
  if (headless && says(spec, "loadBalancerIP")) out.push_back("spec.loadBalancerIP is ignored for headless services");
  if (headless && external) out.push_back("spec.externalIPs is ignored for headless services");
  if (headless && string_at(spec, "sessionAffinity") == "ClientIP") out.push_back("spec.SessionAffinity is ignored for headless services");
  each("externalIPs", legacy_ip_warning);
  if (external && !headless && type != "ExternalName") out.push_back("spec.externalIPs is deprecated and may no longer be implemented in some clusters");
  if (const std::string ip = string_at(spec, "loadBalancerIP"); !ip.empty()) warn_if(out, legacy_ip_warning("spec.loadBalancerIP", ip));
  const json& ranges = array_at(spec, "loadBalancerSourceRanges");
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (!ranges[i].is_string()) continue;
    for (std::string& warning : legacy_cidr_warnings(item("spec", "loadBalancerSourceRanges", i), ranges[i].get_ref<const std::string&>())) out.push_back(std::move(warning));
  }
  if (type == "ExternalName" && external) out.push_back("spec.externalIPs is ignored when spec.type is \"ExternalName\"");
  if (type != "ExternalName" && !string_at(spec, "externalName").empty()) out.push_back("spec.externalName is ignored when spec.type is not \"ExternalName\"");
  if (string_at(spec, "trafficDistribution") == "PreferClose") {
    out.push_back("spec.trafficDistribution: \"PreferClose\" is deprecated; use \"PreferSameZone\"");
  }
  return out;
}

}  // namespace store
