#include "server/model/deployment.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {
namespace {

// Upstream's int32 maximum: a Deployment with it has no progress deadline.
constexpr int64_t kNoDeadline = 2147483647;

DeploymentStatus project_status(const json& tree) {
  const json& status = store::get_object(tree, "status");
  DeploymentStatus out;
  out.observed_generation = store::get_int(status, "observedGeneration");
  out.replicas = store::get_int(status, "replicas");
  out.updated = store::get_int(status, "updatedReplicas");
  out.ready = store::get_int(status, "readyReplicas");
  out.available = store::get_int(status, "availableReplicas");
  out.unavailable = store::get_int(status, "unavailableReplicas");
  out.collisions = store::get_int(status, "collisionCount");
  for (const json& condition : store::get_array(status, "conditions")) {
    out.conditions.push_back({store::get_string(condition, "type"), store::get_string(condition, "status"),
                              store::get_string(condition, "reason"), store::get_string(condition, "message"),
                              store::get_string(condition, "lastUpdateTime"), store::get_string(condition, "lastTransitionTime")});
  }
  return out;
}

}  // namespace

const json& Deployment::pod_template() const { return store::get_object(object.tree(), "spec.template"); }

int64_t resolve_int_or_percent(const json* value, int64_t total, bool round_up, int64_t fallback) {
  if (value == nullptr) return fallback;
  if (value->is_number_integer()) return value->get<int64_t>();
  if (!value->is_string()) return fallback;
  const std::string& text = value->get_ref<const std::string&>();
  int64_t number = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc()) return fallback;
  if (end == text.data() + text.size()) return number;
  return round_up ? (number * total + 99) / 100 : number * total / 100;
}

Deployment project_deployment(const store::Object& object) {
  const json& tree = object.tree();
  Deployment out;
  out.object = object;
  out.meta = project_meta(tree);
  out.replicas = store::get_int(tree, "spec.replicas", 1);
  const json* selector = store::find(tree, "spec.selector");
  auto parsed = store::LabelSelector::from_json(selector ? *selector : json());
  out.selector = parsed.ok() ? *parsed : store::LabelSelector{{}, true};
  out.recreate = store::get_string(tree, "spec.strategy.type") == "Recreate";
  if (!out.recreate) {
    const int64_t quarter_up = (out.replicas + 3) / 4, quarter_down = out.replicas / 4;
    out.max_surge = resolve_int_or_percent(store::find(tree, "spec.strategy.rollingUpdate.maxSurge"), out.replicas, true, quarter_up);
    out.max_unavailable =
        resolve_int_or_percent(store::find(tree, "spec.strategy.rollingUpdate.maxUnavailable"), out.replicas, false, quarter_down);
    if (out.max_surge == 0 && out.max_unavailable == 0) out.max_unavailable = 1;
    if (out.max_unavailable > out.replicas) out.max_unavailable = out.replicas;
  }
  out.min_ready = std::chrono::seconds(store::get_int(tree, "spec.minReadySeconds"));
  if (store::find(tree, "spec.revisionHistoryLimit")) out.history_limit = store::get_int(tree, "spec.revisionHistoryLimit");
  const int64_t deadline = store::get_int(tree, "spec.progressDeadlineSeconds", kNoDeadline);
  if (deadline != kNoDeadline) out.progress_deadline = std::chrono::seconds(deadline);
  out.paused = store::get_bool(tree, "spec.paused");
  out.status = project_status(tree);
  return out;
}

json render_deployment_status(const DeploymentStatus& status) {
  json out = {{"observedGeneration", status.observed_generation}};
  auto number = [&out](const char* name, int64_t value) {
    if (value != 0) out[name] = value;  // omitempty upstream
  };
  number("replicas", status.replicas);
  number("updatedReplicas", status.updated);
  number("readyReplicas", status.ready);
  number("availableReplicas", status.available);
  number("unavailableReplicas", status.unavailable);
  number("collisionCount", status.collisions);
  if (!status.conditions.empty()) {
    json& conditions = out["conditions"] = json::array();
    for (const Condition& c : status.conditions) {
      conditions.push_back({{"type", c.type},
                            {"status", c.status},
                            {"reason", c.reason},
                            {"message", c.message},
                            {"lastUpdateTime", c.last_update},
                            {"lastTransitionTime", c.last_transition}});
    }
  }
  return out;
}

}  // namespace server
