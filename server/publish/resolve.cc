#include "server/publish/resolve.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server::publish {
namespace {

using store::json;

Resolution waiting(std::string what) { return {std::nullopt, std::move(what)}; }
Resolution leads_to(From from, const base::Ip& ip, uint16_t port) { return {Destination{from, ip, port}, ""}; }

uint16_t number_of(const std::string& port) { return static_cast<uint16_t>(std::atoi(port.c_str())); }
bool is_number(const std::string& port) { return !port.empty() && port[0] >= '0' && port[0] <= '9' && port.find_first_not_of("0123456789") == std::string::npos; }

std::optional<uint16_t> find_port(const json& service, const Spec& spec) {
  for (const json& entry : store::get_array(service, "spec.ports")) {
    if (model::parse_protocol(store::get_string(entry, "protocol")) != spec.host.protocol) continue;
    const auto number = static_cast<uint16_t>(store::get_int(entry, "port"));
    // The API lets no name consist of digits alone.
    if (is_number(spec.target.port) ? number == number_of(spec.target.port) : store::get_string(entry, "name") == spec.target.port) return number;
  }
  return std::nullopt;
}

// The first of the wished family there is; else the first.
std::optional<base::Ip> pick_address(const std::vector<std::string>& texts, base::Family wished) {
  std::optional<base::Ip> first;
  for (const std::string& text : texts) {
    base::Result<base::Ip> ip = base::Ip::parse(text);
    if (!ip.ok()) continue;
    if (ip->family() == wished) return *ip;
    if (!first) first = *ip;
  }
  return first;
}

std::vector<std::string> strings(const json& array, const char* key) {
  std::vector<std::string> out;
  for (const json& entry : array) {
    if (key == nullptr && entry.is_string()) out.push_back(entry.get<std::string>());
    if (key != nullptr && entry.is_object()) out.push_back(store::get_string(entry, key));
  }
  return out;
}

Resolution resolve_service(const Spec& spec, const World& world) {
  const Target& t = spec.target;
  const std::string label = "service " + t.ns + "/" + t.name;
  const store::Object* object = world.find_service(t.ns, t.name);
  if (object == nullptr) return waiting("no " + label);
  const json& tree = object->tree();
  const base::Family wished = spec.host.ip.family();
  const bool load_balancer = t.kind == TargetKind::kLoadBalancer;
  std::optional<base::Ip> ip;
  if (load_balancer) {
    if (store::get_string(tree, "spec.type") != "LoadBalancer") return waiting(label + " is not of type LoadBalancer");
    ip = pick_address(strings(store::get_array(tree, "status.loadBalancer.ingress"), "ip"), wished);
    if (!ip) return waiting(label + " has no load balancer address yet");
  } else {
    if (store::get_string(tree, "spec.type") == "ExternalName") return waiting(label + " is of type ExternalName");
    if (store::get_string(tree, "spec.clusterIP") == "None") return waiting(label + " is headless");
    std::vector<std::string> ips = strings(store::get_array(tree, "spec.clusterIPs"), nullptr);
    ips.push_back(store::get_string(tree, "spec.clusterIP"));
    ip = pick_address(ips, wished);
    if (!ip) return waiting(label + " has no cluster IP yet");
  }
  const std::optional<uint16_t> port = find_port(tree, spec);
  if (!port) return waiting(label + " has no " + (spec.host.protocol == model::Protocol::kUdp ? "UDP" : "TCP") + " port " + t.port);
  return leads_to(load_balancer ? From::kFabric : From::kNode, *ip, *port);
}

const NodeAddress* find_node(const World& world, const std::string& name) {
  auto it = std::find_if(world.nodes.begin(), world.nodes.end(), [&](const NodeAddress& node) { return name.empty() || node.name == name; });
  return it == world.nodes.end() ? nullptr : &*it;
}

Resolution resolve_address(const Spec& spec, const World& world) {
  const base::Ip& ip = spec.target.address;
  const bool inside = std::any_of(world.inside.begin(), world.inside.end(), [&](const base::Cidr& range) { return range.contains(ip); });
  return leads_to(inside ? From::kNode : From::kFabric, ip, number_of(spec.target.port));
}

}  // namespace

std::string Destination::text() const { return (ip.is_v4() ? ip.text() : "[" + ip.text() + "]") + ":" + std::to_string(port); }

Resolution resolve(const Spec& spec, const World& world) {
  const Target& t = spec.target;
  const NodeAddress* node = nullptr;
  switch (t.kind) {
    case TargetKind::kAddress:
      return resolve_address(spec, world);
    case TargetKind::kService:
    case TargetKind::kLoadBalancer:
      return resolve_service(spec, world);
    case TargetKind::kNodePort:
    case TargetKind::kName:
      node = find_node(world, t.name);
      break;
  }
  if (node != nullptr) return leads_to(From::kFabric, node->ip, number_of(t.port));
  return resolve_service(spec, world);
}

bool concerns(const Spec& spec, const std::string& ns, const std::string& name) {
  const TargetKind kind = spec.target.kind;
  return kind != TargetKind::kAddress && kind != TargetKind::kNodePort && spec.target.ns == ns && spec.target.name == name;
}

}  // namespace server::publish
