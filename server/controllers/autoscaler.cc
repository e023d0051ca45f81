#include "server/controllers/autoscaler.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "server/model/meta.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kAutoscalers = "horizontalpodautoscalers.autoscaling";
constexpr const char* kNoResourceMetrics = "the server could not find the requested resource (get pods.metrics.k8s.io)";

// Why a metric cannot be read: a word for programs, and what people are told.
struct MetricFailure {
  const char* reason;
  std::string message;   // Of the metric itself.
  std::string first;     // Within the summary.
};

MetricFailure failure_of(const json& metric) {
  const std::string type = store::get_string(metric, "type");
  if (type == "Resource" || type == "ContainerResource") {
    const bool container = type == "ContainerResource";
    const json& source = store::get_object(metric, container ? "containerResource" : "resource");
    const std::string name = store::get_string(source, "name");
    const bool raw = !store::get_string(source, "target.averageValue").empty();
    const std::string message = "failed to get " + name + (raw ? " usage: " : " utilization: ") + "unable to get metrics for resource " + name +
                                ": unable to fetch metrics from resource metrics API: " + kNoResourceMetrics;
    return {container ? "FailedGetContainerResourceMetric" : "FailedGetResourceMetric", message,
            "failed to get " + name + (container ? " container" : "") + " resource metric value: " + message};
  }
  if (type == "External") {
    const std::string message = "unable to get external metric " + store::get_string(metric, "external.metric.name") +
                                ": unable to fetch metrics from external metrics API: the server could not find the requested resource (get external.metrics.k8s.io)";
    return {"FailedGetExternalMetric", message, "failed to get external metric value: " + message};
  }
  const bool object = type == "Object";
  const std::string message = "unable to get metric " + store::get_string(metric, object ? "object.metric.name" : "pods.metric.name") +
                              ": unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) registered";
  return {object ? "FailedGetObjectMetric" : "FailedGetPodsMetric", message, std::string("failed to get ") + (object ? "object" : "pods") + " metric value: " + message};
}

class ScalePlanner {
 public:
  ScalePlanner(const store::Object& autoscaler, base::WallTime now) : tree_(autoscaler.tree()), now_(now) {
    plan_.status = store::get_object(tree_, "status");
    plan_.status["observedGeneration"] = store::get_int(tree_, "metadata.generation", 1);
    plan_.status.emplace("desiredReplicas", 0);
  }

  AutoscalerPlan plan(const json* target, const std::string& problem) {
    if (target == nullptr) {
      if (set_condition("AbleToScale", false, "FailedGetScale", "the HPA controller was unable to get the target's current scale: " + problem)) tell(true, "FailedGetScale", problem);
      return std::move(plan_);
    }
    const int64_t current = store::get_int(*target, "spec.replicas", 1);
    const int64_t least = store::get_int(tree_, "spec.minReplicas", 1), most = store::get_int(tree_, "spec.maxReplicas");
    plan_.status["currentReplicas"] = store::get_int(*target, "status.replicas");
    if (current == 0 && least != 0) {
      plan_.status["desiredReplicas"] = 0;
      set_condition("AbleToScale", true, "SucceededGetScale", "the HPA controller was able to get the target's current scale");
      set_condition("ScalingActive", false, "ScalingDisabled", "scaling is disabled since the replica count of the target is zero");
    } else if (current > most) {
      rescale(most, "Current number of replicas above Spec.MaxReplicas");
    } else if (current < least) {
      rescale(least, "Current number of replicas below Spec.MinReplicas");
    } else {
      set_condition("AbleToScale", true, "SucceededGetScale", "the HPA controller was able to get the target's current scale");
      fail_metrics();
    }
    return std::move(plan_);
  }

 private:
  void tell(bool warning, const std::string& reason, const std::string& message) { plan_.events.push_back({warning, reason, message}); }

  // True: it says something new.
  bool set_condition(const std::string& type, bool yes, const std::string& reason, const std::string& message) {
    json& conditions = plan_.status["conditions"];
    if (!conditions.is_array()) conditions = json::array();
    json next = {{"type", type}, {"status", yes ? "True" : "False"}, {"reason", reason}, {"message", message}, {"lastTransitionTime", base::render_rfc3339(now_)}};
    for (json& c : conditions) {
      if (store::get_string(c, "type") != type) continue;
      if (c["status"] == next["status"]) next["lastTransitionTime"] = store::get_string(c, "lastTransitionTime");
      return std::exchange(c, next) != next;
    }
    conditions.push_back(next);
    return true;
  }

  void rescale(int64_t to, const std::string& why) {
    plan_.scale_to = to;
    plan_.status["desiredReplicas"] = to;
    plan_.status["lastScaleTime"] = base::render_rfc3339(now_);
    set_condition("AbleToScale", true, "SucceededRescale", "the HPA controller was able to update the target scale to " + std::to_string(to));
    tell(false, "SuccessfulRescale", "New size: " + std::to_string(to) + "; reason: " + why);
  }

