#include "server/model/service.h"

#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server::model {
namespace {

using store::json;

ServiceType parse_type(const std::string& text) {
  if (text == "NodePort") return ServiceType::kNodePort;
  if (text == "LoadBalancer") return ServiceType::kLoadBalancer;
  if (text == "ExternalName") return ServiceType::kExternalName;
  return ServiceType::kClusterIp;
}

// Objects of old hold numbers with zeros in front ("172.30.0.041") and white space around; they mean decimal numbers.
std::string without_leading_zeros(const std::string& text) {
  std::string out;
  bool number_begun = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == ' ' || c == '\t' || c == '\n') continue;
    const bool digit = c >= '0' && c <= '9';
    const bool digit_follows = i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (c == '0' && !number_begun && digit_follows) continue;
    number_begun = digit;
    out += c;
  }
  return out;
}

std::string normalise(const std::string& text) { return text.find(':') == std::string::npos ? without_leading_zeros(text) : text; }

void add_address(std::vector<base::Ip>& out, const std::string& text) {
  auto ip = base::Ip::parse(normalise(text));
  if (ip.ok() && std::find(out.begin(), out.end(), *ip) == out.end()) out.push_back(*ip);
}

void add_range(std::vector<base::Cidr>& out, const std::string& text) {
  std::string trimmed = normalise(text);
  std::erase(trimmed, ' ');
  if (auto range = base::Cidr::parse(trimmed); range.ok()) out.push_back(*range);
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
  const json* annotated = store::find_key(store::get_object(tree, "metadata.annotations"), "service.beta.kubernetes.io/load-balancer-source-ranges");
  if (!service.source_ranges.empty() || annotated == nullptr || !annotated->is_string()) return;
  const std::string all = annotated->get<std::string>();
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
