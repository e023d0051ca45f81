// pods/eviction: a deletion that PodDisruptionBudgets may refuse. What one allows is spent here, in its status, before the
// pod is deleted: two evictions at once never take the same allowance.
#include <nlohmann/json.hpp>

#include "server/api/meta.h"
#include "server/api/status.h"
#include "server/api/subresources/handlers.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kBudgets = "poddisruptionbudgets.policy";
constexpr size_t kMaxDisrupted = 2000;
constexpr int kRetrySeconds = 10;

const json* find_condition(const json& tree, const char* type) {
  for (const json& c : store::get_array(tree, "status.conditions")) {
    if (store::get_string(c, "type") == type) return &c;
  }
  return nullptr;
}

bool is_ready(const json& pod) {
  const json* ready = find_condition(pod, "Ready");
  return ready != nullptr && store::get_string(*ready, "status") == "True";
}

// Pods that serve nobody, or are going anyway, are not what a budget protects.
bool needs_no_budget(const json& pod) {
  const std::string phase = store::get_string(pod, "status.phase");
  return phase == "Succeeded" || phase == "Failed" || phase == "Pending" || is_deleting(pod);
}

base::Result<std::vector<store::Object>> budgets_of(Core& core, const store::Object& pod) {
  store::ListQuery query;
  query.resource = kBudgets;
  query.ns = pod.ns();
  auto page = TRY(core.store.list(query));
  std::vector<store::Object> out;
  for (const store::Object& budget : page.items) {
    const json* selector = store::find(budget.tree(), "spec.selector");
    auto parsed = TRY(store::LabelSelector::from_json(selector ? *selector : json(nullptr)));
    if (parsed.matches_object(pod.tree())) out.push_back(budget);
  }
  return out;
}

base::Error refused(const std::string& why, int retry_after) {
  base::Error e(base::Code::kTooManyRequests, "Cannot evict pod as it would violate the pod's disruption budget.");
  e.causes.push_back({"DisruptionBudget", why, ""});
  e.retry_after_seconds = retry_after;
  return e;
}

// The budget with one disruption less, or why there is none left.
base::Result<json> spend(const store::Resource& budgets, const json& budget, const std::string& pod, base::WallTime now) {
  const std::string name = store::get_string(budget, "metadata.name");
  const json& status = store::get_object(budget, "status");
  if (store::get_int(status, "observedGeneration") < store::get_int(budget, "metadata.generation")) {
    return refused("The disruption budget " + name + " is still being processed by the server.", kRetrySeconds);
  }
  const int64_t allowed = store::get_int(status, "disruptionsAllowed"), healthy = store::get_int(status, "currentHealthy"), desired = store::get_int(status, "desiredHealthy");
  if (allowed < 0) return forbidden(budgets, name, "pdb disruptions allowed is negative");
  if (store::get_object(status, "disruptedPods").size() > kMaxDisrupted) {
    return forbidden(budgets, name, "DisruptedPods map too big - too many evictions not confirmed by PDB controller");
  }
  if (allowed == 0) {
    const json* condition = find_condition(budget, "DisruptionAllowed");
    if (condition != nullptr && store::get_string(*condition, "reason") == "SyncFailed") {
      return refused("The disruption budget " + name + " does not allow evicting pods currently because it failed sync: " + store::get_string(*condition, "message"), 0);
    }
    if (healthy <= desired) return refused("The disruption budget " + name + " needs " + std::to_string(desired) + " healthy pods and has " + std::to_string(healthy) + " currently", 0);
    return refused("The disruption budget " + name + " does not allow evicting pods currently", 0);
  }
  json out = budget;
  out["status"]["disruptionsAllowed"] = allowed - 1;
  out["status"]["disruptedPods"][pod] = base::render_rfc3339(now);
  if (allowed > 1) return out;
  for (json& condition : out["status"]["conditions"]) {
    if (store::get_string(condition, "type") != "DisruptionAllowed") continue;
    condition["status"] = "False";
    condition["reason"] = "InsufficientPods";
    condition["lastTransitionTime"] = base::render_rfc3339(now);
  }
  return out;
}

