#include "server/controllers/replica_set.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "server/controllers/pod_owners.h"
#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "server/model/replica_set.h"
#include "store/object/access.h"

namespace server {
namespace {

using std::chrono::milliseconds;

constexpr int64_t kBurst = 32;              // Pods created in one run, so that scheduling and starting overlap with creating.
constexpr milliseconds kInterval{5};        // Status changes of one set are written at most this often.

int phase_order(PodPhase phase) {
  switch (phase) {
    case PodPhase::kPending: return 0;
    case PodPhase::kUnknown: return 1;
    default: return 2;
  }
}

// The same for both kinds that keep a number of pods.
struct PodSetKind {
  const char* storage;
  const char* queue;
  const char* component;
};
constexpr PodSetKind kReplicaSet{"replicasets.apps", "replicaset", "replicaset-controller"};
constexpr PodSetKind kReplicationController{"replicationcontrollers", "replicationcontroller", "replication-controller"};

class ReplicaSetController final : public Controller {
 public:
  ReplicaSetController(ControlLoop& loop, PodIndex& pods, const PodSetKind& kind)
      : loop_(loop),
        pods_(pods),
        kind_(kind),
        events_(loop, kind.component),
        queue_(loop.make_queue(
            kind.queue, [this](const store::Key& key) { return reconcile(key); }, QueueOptions{QueueOptions::Priority::kNormal, kInterval})),
        owners_(loop, pods, kind.storage, queue_) {
    loop.on_change(kind.storage, [this](const store::Object& before, const store::Object& after) {
      if (before) sets_.erase(before.uid());
      if (after) sets_[after.uid()] = project_replica_set(after);
    });
  }

 private:
  base::Result<Requeue> reconcile(const store::Key& key);
  base::Status create_pods(const ReplicaSet& rs, int64_t count);
  base::Status create_pod(const ReplicaSet& rs);
  base::Status remove_pods(const ReplicaSet& rs, std::vector<const Pod*>& active, int64_t count);
  base::Status write_counts(const ReplicaSet& rs, const std::vector<const Pod*>& active, const base::Status& scaled);
  std::map<std::string, int> crowd_of(const ReplicaSet& rs) const;

