#include "server/model/node.h"

#include <nlohmann/json.hpp>

#include "server/model/pod.h"
#include "store/object/access.h"

namespace server {

NodeView project_node(const json& tree) {
  NodeView out;
  out.meta = project_meta(tree);
  if (auto it = out.meta.labels.find("topology.kubernetes.io/zone"); it != out.meta.labels.end()) out.zone = it->second;
  for (const json& address : store::get_array(tree, "status.addresses")) {
    if (store::get_string(address, "type") == "InternalIP") out.internal_ip = store::get_string(address, "address");
  }
  const json* ready = find_condition(tree, "Ready");
  out.ready = ready != nullptr && store::get_string(*ready, "status") == "True";
  out.unschedulable = store::get_bool(tree, "spec.unschedulable");
  for (const json& taint : store::get_array(tree, "spec.taints")) {
    out.taints.push_back({store::get_string(taint, "key"), store::get_string(taint, "value"), store::get_string(taint, "effect")});
  }
  return out;
}

}  // namespace server
