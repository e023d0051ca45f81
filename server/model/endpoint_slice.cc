#include "server/model/endpoint_slice.h"

#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server::model {
namespace {

using store::json;

Endpoint project_endpoint(const json& tree, base::Family family) {
  Endpoint endpoint;
  for (const json& text : store::get_array(tree, "addresses")) {
    if (!text.is_string()) continue;
    auto ip = base::Ip::parse(text.get<std::string>());
    if (ip.ok() && ip->family() == family) endpoint.addresses.push_back(*ip);
  }
  endpoint.ready = store::get_bool(tree, "conditions.ready", true);
  endpoint.serving = store::get_bool(tree, "conditions.serving", true);
  endpoint.terminating = store::get_bool(tree, "conditions.terminating", false);
  endpoint.hostname = store::get_string(tree, "hostname");
  endpoint.node_name = store::get_string(tree, "nodeName");
  for (const json& zone : store::get_array(tree, "hints.forZones")) endpoint.hint_zones.push_back(store::get_string(zone, "name"));
  for (const json& node : store::get_array(tree, "hints.forNodes")) endpoint.hint_nodes.push_back(store::get_string(node, "name"));
  if (store::get_string(tree, "targetRef.kind") == "Pod") endpoint.pod_name = store::get_string(tree, "targetRef.name");
  return endpoint;
}

}  // namespace

EndpointSlice project_endpoint_slice(const store::Object& object) {
  const json& tree = object.tree();
  EndpointSlice slice;
  slice.name = object.name();
  slice.ns = object.ns();
  if (const std::string* service = store::find_label(tree, "kubernetes.io/service-name")) slice.service = *service;
  const std::string type = store::get_string(tree, "addressType");
  if (type == "IPv4") slice.family = base::Family::kIpv4;
  if (type == "IPv6") slice.family = base::Family::kIpv6;
  for (const json& port : store::get_array(tree, "ports")) {
    EndpointPort out;
    out.name = store::get_string(port, "name");
    out.protocol = parse_protocol(store::get_string(port, "protocol"));
    if (const int64_t number = store::get_int(port, "port", 0); number > 0 && number <= 65535) {
      out.port = static_cast<uint16_t>(number);
    }
    slice.ports.push_back(std::move(out));
  }
  if (!slice.family) return slice;
  for (const json& tree_of_one : store::get_array(tree, "endpoints")) {
    Endpoint endpoint = project_endpoint(tree_of_one, *slice.family);
    if (!endpoint.addresses.empty()) slice.endpoints.push_back(std::move(endpoint));
  }
  return slice;
}

}  // namespace server::model
