#include "server/controllers/deployment.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "server/controllers/deployment_steps.h"
#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "store/object/access.h"

namespace server {
namespace {

using std::chrono::milliseconds;

constexpr const char* kDeployments = "deployments.apps";
constexpr const char* kReplicaSets = "replicasets.apps";
constexpr milliseconds kDeploymentInterval{2};

// Annotations of the Deployment that its sets do not inherit.
constexpr const char* kOwnAnnotations[] = {"kubectl.kubernetes.io/last-applied-configuration", kRevision, kRevisionHistory, kDesiredReplicas,
                                           kMaxReplicas, "deprecated.deployment.rollback.to"};

bool inherited(const std::string& annotation) {
  return std::none_of(std::begin(kOwnAnnotations), std::end(kOwnAnnotations), [&](const char* own) { return annotation == own; });
}

class DeploymentController final : public Controller {
 public:
  DeploymentController(ControlLoop& loop, PodIndex& pods)
      : loop_(loop),
        pods_(pods),
        events_(loop, "deployment-controller"),
        queue_(loop.make_queue(
            "deployment", [this](const store::Key& key) { return reconcile(key); }, QueueOptions{QueueOptions::Priority::kNormal, kDeploymentInterval})) {
    loop.on_change(kDeployments, [this](const store::Object&, const store::Object& after) {
      if (after) queue_.add(after.key());
    });
    loop.on_change(kReplicaSets, [this](const store::Object& before, const store::Object& after) { set_changed(before, after); });
    pods.on_change([this](const Pod* before, const Pod* after) { pod_changed(before, after); });
  }

 private:
  void set_changed(const store::Object& before, const store::Object& after);
  void pod_changed(const Pod* before, const Pod* after);
  void add_owner(const Meta& meta);
  base::Result<Requeue> reconcile(const store::Key& key);
  base::Result<bool> note_pause(const Deployment& d);
  base::Status claim(const Deployment& d, std::vector<ReplicaSet>& owned);
  base::Result<bool> roll_out(const Rollout& rollout);
  base::Result<bool> prepare_current(const Rollout& rollout, bool create);
  base::Status create_current(const Rollout& rollout, int64_t revision);
  base::Result<bool> refresh_current(const Rollout& rollout, int64_t revision);
  base::Result<bool> scale(const Deployment& d, const ScaleStep& step);
  base::Result<bool> scale_all(const Deployment& d, const std::vector<ScaleStep>& steps);
  base::Status clean_up(const Rollout& rollout);
  base::Result<Requeue> finish(const Rollout& rollout, DeploymentStatus status);
  bool old_pods_left(const Rollout& rollout) const;

