#include "server/model/daemon_set.h"

#include <nlohmann/json.hpp>

#include "server/model/deployment.h"
#include "store/object/access.h"

namespace server {

const json& DaemonSet::pod_template() const { return store::get_object(object.tree(), "spec.template"); }

bool DaemonSet::surges() const { return max_surge(100) > 0; }

int64_t DaemonSet::max_surge(int64_t nodes) const {
  if (on_delete) return 0;
  return resolve_int_or_percent(store::find(object.tree(), "spec.updateStrategy.rollingUpdate.maxSurge"), nodes, true, 0);
}

int64_t DaemonSet::max_unavailable(int64_t nodes) const {
  if (on_delete) return 0;
  const int64_t wanted = resolve_int_or_percent(store::find(object.tree(), "spec.updateStrategy.rollingUpdate.maxUnavailable"), nodes, true, 1);
  return wanted == 0 && max_surge(nodes) == 0 ? 1 : wanted;
}

DaemonSet project_daemon_set(const store::Object& object) {
  const json& tree = object.tree();
  DaemonSet out;
  out.object = object;
  out.meta = project_meta(tree);
  out.on_delete = store::get_string(tree, "spec.updateStrategy.type") == "OnDelete";
  out.min_ready = std::chrono::seconds(store::get_int(tree, "spec.minReadySeconds"));
  out.history_limit = store::get_int(tree, "spec.revisionHistoryLimit", 10);
  const json& status = store::get_object(tree, "status");
  out.status = {store::get_int(status, "observedGeneration"),     store::get_int(status, "desiredNumberScheduled"),
                store::get_int(status, "currentNumberScheduled"), store::get_int(status, "numberMisscheduled"),
                store::get_int(status, "numberReady"),            store::get_int(status, "updatedNumberScheduled"),
                store::get_int(status, "numberAvailable"),        store::get_int(status, "numberUnavailable"),
                store::get_int(status, "collisionCount")};
  return out;
}

json render_daemon_set_status(const DaemonSet::Status& status) {
  json out = {{"observedGeneration", status.observed_generation},
              {"desiredNumberScheduled", status.desired},
              {"currentNumberScheduled", status.current},
              {"numberMisscheduled", status.misscheduled},
              {"numberReady", status.ready}};
  if (status.updated) out["updatedNumberScheduled"] = status.updated;
  if (status.available) out["numberAvailable"] = status.available;
  if (status.unavailable) out["numberUnavailable"] = status.unavailable;
  if (status.collisions) out["collisionCount"] = status.collisions;
  return out;
}

}  // namespace server
