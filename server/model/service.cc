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

void add_address(std::vector<base::Ip>& out, const std::string& text) {
  auto ip = base::Ip::parse(text);
  if (ip.ok() && std::find(out.begin(), out.end(), *ip) == out.end()) out.push_back(*ip);
}

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
  return service;
}

}  // namespace server::model