  ControlLoop& loop_;
  PodIndex& pods_;
  EventRecorder events_;
  WorkQueue& queue_;
  std::map<std::string, std::map<std::string, ReplicaSet>> sets_;  // ns -> name
};

void DeploymentController::add_owner(const Meta& meta) {
  if (const OwnerRef* owner = controller_of(meta)) {
    if (owner->kind == "Deployment") queue_.add({kDeployments, meta.ns, owner->name});
  }
}

void DeploymentController::set_changed(const store::Object& before, const store::Object& after) {
  const store::Object& any = after ? after : before;
  auto& space = sets_[any.ns()];
  if (auto it = space.find(any.name()); it != space.end()) {
    add_owner(it->second.meta);
    space.erase(it);
  }
  if (!after) return;
  const ReplicaSet& rs = space[after.name()] = project_replica_set(after);
  add_owner(rs.meta);
  if (controller_of(rs.meta)) return;
  for (const store::Object& object : loop_.cache(kDeployments).list(rs.meta.ns)) {  // An orphan: somebody may adopt it.
    if (project_deployment(object).selector.matches(rs.meta.labels)) queue_.add(object.key());
  }
}

// Only Recreate waits for pods: it goes on when the last old one is gone.
void DeploymentController::pod_changed(const Pod* before, const Pod* after) {
  if (before == nullptr || (after != nullptr && !after->finished())) return;
  const OwnerRef* owner = controller_of(before->meta);
  if (owner == nullptr || owner->kind != "ReplicaSet") return;
  auto it = sets_[before->meta.ns].find(owner->name);
  if (it != sets_[before->meta.ns].end()) add_owner(it->second.meta);
}

base::Result<Requeue> DeploymentController::reconcile(const store::Key& key) {
  const store::Object* object = loop_.cache(kDeployments).find(key.ns, key.name);
  if (object == nullptr) return Requeue{};
  const Deployment d = project_deployment(*object);
  if (d.selector.empty()) return Requeue{};  // Selects everything; upstream refuses to act on it too.
  std::vector<ReplicaSet> owned;
  TRY_STATUS(claim(d, owned));
  ReplicaSets sets;
  for (const ReplicaSet& rs : owned) sets.push_back(&rs);
  const Rollout rollout = split_replica_sets(d, sets);
  const base::WallTime now = loop_.clock().wall();
  if (d.meta.deleting) return finish(rollout, compute_status(rollout, now));
  if (TRY(note_pause(d))) return Requeue{};
  if (d.paused || is_scaling_event(rollout)) {
    if (TRY(prepare_current(rollout, /*create=*/false))) return Requeue{};
    if (TRY(scale_all(d, scale_in_proportion(rollout)))) return Requeue{};
    if (d.paused) TRY_STATUS(clean_up(rollout));
    return finish(rollout, compute_status(rollout, now));
  }
  if (TRY(roll_out(rollout))) return Requeue{};  // Our own writes bring us back.
  DeploymentStatus status = compute_rollout_status(rollout, now);
  if (is_complete(d, status)) TRY_STATUS(clean_up(rollout));
  return finish(rollout, std::move(status));
}

// True: something was written. A paused Deployment makes no progress, so its deadline must not run.
base::Result<bool> DeploymentController::note_pause(const Deployment& d) {
  if (!d.progress_deadline) return false;
  const Condition* progressing = find_condition(d.status, "Progressing");
  if (progressing && progressing->reason == "ProgressDeadlineExceeded") return false;
  const bool noted = progressing && progressing->reason == "DeploymentPaused";
  if (d.paused == noted) return false;
  DeploymentStatus status = d.status;
  Condition condition = make_condition("Progressing", false, d.paused ? "DeploymentPaused" : "DeploymentResumed",
                                       d.paused ? "Deployment is paused" : "Deployment is resumed", loop_.clock().wall());
  condition.status = "Unknown";
  set_condition(status, std::move(condition));
  TRY(write_status(loop_.client(), d.object, render_deployment_status(status)));
  return true;
}

base::Status DeploymentController::claim(const Deployment& d, std::vector<ReplicaSet>& owned) {
  for (const auto& [name, rs] : sets_[d.meta.ns]) {
    const OwnerRef* owner = controller_of(rs.meta);
    const bool matches = d.selector.matches(rs.meta.labels);
    if (owner && owner->uid == d.meta.uid) {
      if (matches) {
        owned.push_back(rs);
      } else if (!d.meta.deleting) {
        TRY(merge_patch(loop_.client(), rs.object.key(),
                        {{"metadata", {{"uid", rs.meta.uid}, {"ownerReferences", owner_refs_without(rs.object, d.meta.uid)}}}}));
      }
    } else if (!owner && matches && !d.meta.deleting && !rs.meta.deleting) {
      json refs = owner_refs_without(rs.object, d.meta.uid);
      refs.push_back(render_controller_ref(d.object));
      auto adopted =
          TRY(merge_patch(loop_.client(), rs.object.key(), {{"metadata", {{"uid", rs.meta.uid}, {"ownerReferences", std::move(refs)}}}}));
      owned.push_back(project_replica_set(adopted));
    }
  }
  return {};
}

bool DeploymentController::old_pods_left(const Rollout& rollout) const {
  return std::any_of(rollout.old.begin(), rollout.old.end(), [this](const ReplicaSet* rs) {
    const auto& pods = pods_.owned_by(rs->meta.uid);
    return std::any_of(pods.begin(), pods.end(), [](const auto& entry) { return !entry.second->finished(); });
  });
}

// One step towards the template. True: something was written.
base::Result<bool> DeploymentController::roll_out(const Rollout& rollout) {
  const Deployment& d = rollout.deployment;
  if (d.recreate) {
    std::vector<ScaleStep> down;
    for (const ReplicaSet* rs : rollout.old) down.push_back({rs, 0});
    if (TRY(scale_all(d, down))) return true;
    if (old_pods_left(rollout)) return false;
  }
  if (TRY(prepare_current(rollout, /*create=*/true))) return true;
  const int64_t own = rollout.current->replicas;
  const int64_t wanted = own > d.replicas ? d.replicas : current_set_replicas(rollout);
  if (TRY(scale(d, {rollout.current, wanted}))) return true;
  if (d.recreate) return false;
  return scale_all(d, shrink_old_sets(rollout));
}

// Makes the current set, or brings its revision and annotations up to date. True: something was written.
base::Result<bool> DeploymentController::prepare_current(const Rollout& rollout, bool create) {
  int64_t newest = 0;
  for (const ReplicaSet* rs : rollout.old) newest = std::max(newest, revision_of(rs->meta));
  if (rollout.current) return refresh_current(rollout, newest + 1);
  if (!create) return false;
  TRY_STATUS(create_current(rollout, newest + 1));
  return true;
}

base::Result<bool> DeploymentController::refresh_current(const Rollout& rollout, int64_t revision) {
  const Deployment& d = rollout.deployment;
  const ReplicaSet& rs = *rollout.current;
  json annotations = json::object();
  for (const auto& [key, value] : d.meta.annotations) {
    auto it = rs.meta.annotations.find(key);
    if (inherited(key) && (it == rs.meta.annotations.end() || it->second != value)) annotations[key] = value;
  }
  const int64_t old_revision = revision_of(rs.meta);
  if (old_revision < revision) {
    annotations[kRevision] = std::to_string(revision);
    if (old_revision > 0) {
      auto it = rs.meta.annotations.find(kRevisionHistory);
      const std::string history = it == rs.meta.annotations.end() || it->second.empty() ? "" : it->second + ",";
      annotations[kRevisionHistory] = history + std::to_string(old_revision);
    }
  }
  bool wrote = false;
  if (!annotations.empty() || rs.min_ready != d.min_ready) {
    TRY(merge_patch(loop_.client(), rs.object.key(),
                    {{"metadata", {{"annotations", annotations}}}, {"spec", {{"minReadySeconds", d.min_ready.count()}}}}));
    wrote = true;
  }
  const std::string shown = std::to_string(std::max(old_revision, revision));
  auto it = d.meta.annotations.find(kRevision);
  if (it == d.meta.annotations.end() || it->second != shown) {
    TRY(merge_patch(loop_.client(), d.object.key(), {{"metadata", {{"annotations", {{kRevision, shown}}}}}}));
    return true;
  }
  if (d.progress_deadline && !find_condition(d.status, "Progressing")) {
    DeploymentStatus status = d.status;
    set_condition(status, make_condition("Progressing", true, "FoundNewReplicaSet", "Found new replica set \"" + rs.meta.name + "\"",
                                         loop_.clock().wall()));
    TRY(write_status(loop_.client(), d.object, render_deployment_status(status)));
    return true;
  }
  return wrote;
}

base::Status DeploymentController::create_current(const Rollout& rollout, int64_t revision) {
  const Deployment& d = rollout.deployment;
  const std::string hash = template_hash(d.pod_template(), d.status.collisions);
  json pod_template = d.pod_template();
  store::ensure(pod_template, "metadata.labels")[kTemplateHash] = hash;
  json selector = store::get_object(d.object.tree(), "spec.selector");
  store::ensure(selector, "matchLabels")[kTemplateHash] = hash;
  json annotations = {{kRevision, std::to_string(revision)},
                      {kDesiredReplicas, std::to_string(d.replicas)},
                      {kMaxReplicas, std::to_string(d.replicas + d.max_surge)}};
  for (const auto& [key, value] : d.meta.annotations) {
    if (inherited(key)) annotations[key] = value;
  }
  const int64_t replicas = current_set_replicas(rollout);
  json spec = {{"replicas", replicas}, {"selector", std::move(selector)}, {"template", pod_template}};
  if (d.min_ready.count() > 0) spec["minReadySeconds"] = d.min_ready.count();
  json tree = {{"apiVersion", "apps/v1"},
               {"kind", "ReplicaSet"},
               {"metadata",
                {{"name", d.meta.name + "-" + hash},
                 {"namespace", d.meta.ns},
                 {"labels", store::get_object(pod_template, "metadata.labels")},
                 {"annotations", std::move(annotations)},
                 {"ownerReferences", {render_controller_ref(d.object)}}}},
               {"spec", std::move(spec)}};
  auto created = create_object(loop_.client(), kReplicaSets, std::move(tree));
  DeploymentStatus status = d.status;
  const base::WallTime now = loop_.clock().wall();
  if (created.ok()) {
    if (replicas > 0) {
      events_.normal(make_ref(d.object), "ScalingReplicaSet",
                     "Scaled up replica set " + created->name() + " from 0 to " + std::to_string(replicas));
    }
    set_condition(status, make_condition("Progressing", true, "NewReplicaSetCreated", "Created new replica set \"" + created->name() + "\"", now));
  } else if (created.error().code == base::Code::kAlreadyExists) {
    ++status.collisions;  // Another template or owner took the name: the next hash differs.
  } else if (created.error().code == base::Code::kForbidden) {
    return std::move(created).error();
  } else {
    set_condition(status, make_condition("Progressing", false, "ReplicaSetCreateError",
                                         "Failed to create new replica set \"" + d.meta.name + "-" + hash + "\": " + created.error().message, now));
  }
  if (!d.progress_deadline) std::erase_if(status.conditions, [](const Condition& c) { return c.type == "Progressing"; });
  if (!(status == d.status)) TRY(write_status(loop_.client(), d.object, render_deployment_status(status)));
  if (!created.ok() && created.error().code != base::Code::kAlreadyExists) return std::move(created).error();
  return {};
}

base::Result<bool> DeploymentController::scale(const Deployment& d, const ScaleStep& step) {
  const ReplicaSet& rs = *step.set;
  json annotations = json::object();
  const std::pair<const char*, int64_t> numbers[] = {{kDesiredReplicas, d.replicas}, {kMaxReplicas, d.replicas + d.max_surge}};
  for (const auto& [key, value] : numbers) {
    auto it = rs.meta.annotations.find(key);
    if (it == rs.meta.annotations.end() || it->second != std::to_string(value)) annotations[key] = std::to_string(value);
  }
  const bool resize = step.to != rs.replicas;
  // Sets of no size carry stale numbers harmlessly; rewriting all of them at each scaling would cost a write a revision.
  if (!resize && (annotations.empty() || rs.replicas == 0)) return false;
  TRY(merge_patch(loop_.client(), rs.object.key(), {{"metadata", {{"annotations", annotations}}}, {"spec", {{"replicas", step.to}}}}));
  if (resize) {
    events_.normal(make_ref(d.object), "ScalingReplicaSet",
                   std::string("Scaled ") + (step.to > rs.replicas ? "up" : "down") + " replica set " + rs.meta.name + " from " +
                       std::to_string(rs.replicas) + " to " + std::to_string(step.to));
  }
  return true;
}

base::Result<bool> DeploymentController::scale_all(const Deployment& d, const std::vector<ScaleStep>& steps) {
  bool wrote = false;
  for (const ScaleStep& step : steps) wrote = TRY(scale(d, step)) || wrote;
  return wrote;
}

base::Status DeploymentController::clean_up(const Rollout& rollout) {
  for (const ReplicaSet* rs : surplus_history(rollout)) TRY_STATUS(remove_object(loop_.client(), rs->object));
  return {};
}

base::Result<Requeue> DeploymentController::finish(const Rollout& rollout, DeploymentStatus status) {
  const Deployment& d = rollout.deployment;
  if (!(status == d.status)) TRY(write_status(loop_.client(), d.object, render_deployment_status(status)));
  const auto deadline = progress_deadline(d, status);
  if (!deadline || d.paused) return Requeue{};
  // One second late on purpose: times on the wire have whole seconds.
  const auto wait = std::chrono::ceil<milliseconds>(*deadline - loop_.clock().wall()) + std::chrono::seconds(1);
  return Requeue{std::max(wait, milliseconds(1000))};
}

}  // namespace

std::unique_ptr<Controller> make_deployment_controller(ControlLoop& loop, PodIndex& pods) {
  return std::make_unique<DeploymentController>(loop, pods);
}

}  // namespace server
