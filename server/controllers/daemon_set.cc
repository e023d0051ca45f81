#include "server/controllers/daemon_set.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "server/controllers/daemon_set_steps.h"
#include "server/controllers/pod_owners.h"
#include "server/controllers/revisions.h"
#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "store/object/access.h"

namespace server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kSets = "daemonsets.apps";
constexpr milliseconds kDaemonSetInterval{5};  // Status changes of one set are written at most this often.
constexpr seconds kFirstPodBackoff{1}, kMaxPodBackoff{15 * 60};

class DaemonSetController final : public Controller {
 public:
  DaemonSetController(ControlLoop& loop, PodIndex& pods)
      : loop_(loop),
        pods_(pods),
        events_(loop, "daemonset-controller"),
        queue_(loop.make_queue(
            "daemonset", [this](const store::Key& key) { return reconcile(key); }, QueueOptions{QueueOptions::Priority::kNormal, kDaemonSetInterval})),
        owners_(loop, pods, kSets, queue_) {
    loop.on_change("nodes", [this](const store::Object& before, const store::Object& after) { node_changed(before, after); });
  }

 private:
  // How often a set's pod ended by itself on a node: the next one waits longer each time.
  struct Ended {
    seconds wait{0};
    base::MonoTime until{};
  };
  void node_changed(const store::Object& before, const store::Object& after);
  base::Result<Requeue> reconcile(const store::Key& key);
  base::Status act(const DaemonSet& set, const DaemonPlan& plan, const std::string& hash, milliseconds& retry);
  bool held_back(const DaemonSet& set, const Pod& pod, milliseconds& retry);

  ControlLoop& loop_;
  PodIndex& pods_;
  EventRecorder events_;
  WorkQueue& queue_;
  PodOwners owners_;
  std::map<std::string, NodeView> nodes_;
  std::map<std::pair<std::string, std::string>, Ended> ended_;  // By uid and node.
};

// Heartbeats change nodes all the time; what counts for placing is few things.
bool places_alike(const NodeView& a, const NodeView& b) {
  auto same = [](const Taint& x, const Taint& y) { return x.key == y.key && x.value == y.value && x.effect == y.effect; };
  return a.unschedulable == b.unschedulable && a.meta.labels == b.meta.labels && std::equal(a.taints.begin(), a.taints.end(), b.taints.begin(), b.taints.end(), same);
}

void DaemonSetController::node_changed(const store::Object& before, const store::Object& after) {
  const std::string name = after ? after.name() : before.name();
  auto known = nodes_.find(name);
  if (after) {
    NodeView now = project_node(after.tree());
    const bool news = known == nodes_.end() || !places_alike(known->second, now);
    nodes_[name] = std::move(now);
    if (!news) return;
  } else if (known != nodes_.end()) {
    nodes_.erase(known);
  }
  for (const store::Object& set : loop_.cache(kSets).list()) queue_.add(set.key());
}

base::Result<Requeue> DaemonSetController::reconcile(const store::Key& key) {
  const store::Object* object = loop_.cache(kSets).find(key.ns, key.name);
  if (object == nullptr) {
    std::erase_if(ended_, [this](const auto& entry) { return !owners_.has(entry.first.first); });
    return Requeue{};
  }
  const DaemonSet set = project_daemon_set(*object);
  const store::LabelSelector selector = selector_of(object->tree());
  if (selector.nothing) return Requeue{};
  std::vector<const Pod*> pods;
  TRY_STATUS(claim_pods(loop_, pods_, set.object, selector, {}, pods));
  std::vector<store::Object> revisions = TRY(claim_revisions(loop_, set.object, selector));
  if (set.meta.deleting) return Requeue{};
  const CurrentRevision update = TRY(ensure_revision(loop_, set.object, kDaemonRevision, set.status.collisions, revisions));
  const std::string* label = store::find_label(update.object.tree(), kDaemonRevision.name);
  const std::string hash = label != nullptr ? *label : "";
  std::vector<std::pair<const Pod*, std::string>> placed;
  for (const Pod* pod : pods) {
    const store::Object* stored = loop_.cache("pods").find(pod->meta.ns, pod->meta.name);
    if (stored != nullptr) placed.emplace_back(pod, target_node(stored->tree()));
  }
  const DaemonNodes nodes = sort_by_node(set, nodes_, placed);
  const base::WallTime now = loop_.clock().wall();
  const DaemonPlan plan = plan_daemon_set(set, nodes, hash, now);
  milliseconds retry{0};
  const base::Status acted = act(set, plan, hash, retry);
  const bool wait = acted.ok() && (!plan.create.empty() || !plan.remove.empty()) && retry.count() == 0 && set.status.observed_generation == set.meta.generation;
  if (!wait) {  // Else the pods' own events bring us back for the counts.
    DaemonSet::Status status = compute_daemon_set_status(set, nodes, hash, now);
    status.collisions = update.collisions;
    if (!(status == set.status)) TRY(write_status(loop_.client(), set.object, render_daemon_set_status(status)));
    std::set<std::string> live{update.object.name()};
    for (const Pod* pod : pods) {
      if (auto it = pod->meta.labels.find(kDaemonRevision.name); it != pod->meta.labels.end()) live.insert(set.meta.name + "-" + it->second);
    }
    TRY_STATUS(truncate_revisions(loop_, revisions, live, set.history_limit));
  }
  TRY_STATUS(acted);
  const milliseconds ready = until_available(pods, set.min_ready, now);
  return Requeue{retry.count() == 0 ? ready : ready.count() == 0 ? retry : std::min(ready, retry)};
}

base::Status DaemonSetController::act(const DaemonSet& set, const DaemonPlan& plan, const std::string& hash, milliseconds& retry) {
  for (const Pod* pod : plan.remove) {
    const bool ended = std::find(plan.ended.begin(), plan.ended.end(), pod) != plan.ended.end();
    if (ended && held_back(set, *pod, retry)) continue;
    TRY_STATUS(remove_owned_pod(loop_, events_, set.object, *pod));
  }
  for (const std::string& node : plan.create) TRY_STATUS(create_owned_pod(loop_, events_, set.object, render_daemon_pod(set, hash, node)));
  return {};
}

// A pod that ends at once would otherwise be replaced without end.
bool DaemonSetController::held_back(const DaemonSet& set, const Pod& pod, milliseconds& retry) {
  const base::MonoTime now = loop_.clock().mono();
  Ended& entry = ended_[{set.meta.uid, pod.node}];
  if (entry.until > now) {
    const auto left = std::chrono::ceil<milliseconds>(entry.until - now);
    retry = retry.count() == 0 ? left : std::min(retry, left);
    return true;
  }
  if (now - entry.until > 2 * kMaxPodBackoff) entry.wait = seconds(0);
  entry.wait = entry.wait.count() == 0 ? kFirstPodBackoff : std::min(entry.wait * 2, kMaxPodBackoff);
  entry.until = now + entry.wait;
  const bool failed = pod.phase == PodPhase::kFailed;
  const std::string text = std::string(failed ? "Found failed" : "Found succeeded") + " daemon pod " + pod.meta.ns + "/" + pod.meta.name + " on node " + pod.node +
                           ", will try to " + (failed ? "kill" : "delete") + " it";
  if (failed) {
    events_.warning(make_ref(set.object), "FailedDaemonPod", text);
  } else {
    events_.normal(make_ref(set.object), "SucceededDaemonPod", text);
  }
  return false;
}

}  // namespace

std::unique_ptr<Controller> make_daemon_set_controller(ControlLoop& loop, PodIndex& pods) { return std::make_unique<DaemonSetController>(loop, pods); }

}  // namespace server
