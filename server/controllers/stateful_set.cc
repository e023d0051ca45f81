#include "server/controllers/stateful_set.h"

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "server/controllers/pod_owners.h"
#include "server/controllers/revisions.h"
#include "server/controllers/stateful_set_steps.h"
#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "store/object/access.h"

namespace server {
namespace {

using std::chrono::milliseconds;

constexpr const char* kSets = "statefulsets.apps";
constexpr const char* kClaims = "persistentvolumeclaims";
constexpr milliseconds kStatefulSetInterval{5};  // Status changes of one set are written at most this often.

using Pods = std::vector<const Pod*>;

class StatefulSetController final : public Controller {
 public:
  StatefulSetController(ControlLoop& loop, PodIndex& pods)
      : loop_(loop),
        pods_(pods),
        events_(loop, "statefulset-controller"),
        queue_(loop.make_queue(
            "statefulset", [this](const store::Key& key) { return reconcile(key); }, QueueOptions{QueueOptions::Priority::kNormal, kStatefulSetInterval})),
        owners_(loop, pods, kSets, queue_) {}

 private:
  base::Result<Requeue> reconcile(const store::Key& key);
  base::Status act(const StatefulSet& set, const StatefulPlan& plan, const store::Object& current, const store::Object& update);
  base::Status create_pod(const StatefulSet& set, const store::Object& revision, int64_t ordinal);
  base::Status create_claims(const StatefulSet& set, const std::string& pod_name);
  base::Status remove_pod(const StatefulSet& set, const Pod& pod);
  base::Status tend_claims(const StatefulSet& set, const Pods& pods);
  base::Status set_claim_owner(const store::Object& claim, const store::Object* owner, const std::set<std::string>& ours);
  void told(const StatefulSet& set, const char* verb, const std::string& what, const base::Status& status);