// May the pod go as far as its budget is concerned? Spends it unless nothing is lost with the pod.
base::Status ask_budget(const Call& call, const store::Object& pod, WriteContext& context) {
  const std::vector<store::Object> budgets = TRY(budgets_of(call.core, pod));
  if (budgets.empty()) return {};
  if (budgets.size() > 1) {
    return base::Error(base::Code::kInternal, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
  }
  const json& budget = budgets[0].tree();
  if (!is_ready(pod.tree())) {
    const int64_t healthy = store::get_int(budget, "status.currentHealthy"), desired = store::get_int(budget, "status.desiredHealthy");
    if (store::get_string(budget, "spec.unhealthyPodEvictionPolicy") == "AlwaysAllow" || (desired > 0 && healthy >= desired)) return {};
  }
  const store::Resource* resource = call.core.registry.find_storage(kBudgets);
  TRY(call.core.pipeline.modify(
      *resource, pod.ns(), budgets[0].name(), "status",
      [&](const json& stored) { return spend(*resource, stored, pod.name(), call.core.clock.wall()); }, context));
  return {};
}

// Says on the pod why it goes: controllers of jobs judge its failure by that.
base::Status mark_pod(const Call& call, WriteContext& context) {
  const std::string now = base::render_rfc3339(call.core.clock.wall());
  TRY(call.core.pipeline.modify(
      call.resource, call.info.ns, call.info.name, "status",
      [&](const json& stored) {
        json out = stored;
        json& conditions = store::ensure(out, "status.conditions");
        if (!conditions.is_array()) conditions = json::array();
        json kept = json::array();
        for (const json& c : conditions) {
          if (store::get_string(c, "type") != "DisruptionTarget") kept.push_back(c);
        }
        kept.push_back({{"type", "DisruptionTarget"}, {"status", "True"}, {"reason", "EvictionByEvictionAPI"}, {"message", "Eviction API: evicting"},
                        {"lastProbeTime", nullptr}, {"lastTransitionTime", now}});
        conditions = std::move(kept);
        return base::Result<json>(out);
      },
      context));
  return {};
}

base::Status evict(const Call& call, const json& body, WriteContext& context) {
  const store::Object pod = TRY(call.core.pipeline.get(call.resource, call.info.ns, call.info.name));
  RemoveOptions options = remove_options_from(store::get_object(body, "deleteOptions"));
  options.dry_run = options.dry_run || context.dry_run;
  context.dry_run = options.dry_run;
  if (!needs_no_budget(pod.tree())) {
    TRY_STATUS(ask_budget(call, pod, context));
    TRY_STATUS(mark_pod(call, context));
  }
  TRY(call.core.pipeline.remove(call.resource, call.info.ns, call.info.name, options));
  return {};
}

}  // namespace

HttpResponse serve_eviction(const Call& call) {
  auto context = write_context(call);
  if (!context.ok()) return error_response(context.error());
  const BodyKind wanted{"policy", "v1", "Eviction"};
  auto body = read_body(call, *context, wanted);
  if (!body.ok()) return error_response(body.error());
  // Version v1beta1 is read still.
  if (store::get_string(*body, "apiVersion") != "policy/v1beta1") {
    if (base::Status kind = check_body_kind(*body, wanted); !kind.ok()) return error_response(kind.error());
  }
  if (store::get_string(*body, "metadata.name") != call.info.name) return error_response(bad_request("name in URL does not match name in Eviction object"));
  if (base::Status options = check_delete_options(store::get_object(*body, "deleteOptions")); !options.ok()) return error_response(options.error());
  const base::Status evicted = evict(call, *body, *context);
  if (!evicted.ok()) return error_response(evicted.error());
  return json_response(201, {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", json::object()}, {"status", "Success"}, {"code", 201}});
}

}  // namespace server
