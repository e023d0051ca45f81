#include "server/controllers/disruption.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "server/model/deployment.h"
#include "store/object/access.h"

namespace server {
namespace {

using std::chrono::milliseconds;

constexpr const char* kBudgets = "poddisruptionbudgets.policy";
constexpr auto kDeletionTimeout = std::chrono::minutes(2);  // An evicted pod should be on its way out by then.
constexpr milliseconds kDisruptionInterval{10};

// The condition that says whether any pod may be evicted; it keeps its time while its status stays.
json render_condition(const Budget& budget, bool yes, const std::string& reason, const std::string& message, base::WallTime now) {
  json out = {{"type", "DisruptionAllowed"},           {"status", yes ? "True" : "False"}, {"reason", reason}, {"message", message},
              {"observedGeneration", budget.meta.generation}, {"lastTransitionTime", base::render_rfc3339(now)}};
  const json* old = find_condition(budget.object.tree(), "DisruptionAllowed");
  if (old != nullptr && store::get_string(*old, "status") == out["status"]) out["lastTransitionTime"] = store::get_string(*old, "lastTransitionTime");
  return out;
}

json render_status(const Budget& budget, const BudgetStatus& status, base::WallTime now) {
  const bool some = status.allowed > 0;
  json out = {{"observedGeneration", budget.meta.generation},
              {"expectedPods", status.expected},
              {"desiredHealthy", status.desired},
              {"currentHealthy", status.healthy},
              {"disruptionsAllowed", status.allowed},
              {"conditions", {render_condition(budget, some, some ? "SufficientPods" : "InsufficientPods", "", now)}}};
  for (const auto& [name, since] : status.disrupted) out["disruptedPods"][name] = base::render_rfc3339(since);
  return out;
}

class DisruptionController final : public Controller {
 public:
  DisruptionController(ControlLoop& loop, PodIndex& pods)
      : loop_(loop),
        pods_(pods),
        events_(loop, "controllermanager"),
        queue_(loop.make_queue(
            "disruption", [this](const store::Key& key) { return reconcile(key); }, QueueOptions{QueueOptions::Priority::kNormal, kDisruptionInterval})) {
    loop.on_change(kBudgets, [this](const store::Object& before, const store::Object& after) {
      if (before) selectors_[before.ns()].erase(before.name());
      if (!after) return;
      selectors_[after.ns()][after.name()] = project_budget(after).selector;
      queue_.add(after.key());
    });
    pods.on_change([this](const Pod* before, const Pod* after) {
      if (before) pod_changed(*before);
      if (after) pod_changed(*after);
    });
  }

 private:
  void pod_changed(const Pod& pod);
  base::Result<Requeue> reconcile(const store::Key& key);
  base::Result<int64_t> expected_scale(const Budget& budget, const std::vector<const Pod*>& pods);
  base::Result<int64_t> scale_of(const OwnerRef& owner, const Pod& pod);
  base::Status fail(const Budget& budget, const std::string& message);