  ControlLoop& loop_;
  PodIndex& pods_;
  const PodSetKind& kind_;
  EventRecorder events_;
  WorkQueue& queue_;
  PodOwners owners_;
  std::map<std::string, ReplicaSet> sets_;  // By uid.
};

base::Result<Requeue> ReplicaSetController::reconcile(const store::Key& key) {
  const store::Object* object = loop_.cache(kind_.storage).find(key.ns, key.name);
  if (object == nullptr) return Requeue{};
  const ReplicaSet rs = sets_[object->uid()];
  std::vector<const Pod*> owned;
  TRY_STATUS(claim_pods(loop_, pods_, rs.object, rs.selector, {}, owned));
  std::vector<const Pod*> active;
  std::copy_if(owned.begin(), owned.end(), std::back_inserter(active), [](const Pod* pod) { return pod->active(); });
  const int64_t missing = rs.replicas - static_cast<int64_t>(active.size());
  if (missing != 0 && !rs.meta.deleting) {
    base::Status scaled = missing > 0 ? create_pods(rs, missing) : remove_pods(rs, active, -missing);
    // The pods' own events bring us back for the counts: writing them now would only be one write more.
    if (scaled.ok()) return Requeue{missing > kBurst ? milliseconds(1) : milliseconds(0)};
    TRY_STATUS(write_counts(rs, active, scaled));
    return std::move(scaled).error();
  }
  TRY_STATUS(write_counts(rs, active, {}));
  // Nothing tells when minReadySeconds have passed, so come back then.
  return Requeue{until_available(active, rs.min_ready, loop_.clock().wall())};
}

base::Status ReplicaSetController::create_pods(const ReplicaSet& rs, int64_t count) {
  for (int64_t i = 0; i < std::min(count, kBurst); ++i) TRY_STATUS(create_pod(rs));
  return {};
}

base::Status ReplicaSetController::create_pod(const ReplicaSet& rs) {
  json pod = pod_from_template(rs.pod_template(), rs.object);
  pod["metadata"]["generateName"] = rs.meta.name + "-";
  return create_owned_pod(loop_, events_, rs.object, std::move(pod));
}

// Pods a node already runs of this workload, over all sets of the same owner: scaling down evens nodes out.
std::map<std::string, int> ReplicaSetController::crowd_of(const ReplicaSet& rs) const {
  std::map<std::string, int> crowd;
  const OwnerRef* owner = controller_of(rs.meta);
  for (const auto& [uid, other] : sets_) {
    const OwnerRef* its = controller_of(other.meta);
    const bool related = uid == rs.meta.uid || (owner && its && its->uid == owner->uid);
    if (!related) continue;
    for (const auto& [name, pod] : pods_.owned_by(uid)) {
      if (pod->active()) ++crowd[pod->node];
    }
  }
  return crowd;
}

base::Status ReplicaSetController::remove_pods(const ReplicaSet& rs, std::vector<const Pod*>& active, int64_t count) {
  rank_for_deletion(active, crowd_of(rs));
  for (int64_t i = 0; i < count; ++i) TRY_STATUS(remove_owned_pod(loop_, events_, rs.object, *active[i]));
  active.erase(active.begin(), active.begin() + count);
  return {};
}

base::Status ReplicaSetController::write_counts(const ReplicaSet& rs, const std::vector<const Pod*>& active, const base::Status& scaled) {
  const base::WallTime now = loop_.clock().wall();
  const auto template_labels = store::get_string_map(rs.pod_template(), "metadata.labels");
  ReplicaSet::StatusCounts counts;
  counts.replicas = static_cast<int64_t>(active.size());
  counts.observed_generation = rs.meta.generation;
  for (const Pod* pod : active) {
    const auto& labels = pod->meta.labels;
    counts.labeled += std::all_of(template_labels.begin(), template_labels.end(), [&labels](const auto& wanted) {
      auto it = labels.find(wanted.first);
      return it != labels.end() && it->second == wanted.second;
    });
    counts.ready += pod->ready;
    counts.available += pod->available(now, rs.min_ready);
  }
  json conditions = json::array();
  if (!scaled.ok()) {
    const json* old = find_condition(rs.object.tree(), "ReplicaFailure");
    conditions.push_back({{"type", "ReplicaFailure"},
                          {"status", "True"},
                          {"reason", "FailedCreate"},
                          {"message", scaled.error().message},
                          {"lastTransitionTime", old ? store::get_string(*old, "lastTransitionTime") : base::render_rfc3339(now)}});
  }
  const json& old_conditions = store::get_array(rs.object.tree(), "status.conditions");
  if (counts == rs.status && conditions == old_conditions) return {};
  json status = {{"replicas", counts.replicas}, {"observedGeneration", counts.observed_generation}};
  if (counts.labeled) status["fullyLabeledReplicas"] = counts.labeled;
  if (counts.ready) status["readyReplicas"] = counts.ready;
  if (counts.available) status["availableReplicas"] = counts.available;
  if (!conditions.empty()) status["conditions"] = std::move(conditions);
  TRY(write_status(loop_.client(), rs.object, std::move(status)));
  return {};
}

}  // namespace

void rank_for_deletion(std::vector<const Pod*>& pods, const std::map<std::string, int>& crowd) {
  auto crowd_at = [&crowd](const Pod& pod) {
    auto it = crowd.find(pod.node);
    return it == crowd.end() ? 0 : it->second;
  };
  std::stable_sort(pods.begin(), pods.end(), [&](const Pod* a, const Pod* b) {
    auto first = [](const Pod& p) { return std::tuple(!p.node.empty(), phase_order(p.phase), p.ready, p.deletion_cost); };
    if (first(*a) != first(*b)) return first(*a) < first(*b);
    if (crowd_at(*a) != crowd_at(*b)) return crowd_at(*a) > crowd_at(*b);
    if (a->ready && b->ready && a->ready_since != b->ready_since) return a->ready_since > b->ready_since;
    if (a->restarts != b->restarts) return a->restarts > b->restarts;
    return a->meta.created > b->meta.created;
  });
}

std::unique_ptr<Controller> make_replica_set_controller(ControlLoop& loop, PodIndex& pods) {
  return std::make_unique<ReplicaSetController>(loop, pods, kReplicaSet);
}
std::unique_ptr<Controller> make_replication_controller_controller(ControlLoop& loop, PodIndex& pods) {
  return std::make_unique<ReplicaSetController>(loop, pods, kReplicationController);
}

}  // namespace server
