#include "server/model/replica_set.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {

store::LabelSelector selector_of(const json& tree) {
  store::LabelSelector nothing;
  nothing.nothing = true;
  const json* selector = store::find(tree, "spec.selector");
  if (selector == nullptr || !selector->is_object() || selector->empty()) return nothing;
  if (store::get_string(tree, "kind") == "ReplicationController") return store::LabelSelector::from_map(store::get_string_map(tree, "spec.selector"));
  auto parsed = store::LabelSelector::from_json(*selector);
  if (!parsed.ok() || parsed->empty()) return nothing;
  return *parsed;
}

const json& ReplicaSet::pod_template() const { return store::get_object(object.tree(), "spec.template"); }

ReplicaSet project_replica_set(const store::Object& object) {
  const json& tree = object.tree();
  ReplicaSet out;
  out.object = object;
  out.meta = project_meta(tree);
  out.replicas = store::get_int(tree, "spec.replicas", 1);
  out.min_ready = std::chrono::seconds(store::get_int(tree, "spec.minReadySeconds"));
  out.selector = selector_of(tree);
  const json& status = store::get_object(tree, "status");
  out.status = {store::get_int(status, "replicas"), store::get_int(status, "fullyLabeledReplicas"), store::get_int(status, "readyReplicas"),
                store::get_int(status, "availableReplicas"), store::get_int(status, "observedGeneration")};
  return out;
}

int64_t revision_of(const Meta& meta) {
  auto it = meta.annotations.find("deployment.kubernetes.io/revision");
  if (it == meta.annotations.end()) return 0;
  int64_t revision = 0;
  std::from_chars(it->second.data(), it->second.data() + it->second.size(), revision);
  return revision;
}

}  // namespace server