  ControlLoop& loop_;
  PodIndex& pods_;
  EventRecorder events_;
  WorkQueue& queue_;
  std::map<std::string, std::map<std::string, store::LabelSelector>> selectors_;  // ns -> name
};

void DisruptionController::pod_changed(const Pod& pod) {
  auto space = selectors_.find(pod.meta.ns);
  if (space == selectors_.end()) return;
  for (const auto& [name, selector] : space->second) {
    if (selector.matches(pod.meta.labels)) queue_.add({kBudgets, pod.meta.ns, name});
  }
}

base::Result<Requeue> DisruptionController::reconcile(const store::Key& key) {
  const store::Object* object = loop_.cache(kBudgets).find(key.ns, key.name);
  if (object == nullptr) return Requeue{};
  const Budget budget = project_budget(*object);
  if (budget.meta.deleting) return Requeue{};
  std::vector<const Pod*> pods;
  for (const auto& [name, pod] : pods_.in_namespace(key.ns)) {
    if (!pod->finished() && budget.selector.matches(pod->meta.labels)) pods.push_back(pod);
  }
  if (pods.empty()) events_.normal(make_ref(budget.object), "NoPods", "No matching pods found");
  int64_t scale = 0;
  if (counts_by_controllers(budget)) {
    auto found = expected_scale(budget, pods);
    if (!found.ok()) {
      TRY_STATUS(fail(budget, found.error().message));
      return Requeue{};
    }
    scale = *found;
  }
  const base::WallTime now = loop_.clock().wall();
  const BudgetStatus status = compute_budget(budget, pods, scale, now);
  for (const std::string& name : status.stuck) {
    const store::Object* pod = loop_.cache("pods").find(key.ns, name);
    if (pod != nullptr) events_.warning(make_ref(*pod), "NotDeleted", "Pod was expected by PDB " + key.ns + "/" + key.name + " to be deleted but it wasn't");
  }
  json rendered = render_status(budget, status, now);
  if (rendered != store::get_object(object->tree(), "status")) TRY(write_status(loop_.client(), budget.object, std::move(rendered)));
  if (!status.recheck) return Requeue{};
  return Requeue{std::max(std::chrono::ceil<milliseconds>(*status.recheck - now), milliseconds(1))};
}

// Without knowing how many there should be nothing may go.
base::Status DisruptionController::fail(const Budget& budget, const std::string& message) {
  json status = store::get_object(budget.object.tree(), "status");
  const json condition = render_condition(budget, false, "SyncFailed", message, loop_.clock().wall());
  const json* old = find_condition(budget.object.tree(), "DisruptionAllowed");
  if (old != nullptr && *old == condition && store::get_int(status, "disruptionsAllowed") == 0) return {};
  events_.warning(make_ref(budget.object), "CalculateExpectedPodCountFailed", "Failed to calculate the number of expected pods: " + message);
  status["conditions"] = {condition};
  status["disruptionsAllowed"] = 0;
  status["observedGeneration"] = budget.meta.generation;
  for (const char* count : {"currentHealthy", "desiredHealthy", "expectedPods"}) status.emplace(count, 0);
  TRY(write_status(loop_.client(), budget.object, std::move(status)));
  return {};
}

base::Result<int64_t> DisruptionController::expected_scale(const Budget& budget, const std::vector<const Pod*>& pods) {
  int64_t sum = 0;
  std::set<std::string> seen;
  bool unmanaged = false;
  for (const Pod* pod : pods) {
    const OwnerRef* owner = controller_of(pod->meta);
    if (owner == nullptr) {
      unmanaged = true;
    } else if (seen.insert(owner->uid).second) {
      // All sets of one Deployment count once, with its number.
      const store::Object* set = owner->kind == "ReplicaSet" ? loop_.cache("replicasets.apps").find(pod->meta.ns, owner->name) : nullptr;
      const Meta set_meta = set != nullptr && set->uid() == owner->uid ? project_meta(set->tree()) : Meta();
      const OwnerRef* above = controller_of(set_meta);
      const bool deployed = above != nullptr && above->kind == "Deployment";
      if (!deployed || seen.insert(above->uid).second) sum += TRY(scale_of(deployed ? *above : *owner, *pod));
    }
  }
  if (unmanaged) {
    events_.warning(make_ref(budget.object), "UnmanagedPods",
                    "Pods selected by this PodDisruptionBudget were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may "
                    "result in undefined behavior. To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value.");
  }
  return sum;
}

base::Result<int64_t> DisruptionController::scale_of(const OwnerRef& owner, const Pod& pod) {
  const store::Resource* resource = loop_.client().registry().find_kind(owner.api_version, owner.kind);
  if (resource == nullptr) return base::Error(base::Code::kNotFound, "found no controllers for pod \"" + pod.meta.name + "\"");
  if (resource->find_subresource("scale") == nullptr) {
    std::string name(resource->plural);
    if (!resource->group.empty()) name += "." + std::string(resource->group);
    return base::Error(base::Code::kNotFound, name + " does not implement the scale subresource");
  }
  const store::Object* object = loop_.cache(resource->storage()).find(pod.meta.ns, owner.name);
  if (object == nullptr || object->uid() != owner.uid) return base::Error(base::Code::kNotFound, "found no controllers for pod \"" + pod.meta.name + "\"");
  return store::get_int(object->tree(), "spec.replicas", 1);
}

}  // namespace

Budget project_budget(const store::Object& object) {
  Budget out;
  out.object = object;
  out.meta = project_meta(object.tree());
  const json* selector = store::find(object.tree(), "spec.selector");
  auto parsed = store::LabelSelector::from_json(selector ? *selector : json());
  if (parsed.ok()) {
    out.selector = *parsed;
  } else {
    out.selector.nothing = true;
  }
  for (const auto& [name, since] : store::get_string_map(object.tree(), "status.disruptedPods")) {
    const auto time = base::parse_rfc3339(since);
    if (time.ok()) out.disrupted[name] = *time;
  }
  return out;
}

bool counts_by_controllers(const Budget& budget) {
  if (store::find(budget.object.tree(), "spec.maxUnavailable") != nullptr) return true;
  const json* least = store::find(budget.object.tree(), "spec.minAvailable");
  return least != nullptr && least->is_string();
}

BudgetStatus compute_budget(const Budget& budget, const std::vector<const Pod*>& pods, int64_t scale, base::WallTime now) {
  const json& tree = budget.object.tree();
  BudgetStatus out;
  if (const json* most = store::find(tree, "spec.maxUnavailable")) {
    out.expected = scale;
    out.desired = std::max<int64_t>(0, scale - resolve_int_or_percent(most, scale, true, 0));
  } else if (const json* least = store::find(tree, "spec.minAvailable")) {
    out.expected = least->is_string() ? scale : static_cast<int64_t>(pods.size());
    out.desired = resolve_int_or_percent(least, scale, true, 0);
  }
  for (const Pod* pod : pods) {
    auto disrupted = budget.disrupted.find(pod->meta.name);
    if (disrupted != budget.disrupted.end() && !pod->meta.deleting) {
      const base::WallTime end = disrupted->second + kDeletionTimeout;
      if (end > now) {
        out.disrupted.insert(*disrupted);
        out.recheck = out.recheck ? std::min(*out.recheck, end) : end;
        continue;
      }
      out.stuck.push_back(pod->meta.name);
    }
    out.healthy += pod->ready && !pod->meta.deleting;
  }
  out.allowed = out.expected > 0 ? std::max<int64_t>(0, out.healthy - out.desired) : 0;
  return out;
}

std::unique_ptr<Controller> make_disruption_controller(ControlLoop& loop, PodIndex& pods) { return std::make_unique<DisruptionController>(loop, pods); }

}  // namespace server
