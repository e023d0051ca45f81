#include "server/model/stateful_set.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "server/model/deployment.h"
#include "store/object/access.h"

namespace server {

const json& StatefulSet::pod_template() const { return store::get_object(object.tree(), "spec.template"); }
const json& StatefulSet::claim_templates() const { return store::get_array(object.tree(), "spec.volumeClaimTemplates"); }

StatefulSet project_stateful_set(const store::Object& object) {
  const json& tree = object.tree();
  const json& spec = store::get_object(tree, "spec");
  StatefulSet out;
  out.object = object;
  out.meta = project_meta(tree);
  out.replicas = store::get_int(spec, "replicas", 1);
  out.start = store::get_int(spec, "ordinals.start");
  out.parallel = store::get_string(spec, "podManagementPolicy") == "Parallel";
  out.on_delete = store::get_string(spec, "updateStrategy.type") == "OnDelete";
  out.partition = store::get_int(spec, "updateStrategy.rollingUpdate.partition");
  out.max_unavailable = std::max<int64_t>(1, resolve_int_or_percent(store::find(spec, "updateStrategy.rollingUpdate.maxUnavailable"), out.replicas, false, 1));
  out.min_ready = std::chrono::seconds(store::get_int(spec, "minReadySeconds"));
  out.history_limit = store::get_int(spec, "revisionHistoryLimit", 10);
  out.service = store::get_string(spec, "serviceName");
  out.delete_claims_with_set = store::get_string(spec, "persistentVolumeClaimRetentionPolicy.whenDeleted") == "Delete";
  out.delete_claims_with_scale = store::get_string(spec, "persistentVolumeClaimRetentionPolicy.whenScaled") == "Delete";
  const json& status = store::get_object(tree, "status");
  out.status = {store::get_int(status, "observedGeneration"),   store::get_int(status, "replicas"),
                store::get_int(status, "readyReplicas"),        store::get_int(status, "availableReplicas"),
                store::get_int(status, "currentReplicas"),      store::get_int(status, "updatedReplicas"),
                store::get_string(status, "currentRevision"),   store::get_string(status, "updateRevision"),
                store::get_int(status, "collisionCount")};
  return out;
}

json render_stateful_set_status(const StatefulSet::Status& status) {
  json out = {{"observedGeneration", status.observed_generation},
              {"replicas", status.replicas},
              {"availableReplicas", status.available},
              {"currentRevision", status.current_revision},
              {"updateRevision", status.update_revision},
              {"collisionCount", status.collisions}};
  if (status.ready) out["readyReplicas"] = status.ready;
  if (status.current) out["currentReplicas"] = status.current;
  if (status.updated) out["updatedReplicas"] = status.updated;
  return out;
}

std::string stateful_pod_name(const StatefulSet& set, int64_t ordinal) { return set.meta.name + "-" + std::to_string(ordinal); }

int64_t ordinal_of(const StatefulSet& set, const std::string& pod_name) {
  const std::string prefix = set.meta.name + "-";
  if (pod_name.rfind(prefix, 0) != 0) return -1;
  const std::string digits = pod_name.substr(prefix.size());
  int64_t ordinal = -1;
  auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), ordinal);
  if (ec != std::errc() || end != digits.data() + digits.size() || ordinal < 0) return -1;
  return std::to_string(ordinal) == digits ? ordinal : -1;  // "web-01" is nobody's.
}

}  // namespace server