  ControlLoop& loop_;
  PodIndex& pods_;
  EventRecorder events_;
  WorkQueue& queue_;
  PodOwners owners_;
};

base::Result<Requeue> StatefulSetController::reconcile(const store::Key& key) {
  const store::Object* object = loop_.cache(kSets).find(key.ns, key.name);
  if (object == nullptr) return Requeue{};
  const StatefulSet set = project_stateful_set(*object);
  const store::LabelSelector selector = selector_of(object->tree());
  if (selector.nothing) return Requeue{};
  Pods pods;
  TRY_STATUS(claim_pods(loop_, pods_, set.object, selector, [&set](const Pod& pod) { return ordinal_of(set, pod.meta.name) >= 0; }, pods));
  std::vector<store::Object> revisions = TRY(claim_revisions(loop_, set.object, selector));
  if (set.meta.deleting) return Requeue{};
  const CurrentRevision update = TRY(ensure_revision(loop_, set.object, kStatefulRevision, set.status.collisions, revisions));
  const std::string update_name = update.object.name();
  store::Object current = update.object;
  for (const store::Object& revision : revisions) {
    if (revision.name() == set.status.current_revision) current = revision;
  }
  const base::WallTime now = loop_.clock().wall();
  TRY_STATUS(tend_claims(set, pods));
  const StatefulPlan plan = plan_stateful_set(set, pods, update_name, now);
  const base::Status acted = act(set, plan, current, update.object);
  // The pods' own events bring us back for the counts; the first status says that the set has been seen.
  const bool wait = acted.ok() && (!plan.create.empty() || !plan.remove.empty()) && set.status.observed_generation == set.meta.generation;
  if (!wait) {
    const StatefulSet::Status status = compute_stateful_set_status(set, pods, update_name, update.collisions, now);
    if (!(status == set.status)) TRY(write_status(loop_.client(), set.object, render_stateful_set_status(status)));
    std::set<std::string> live{status.current_revision, status.update_revision};
    for (const Pod* pod : pods) {
      if (auto it = pod->meta.labels.find(kRevisionLabel); it != pod->meta.labels.end()) live.insert(it->second);
    }
    TRY_STATUS(truncate_revisions(loop_, revisions, live, set.history_limit));
  }
  TRY_STATUS(acted);
  return Requeue{until_available(pods, set.min_ready, now)};
}

base::Status StatefulSetController::act(const StatefulSet& set, const StatefulPlan& plan, const store::Object& current, const store::Object& update) {
  for (const StatefulPlan::Create& create : plan.create) TRY_STATUS(create_pod(set, create.current ? current : update, create.ordinal));
  for (const Pod* pod : plan.remove) TRY_STATUS(remove_pod(set, *pod));
  return {};
}

// An Event, worded as upstream's.
void StatefulSetController::told(const StatefulSet& set, const char* verb, const std::string& what, const base::Status& status) {
  const std::string reason = std::string(1, static_cast<char>(verb[0] - 'a' + 'A')) + (verb + 1);
  const std::string subject = std::string(verb) + " " + what + " in StatefulSet " + set.meta.name;
  if (status.ok()) {
    events_.normal(make_ref(set.object), "Successful" + reason, subject + " successful");
  } else if (status.error().code != base::Code::kForbidden) {  // A namespace on its way out refuses, and everybody knows.
    events_.warning(make_ref(set.object), "Failed" + reason, subject + " failed error: " + status.error().message);
  }
}

base::Status StatefulSetController::create_pod(const StatefulSet& set, const store::Object& revision, int64_t ordinal) {
  const std::string name = stateful_pod_name(set, ordinal);
  TRY_STATUS(create_claims(set, name));
  auto created = create_object(loop_.client(), "pods", render_stateful_pod(set, template_of_revision(revision), revision.name(), ordinal));
  const base::Status status = created.ok() ? base::Status() : base::Status(created.error());
  told(set, "create", "Pod " + name, status);
  return status;
}

base::Status StatefulSetController::create_claims(const StatefulSet& set, const std::string& pod_name) {
  for (const json& claim : set.claim_templates()) {
    const std::string name = claim_name(claim, pod_name);
    if (loop_.cache(kClaims).find(set.meta.ns, name) != nullptr) continue;
    auto created = create_object(loop_.client(), kClaims, render_claim(set, claim, pod_name));
    if (!created.ok() && created.error().code == base::Code::kAlreadyExists) continue;
    const base::Status status = created.ok() ? base::Status() : base::Status(created.error());
    told(set, "create", "Claim " + name + " Pod " + pod_name, status);
    TRY_STATUS(status);
  }
  return {};
}

base::Status StatefulSetController::remove_pod(const StatefulSet& set, const Pod& pod) {
  const store::Object* object = loop_.cache("pods").find(pod.meta.ns, pod.meta.name);
  if (object == nullptr) return {};
  const std::string name = pod.meta.name;
  base::Status removed = remove_object(loop_.client(), *object);
  told(set, "delete", "Pod " + name, removed);
  return removed;
}

// Who takes a claim along when it goes: nobody, the set, or the pod that is to go for good.
base::Status StatefulSetController::tend_claims(const StatefulSet& set, const Pods& pods) {
  if (set.claim_templates().empty()) return {};
  for (const Pod* pod : pods) {
    const int64_t ordinal = ordinal_of(set, pod->meta.name);
    const bool condemned = ordinal < set.start || ordinal >= set.end();
    const store::Object* owner = set.delete_claims_with_set ? &set.object : nullptr;
    if (condemned) owner = set.delete_claims_with_scale ? loop_.cache("pods").find(set.meta.ns, pod->meta.name) : nullptr;
    if (condemned && !set.delete_claims_with_scale && set.delete_claims_with_set) owner = &set.object;
    for (const json& claim_template : set.claim_templates()) {
      const store::Object* claim = loop_.cache(kClaims).find(set.meta.ns, claim_name(claim_template, pod->meta.name));
      if (claim != nullptr) TRY_STATUS(set_claim_owner(*claim, owner, {set.meta.uid, pod->meta.uid}));
    }
  }
  return {};
}

base::Status StatefulSetController::set_claim_owner(const store::Object& claim, const store::Object* owner, const std::set<std::string>& ours) {
  json refs = json::array();
  for (const json& ref : store::get_array(claim.tree(), "metadata.ownerReferences")) {
    if (ours.count(store::get_string(ref, "uid")) == 0) refs.push_back(ref);
  }
  if (owner != nullptr) refs.push_back(render_controller_ref(*owner));
  if (refs == store::get_array(claim.tree(), "metadata.ownerReferences")) return {};
  TRY(merge_patch(loop_.client(), claim.key(), {{"metadata", {{"uid", claim.uid()}, {"ownerReferences", std::move(refs)}}}}));
  return {};
}

}  // namespace

std::unique_ptr<Controller> make_stateful_set_controller(ControlLoop& loop, PodIndex& pods) {
  return std::make_unique<StatefulSetController>(loop, pods);
}

}  // namespace server