  void fail_metrics() {
    const json& metrics = store::get_array(tree_, "spec.metrics");
    if (metrics.empty()) return;
    const MetricFailure first = failure_of(metrics[0]);
    if (!set_condition("ScalingActive", false, first.reason, "the HPA was unable to compute the replica count: " + first.message)) return;
    for (const json& metric : metrics) {
      const MetricFailure failure = failure_of(metric);
      tell(true, failure.reason, failure.message);
    }
    const std::string count = std::to_string(metrics.size());
    tell(true, "FailedComputeMetricsReplicas", "invalid metrics (" + count + " invalid out of " + count + "), first error is: " + first.first);
  }

  const json& tree_;
  const base::WallTime now_;
  AutoscalerPlan plan_;
};

class AutoscalerController final : public Controller {
 public:
  explicit AutoscalerController(ControlLoop& loop)
      : loop_(loop), events_(loop, "horizontal-pod-autoscaler"), queue_(loop.make_queue("autoscaler", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change(kAutoscalers, [this](const store::Object& before, const store::Object& after) {
      if (before) targets_[before.ns()].erase(before.name());
      if (!after) return;
      targets_[after.ns()][after.name()] = {store::get_string(after.tree(), "spec.scaleTargetRef.kind"), store::get_string(after.tree(), "spec.scaleTargetRef.name")};
      queue_.add(after.key());
    });
    loop.on_change("", [this](const store::Object& before, const store::Object& after) { anything_changed(before, after); });
  }

 private:
  void anything_changed(const store::Object& before, const store::Object& after);
  base::Result<Requeue> reconcile(const store::Key& key);
  const store::Object* find_target(const store::Object& autoscaler, std::string& problem);

  ControlLoop& loop_;
  EventRecorder events_;
  WorkQueue& queue_;
  std::map<std::string, std::map<std::string, std::pair<std::string, std::string>>> targets_;  // ns -> name -> kind and name
};

// What is scaled may be of any kind.
void AutoscalerController::anything_changed(const store::Object& before, const store::Object& after) {
  const store::Object& any = after ? after : before;
  auto space = targets_.find(any.ns());
  if (space == targets_.end() || space->second.empty()) return;
  for (const auto& [name, target] : space->second) {
    if (target.second == any.name() && target.first == store::get_string(any.tree(), "kind")) queue_.add({kAutoscalers, any.ns(), name});
  }
}

const store::Object* AutoscalerController::find_target(const store::Object& autoscaler, std::string& problem) {
  const json& ref = store::get_object(autoscaler.tree(), "spec.scaleTargetRef");
  const std::string version = store::get_string(ref, "apiVersion"), kind = store::get_string(ref, "kind"), name = store::get_string(ref, "name");
  const store::Resource* resource = loop_.client().registry().find_kind(version, kind);
  if (resource == nullptr) {
    const size_t slash = version.find('/');
    problem = "no matches for kind \"" + kind + "\" in group \"" + (slash == std::string::npos ? "" : version.substr(0, slash)) + "\"";
    return nullptr;
  }
  const store::Object* object = resource->find_subresource("scale") != nullptr ? loop_.cache(resource->storage()).find(autoscaler.ns(), name) : nullptr;
  if (object != nullptr) return object;
  problem = resource->find_subresource("scale") == nullptr ? "the server could not find the requested resource" : resource->storage() + " \"" + name + "\" not found";
  return nullptr;
}

base::Result<Requeue> AutoscalerController::reconcile(const store::Key& key) {
  const store::Object* object = loop_.cache(kAutoscalers).find(key.ns, key.name);
  if (object == nullptr) return Requeue{};
  std::string problem;
  const store::Object* target = find_target(*object, problem);
  const AutoscalerPlan plan = plan_autoscaler(*object, target ? &target->tree() : nullptr, problem, loop_.clock().wall());
  if (plan.scale_to) TRY(merge_patch(loop_.client(), target->key(), {{"spec", {{"replicas", *plan.scale_to}}}}));
  if (plan.status != store::get_object(object->tree(), "status")) TRY(write_status(loop_.client(), *object, plan.status));
  for (const AutoscalerPlan::Event& event : plan.events) {
    if (event.warning) {
      events_.warning(make_ref(*object), event.reason, event.message);
    } else {
      events_.normal(make_ref(*object), event.reason, event.message);
    }
  }
  return Requeue{};
}

}  // namespace

AutoscalerPlan plan_autoscaler(const store::Object& autoscaler, const json* target, const std::string& problem, base::WallTime now) {
  return ScalePlanner(autoscaler, now).plan(target, problem);
}

std::unique_ptr<Controller> make_autoscaler_controller(ControlLoop& loop) { return std::make_unique<AutoscalerController>(loop); }

}  // namespace server
