#include "server/scheduler/scheduler.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "server/model/node.h"
#include "server/model/pod.h"
#include "server/model/fit.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kName = "default-scheduler";

// How many pods each node has, in all and of each workload. Kept by events, and ahead of them for pods that were
// bound a moment ago, so that a burst of pods spreads as evenly as pods that come one by one.
class NodeLoad {
 public:
  void place(const std::string& pod_uid, const std::string& node, const std::string& workload) {
    auto [it, fresh] = placed_.emplace(pod_uid, std::make_pair(node, workload));
    if (!fresh) return;
    ++total_[node];
    ++of_workload_[{node, workload}];
  }
  void leave(const std::string& pod_uid) {
    auto it = placed_.find(pod_uid);
    if (it == placed_.end()) return;
    const auto& [node, workload] = it->second;
    --total_[node];
    if (--of_workload_[{node, workload}] == 0) of_workload_.erase({node, workload});
    placed_.erase(it);
  }
  int total(const std::string& node) const { return count(total_, node); }
  int of(const std::string& node, const std::string& workload) const { return count(of_workload_, std::make_pair(node, workload)); }

 private:
  template <class Map, class Key>
  static int count(const Map& map, const Key& key) {
    auto it = map.find(key);
    return it == map.end() ? 0 : it->second;
  }
  std::map<std::string, std::pair<std::string, std::string>> placed_;
  std::map<std::string, int> total_;
  std::map<std::pair<std::string, std::string>, int> of_workload_;
};

// What is spread: the pods of one controller; pods without one are alike when their labels are.
std::string workload_of(const Pod& pod) {
  if (const OwnerRef* owner = controller_of(pod.meta)) return owner->uid;
  std::string text = pod.meta.ns;
  for (const auto& [key, value] : pod.meta.labels) text += "," + key + "=" + value;
  return text;
}

class SchedulerImpl final : public Scheduler {
 public:
  explicit SchedulerImpl(ControlLoop& loop)
      : loop_(loop), events_(loop, kName), queue_(loop.make_queue("scheduler", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change("nodes", [this](const store::Object& before, const store::Object& after) { node_changed(before, after); });
    loop.on_change("pods", [this](const store::Object& before, const store::Object& after) { pod_changed(before, after); });
  }

 private:
  void node_changed(const store::Object& before, const store::Object& after) {
    if (before) nodes_.erase(before.name());
    if (after) nodes_[after.name()] = project_node(after.tree());
    for (const store::Key& key : waiting_) queue_.add(key);
  }

  void pod_changed(const store::Object& before, const store::Object& after) {
    if (!after) {
      load_.leave(before.uid());
      waiting_.erase(before.key());
      return;
    }
    Pod pod = project_pod(after.tree());
    if (pod.finished())
      load_.leave(pod.meta.uid);
    else if (!pod.node.empty())
      load_.place(pod.meta.uid, pod.node, workload_of(pod));
    if (pod.node.empty() && pod.active() && is_ours(after.tree())) queue_.add(after.key());
  }

  static bool is_ours(const json& pod) {
    return store::get_string(pod, "spec.schedulerName", kName) == kName && store::get_array(pod, "spec.schedulingGates").empty();
  }

  base::Result<Requeue> reconcile(const store::Key& key) {
    waiting_.erase(key);
    const store::Object* object = loop_.cache("pods").find(key.ns, key.name);
    if (object == nullptr) return Requeue{};
    Pod pod = project_pod(object->tree());
    if (!pod.node.empty() || !pod.active() || !is_ours(object->tree())) return Requeue{};
    std::string workload = workload_of(pod);
    std::map<std::string, int> reasons;
    std::string node = choose(project_placement(object->tree()), workload, reasons);
    if (node.empty()) return report_unschedulable(*object, explain(reasons));
    base::Status bound = loop_.client().bind(key.ns, key.name, node);
    // Gone, or bound by somebody else: what happened comes as an event.
    if (!bound.ok() && bound.error().code != base::Code::kNotFound && bound.error().code != base::Code::kConflict)
      return std::move(bound).error();
    if (!bound.ok()) return Requeue{};
    load_.place(pod.meta.uid, node, workload);
    events_.normal(make_ref(*object), "Scheduled", "Successfully assigned " + key.ns + "/" + key.name + " to " + node);
    return Requeue{};
  }

  // Of the nodes that fit, the one with the fewest unwelcome taints, then with the fewest pods of the workload, then with
  // the fewest pods, then by name.
  std::string choose(const Placement& placement, const std::string& workload, std::map<std::string, int>& reasons) const {
    std::string best;
    std::tuple<int, int, int> best_load;
    for (const auto& [name, node] : nodes_) {
      std::string why = why_not(placement, node);
      if (!why.empty()) {
        ++reasons[why];
        continue;
      }
      std::tuple<int, int, int> load{count_unwelcome(placement, node), load_.of(name, workload), load_.total(name)};
      if (best.empty() || load < best_load) {
        best = name;
        best_load = load;
      }
    }
    return best;
  }

  // Worded and sorted as upstream: by the text of an entry, its count included.
  std::string explain(const std::map<std::string, int>& reasons) const {
    if (nodes_.empty()) return "no nodes available to schedule pods";
    std::set<std::string> entries;
    for (const auto& [reason, count] : reasons) entries.insert(std::to_string(count) + " " + reason);
    std::string out = "0/" + std::to_string(nodes_.size()) + " nodes are available";
    const char* separator = ": ";
    for (const std::string& entry : entries) out += std::exchange(separator, ", ") + entry;
    return out + ".";
  }

  base::Result<Requeue> report_unschedulable(const store::Object& pod, const std::string& message) {
    waiting_.insert(pod.key());
    const json* old = find_condition(pod.tree(), "PodScheduled");
    if (old != nullptr && store::get_string(*old, "message") == message) return Requeue{};
    events_.warning(make_ref(pod), "FailedScheduling", message);
    std::string since = old != nullptr && store::get_string(*old, "status") == "False" ? store::get_string(*old, "lastTransitionTime") : "";
    if (since.empty()) since = base::render_rfc3339(loop_.clock().wall());
    json conditions = json::array();
    for (const json& c : store::get_array(pod.tree(), "status.conditions")) {
      if (store::get_string(c, "type") != "PodScheduled") conditions.push_back(c);
    }
    conditions.push_back({{"type", "PodScheduled"},
                          {"status", "False"},
                          {"reason", "Unschedulable"},
                          {"message", message},
                          {"lastProbeTime", nullptr},
                          {"lastTransitionTime", since}});
    auto told = merge_patch(loop_.client(), pod.key(), {{"status", {{"conditions", conditions}}}}, "status");
    if (!told.ok() && told.error().code != base::Code::kNotFound) return std::move(told).error();
    return Requeue{};
  }

  ControlLoop& loop_;
  EventRecorder events_;
  WorkQueue& queue_;
  std::map<std::string, NodeView> nodes_;
  NodeLoad load_;
  std::set<store::Key> waiting_;  // Pods that fit nowhere; tried again when a node changes.
};

}  // namespace

std::unique_ptr<Scheduler> make_scheduler(ControlLoop& loop) { return std::make_unique<SchedulerImpl>(loop); }

}  // namespace server
