#include "server/model/service.h"

#include <nlohmann/json.hpp>

#include "store/object/access.h"
#include "store/schema/ip_syntax.h"

namespace server::model {
namespace {

using store::json;

ServiceType parse_type(const std::string& text) {
  if (text == "NodePort") return ServiceType::kNodePort;
  if (text == "LoadBalancer") return ServiceType::kLoadBalancer;
  if (text == "ExternalName") return ServiceType::kExternalName;
  return ServiceType::kClusterIp;
}

// Stored objects may hold what the API took in older days: zeros in front of numbers, white space around prefixes.
void add_address(std::vector<base::Ip>& out, const std::string& text) {
  const std::optional<base::Ip> ip = store::parse_legacy_ip(text);
  if (ip && std::find(out.begin(), out.end(), *ip) == out.end()) out.push_back(*ip);
}

void add_range(std::vector<base::Cidr>& out, const std::string& text) {
  if (auto range = base::Cidr::parse(store::canonical_cidr(text)); range.ok()) out.push_back(*range);
}

void project_external(const json& tree, Service& service) {
  for (const json& ip : store::get_array(tree, "spec.externalIPs")) {
    if (ip.is_string()) add_address(service.external_ips, ip.get<std::string>());
  }
  const bool balanced = service.type == ServiceType::kLoadBalancer;
  service.external_local = store::get_string(tree, "spec.externalTrafficPolicy") == "Local";
  if (!balanced) return;
  for (const json& ingress : store::get_array(tree, "status.loadBalancer.ingress")) {
    if (store::get_string(ingress, "ipMode") != "Proxy") add_address(service.load_balancer_ips, store::get_string(ingress, "ip"));
  }
  for (const json& range : store::get_array(tree, "spec.loadBalancerSourceRanges")) {
    if (range.is_string()) add_range(service.source_ranges, range.get<std::string>());
  }
  if (service.external_local) service.health_check_node_port = static_cast<uint16_t>(store::get_int(tree, "spec.healthCheckNodePort", 0));
  const std::string* annotated = store::find_annotation(tree, "service.beta.kubernetes.io/load-balancer-source-ranges");
  if (!service.source_ranges.empty() || annotated == nullptr) return;
  const std::string& all = *annotated;
  for (size_t at = 0; at <= all.size();) {
    const size_t end = std::min(all.find(',', at), all.size());
    add_range(service.source_ranges, all.substr(at, end - at));
    at = end + 1;
  }
}

constexpr int64_t kDefaultAffinitySeconds = 10800;

}  // namespace

const char* protocol_text(Protocol protocol) {
  switch (protocol) {
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
    case Protocol::kSctp:
      return "sctp";
  }
  return "tcp";
}

Protocol parse_protocol(const std::string& text) {
  if (text == "UDP") return Protocol::kUdp;
  if (text == "SCTP") return Protocol::kSctp;
  return Protocol::kTcp;
}

std::vector<base::Family> service_families(const json& tree) {
  std::vector<base::Family> out;
  for (const json& family : store::get_array(tree, "spec.ipFamilies")) {
    if (family.is_string()) out.push_back(family == "IPv6" ? base::Family::kIpv6 : base::Family::kIpv4);
  }
  const bool v6 = store::get_string(tree, "spec.clusterIP").find(':') != std::string::npos;
  if (out.empty()) out.push_back(v6 ? base::Family::kIpv6 : base::Family::kIpv4);
  return out;
}

Service project_service(const store::Object& object) {
  const json& tree = object.tree();
  Service service;
  service.key = {object.ns(), object.name()};
  service.type = parse_type(store::get_string(tree, "spec.type"));
  for (const json& port : store::get_array(tree, "spec.ports")) {
    ServicePort out;
    out.name = store::get_string(port, "name");
    out.protocol = parse_protocol(store::get_string(port, "protocol"));
    out.port = static_cast<uint16_t>(store::get_int(port, "port"));
    const json* target = store::find(port, "targetPort");
    if (target != nullptr && target->is_number_integer()) out.target_port = std::to_string(target->get<int64_t>());
    if (target != nullptr && target->is_string()) out.target_port = target->get<std::string>();
    if (service.type == ServiceType::kNodePort || service.type == ServiceType::kLoadBalancer) {
      out.node_port = static_cast<uint16_t>(store::get_int(port, "nodePort", 0));
    }
    service.ports.push_back(std::move(out));
  }
  if (service.type == ServiceType::kExternalName) {
    // A clusterIP left over from an earlier type means nothing to an ExternalName.
    service.external_name = store::get_string(tree, "spec.externalName");
    while (service.external_name.ends_with('.')) service.external_name.pop_back();
    return service;
  }
  const std::string cluster_ip = store::get_string(tree, "spec.clusterIP");
  service.headless = cluster_ip == "None";
  if (service.headless) return service;
  add_address(service.cluster_ips, cluster_ip);
  for (const json& ip : store::get_array(tree, "spec.clusterIPs")) {
    if (ip.is_string()) add_address(service.cluster_ips, ip.get<std::string>());
  }
  const json& labels = store::get_object(tree, "metadata.labels");
  for (const char* label : {"service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"}) {
    if (store::find_key(labels, label) != nullptr) service.proxied = false;
  }
  service.internal_local = store::get_string(tree, "spec.internalTrafficPolicy") == "Local";
  if (store::get_string(tree, "spec.sessionAffinity") == "ClientIP") {
    service.affinity = std::chrono::seconds(store::get_int(tree, "spec.sessionAffinityConfig.clientIP.timeoutSeconds", kDefaultAffinitySeconds));
  }
  project_external(tree, service);
  return service;
}

}  // namespace server::model
