#include "server/controllers/job.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/controllers/job_steps.h"
#include "server/controllers/pod_owners.h"
#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "store/object/access.h"

namespace server {
namespace {

using std::chrono::milliseconds;

constexpr const char* kJobs = "jobs.batch";
constexpr milliseconds kJobInterval{10};  // Status changes of one job are written at most this often.

bool is_tracked(const Pod& pod) { return std::find(pod.meta.finalizers.begin(), pod.meta.finalizers.end(), kJobFinalizer) != pod.meta.finalizers.end(); }

class JobController final : public Controller {
 public:
  JobController(ControlLoop& loop, PodIndex& pods)
      : loop_(loop),
        pods_(pods),
        events_(loop, "job-controller"),
        queue_(loop.make_queue(
            "job", [this](const store::Key& key) { return reconcile(key); }, QueueOptions{QueueOptions::Priority::kNormal, kJobInterval})),
        orphans_(loop.make_queue("job-orphans", [this](const store::Key& key) { return release_orphan(key); })),
        owners_(loop, pods, kJobs, queue_) {
    pods.on_change([this](const Pod*, const Pod* after) {
      if (after != nullptr && is_orphan(*after)) orphans_.add({"pods", after->meta.ns, after->meta.name});
    });
    loop.on_change(kJobs, [this](const store::Object& before, const store::Object& after) {
      if (after) return;
      for (const auto& [name, pod] : pods_.owned_by(before.uid())) {
        if (is_tracked(*pod)) orphans_.add({"pods", pod->meta.ns, name});
      }
    });
  }

 private:
  base::Result<Requeue> reconcile(const store::Key& key);
  base::Result<Requeue> expire(const Job& job);
  base::Status act(const Job& job, const JobPlan& plan);
  base::Status release_pod(const Pod& pod);
  bool is_orphan(const Pod& pod) const;
  base::Result<Requeue> release_orphan(const store::Key& key);
  milliseconds until(base::WallTime at) const { return std::max(std::chrono::ceil<milliseconds>(at - loop_.clock().wall()), milliseconds(1)); }

  ControlLoop& loop_;
  PodIndex& pods_;
  EventRecorder events_;
  WorkQueue& queue_;
  WorkQueue& orphans_;
  PodOwners owners_;
};

base::Result<Requeue> JobController::reconcile(const store::Key& key) {
  const store::Object* object = loop_.cache(kJobs).find(key.ns, key.name);
  if (object == nullptr) return Requeue{};
  const Job job = project_job(*object);
  const store::LabelSelector selector = selector_of(object->tree());
  if (job.foreign || selector.nothing) return Requeue{};
  if (finished_condition(job.status) != nullptr) return expire(job);
  std::vector<const Pod*> owned;
  TRY_STATUS(claim_pods(loop_, pods_, job.object, selector, {}, owned));
  std::vector<JobPod> pods;
  for (const Pod* pod : owned) {
    const store::Object* stored = loop_.cache("pods").find(pod->meta.ns, pod->meta.name);
    if (stored != nullptr) pods.push_back(project_job_pod(*pod, stored->tree()));
  }
  const JobPlan plan = plan_job(job, pods, loop_.clock().wall());
  // First the status: a pod may be let go only when it is on record.
  if (!(plan.status == job.status)) TRY(write_status(loop_.client(), job.object, render_job_status(plan.status)));
  for (const JobPlan::Event& event : plan.events) {
    if (event.warning) {
      events_.warning(make_ref(job.object), event.reason, event.message);
    } else {
      events_.normal(make_ref(job.object), event.reason, event.message);
    }
  }
  TRY_STATUS(act(job, plan));
  return Requeue{plan.wake ? until(*plan.wake) : milliseconds(0)};
}

base::Status JobController::act(const Job& job, const JobPlan& plan) {
  for (const Pod* pod : plan.release) TRY_STATUS(release_pod(*pod));
  for (const Pod* pod : plan.remove) TRY_STATUS(remove_owned_pod(loop_, events_, job.object, *pod));
  for (const JobPlan::Create& create : plan.create) TRY_STATUS(create_owned_pod(loop_, events_, job.object, render_job_pod(job, create)));
  return {};
}

base::Result<Requeue> JobController::expire(const Job& job) {
  for (const auto& [name, pod] : pods_.owned_by(job.meta.uid)) {  // Whatever still is held, nobody counts it any more.
    if (is_tracked(*pod)) TRY_STATUS(release_pod(*pod));
  }
  const auto expiry = job_expiry(job);
  if (!expiry || job.meta.deleting) return Requeue{};
  if (*expiry > loop_.clock().wall()) return Requeue{until(*expiry)};
  DeleteOptions options;
  options.propagation = "Foreground";
  TRY_STATUS(remove_object(loop_.client(), job.object, options));
  return Requeue{};
}

base::Status JobController::release_pod(const Pod& pod) {
  const store::Object* object = loop_.cache("pods").find(pod.meta.ns, pod.meta.name);
  if (object == nullptr) return {};
  json kept = json::array();
  for (const json& finalizer : store::get_array(object->tree(), "metadata.finalizers")) {
    if (finalizer != kJobFinalizer) kept.push_back(finalizer);
  }
  if (kept.empty()) kept = nullptr;
  // The whole list is written: only over the one that was read.
  const json metadata = {{"uid", pod.meta.uid}, {"resourceVersion", store::get_string(object->tree(), "metadata.resourceVersion")}, {"finalizers", std::move(kept)}};
  auto released = merge_patch(loop_.client(), object->key(), {{"metadata", metadata}});
  if (!released.ok() && released.error().code != base::Code::kNotFound) return std::move(released).error();
  return {};
}

// Its job is gone, or is none of ours: nobody would ever let it go.
bool JobController::is_orphan(const Pod& pod) const {
  if (!is_tracked(pod)) return false;
  const OwnerRef* owner = controller_of(pod.meta);
  return owner == nullptr || owner->kind != "Job" || !owners_.has(owner->uid);
}

base::Result<Requeue> JobController::release_orphan(const store::Key& key) {
  const Pod* pod = pods_.find(key.ns, key.name);
  if (pod != nullptr && is_orphan(*pod)) TRY_STATUS(release_pod(*pod));
  return Requeue{};
}

}  // namespace

std::unique_ptr<Controller> make_job_controller(ControlLoop& loop, PodIndex& pods) { return std::make_unique<JobController>(loop, pods); }

}  // namespace server
