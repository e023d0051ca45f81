#include "server/controllers/daemon_set_steps.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "server/controllers/pod_owners.h"
#include "server/controllers/revisions.h"
#include "server/model/fit.h"
#include "store/object/access.h"

namespace server {
namespace {

// What a daemon shall live through: it is there to look after the node.
constexpr std::pair<const char*, const char*> kTolerated[] = {
    {"node.kubernetes.io/not-ready", "NoExecute"},       {"node.kubernetes.io/unreachable", "NoExecute"},  {"node.kubernetes.io/disk-pressure", "NoSchedule"},
    {"node.kubernetes.io/memory-pressure", "NoSchedule"}, {"node.kubernetes.io/pid-pressure", "NoSchedule"}, {"node.kubernetes.io/unschedulable", "NoSchedule"}};
constexpr std::pair<const char*, const char*> kNoNetwork{"node.kubernetes.io/network-unavailable", "NoSchedule"};

void tolerate(json& tolerations, const std::pair<const char*, const char*>& taint) {
  const json toleration = {{"key", taint.first}, {"operator", "Exists"}, {"effect", taint.second}};
  if (std::find(tolerations.begin(), tolerations.end(), toleration) == tolerations.end()) tolerations.push_back(toleration);
}

json daemon_spec(const DaemonSet& set) {
  json spec = store::get_object(set.pod_template(), "spec");
  json tolerations = store::get_array(spec, "tolerations");
  for (const auto& taint : kTolerated) tolerate(tolerations, taint);
  if (store::get_bool(spec, "hostNetwork")) tolerate(tolerations, kNoNetwork);
  spec["tolerations"] = std::move(tolerations);
  return spec;
}

bool is_new(const Pod& pod, const std::string& hash) {
  auto it = pod.meta.labels.find(kDaemonRevision.name);
  return it != pod.meta.labels.end() && it->second == hash;
}

// The new and the old pod of a node, when there is at most one of each that is not on its way out.
struct NewAndOld {
  const Pod* fresh = nullptr;
  const Pod* old = nullptr;
  bool clear = true;
};
NewAndOld split(const DaemonNode& node, const std::string& hash) {
  NewAndOld out;
  for (const Pod* pod : node.pods) {
    if (pod->meta.deleting) continue;
    const Pod*& side = is_new(*pod, hash) ? out.fresh : out.old;
    if (side != nullptr) out.clear = false;
    side = pod;
  }
  return out;
}

class DaemonPlanner {
 public:
  DaemonPlanner(const DaemonSet& set, const DaemonNodes& nodes, const std::string& hash, base::WallTime now) : set_(set), nodes_(nodes), hash_(hash), now_(now) {}

  DaemonPlan plan() {
    for (const auto& [name, node] : nodes_) keep_one(name, node);
    if (set_.on_delete || !plan_.create.empty() || !plan_.remove.empty()) return std::move(plan_);
    const int64_t wanted = std::count_if(nodes_.begin(), nodes_.end(), [](const auto& entry) { return entry.second.wanted; });
    if (const int64_t surge = set_.max_surge(wanted); surge > 0) {
      surge_update(surge);
    } else {
      update(set_.max_unavailable(wanted));
    }
    return std::move(plan_);
  }

 private:
  bool available(const Pod& pod) const { return pod.available(now_, set_.min_ready); }

  void keep_one(const std::string& name, const DaemonNode& node) {
    if (!node.may_stay) {
      for (const Pod* pod : node.pods) {
        if (!pod->meta.deleting) plan_.remove.push_back(pod);
      }
      if (!node.wanted) return;
    }
    if (node.wanted && node.pods.empty()) plan_.create.push_back(name);
    if (!node.may_stay) return;
    std::vector<const Pod*> running;
    for (const Pod* pod : node.pods) {
      if (pod->meta.deleting) continue;
      if (!pod->finished()) {
        running.push_back(pod);
        continue;
      }
      plan_.remove.push_back(pod);
      plan_.ended.push_back(pod);
    }
    if (running.size() <= 1) return;
    if (set_.surges()) {
      keep_pair(running);
    } else {
      plan_.remove.insert(plan_.remove.end(), running.begin() + 1, running.end());
    }
  }

  // While surging: the oldest of each side, and only the new one once it serves or the old one does not.
  void keep_pair(const std::vector<const Pod*>& running) {
    const Pod *fresh = nullptr, *old = nullptr;
    for (const Pod* pod : running) {
      const Pod*& side = is_new(*pod, hash_) ? fresh : old;
      if (side == nullptr) {
        side = pod;
      } else {
        plan_.remove.push_back(pod);
      }
    }
    if (fresh != nullptr && old != nullptr && (!old->ready || available(*fresh))) plan_.remove.push_back(old);
  }

  // Old pods that serve nobody go at once, others as far as enough are left.
  void update(int64_t max_unavailable) {
    int64_t missing = 0;
    std::vector<const Pod*> candidates;
    for (const auto& [name, node] : nodes_) {
      if (!node.wanted) continue;
      const NewAndOld pods = split(node, hash_);
      if (!pods.clear || (pods.fresh == nullptr) == (pods.old == nullptr)) {
        ++missing;
      } else if (pods.fresh != nullptr) {
        missing += !available(*pods.fresh);
      } else if (!available(*pods.old)) {
        plan_.remove.push_back(pods.old);
      } else {
        candidates.push_back(pods.old);
      }
    }
    const int64_t n = std::clamp<int64_t>(max_unavailable - missing, 0, static_cast<int64_t>(candidates.size()));
    plan_.remove.insert(plan_.remove.end(), candidates.begin(), candidates.begin() + n);
  }

  void surge_update(int64_t max_surge) {
    int64_t extra = 0;
    std::vector<std::string> candidates;
    for (const auto& [name, node] : nodes_) {
      if (!node.wanted) continue;
      const NewAndOld pods = split(node, hash_);
      if (!pods.clear) {
        ++extra;
      } else if (pods.old != nullptr && pods.fresh == nullptr) {
        if (available(*pods.old)) {
          candidates.push_back(name);
        } else {
          plan_.create.push_back(name);
        }
      } else if (pods.old != nullptr) {
        ++extra;
      }
    }
    const int64_t n = std::clamp<int64_t>(max_surge - extra, 0, static_cast<int64_t>(candidates.size()));
    plan_.create.insert(plan_.create.end(), candidates.begin(), candidates.begin() + n);
  }

  const DaemonSet& set_;
  const DaemonNodes& nodes_;
  const std::string& hash_;
  const base::WallTime now_;
  DaemonPlan plan_;
};

}  // namespace

std::string target_node(const json& pod) {
  const std::string node = store::get_string(pod, "spec.nodeName");
  if (!node.empty()) return node;
  for (const json& term : store::get_array(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms")) {
    for (const json& field : store::get_array(term, "matchFields")) {
      const json& values = store::get_array(field, "values");
      if (store::get_string(field, "key") == "metadata.name" && values.size() == 1 && values[0].is_string()) return values[0].get<std::string>();
    }
  }
  return "";
}

DaemonNodes sort_by_node(const DaemonSet& set, const std::map<std::string, NodeView>& nodes, const std::vector<std::pair<const Pod*, std::string>>& pods) {
  const Placement placement = project_placement({{"spec", daemon_spec(set)}});
  const std::string only = store::get_string(set.pod_template(), "spec.nodeName");
  DaemonNodes out;
  for (const auto& [name, node] : nodes) {
    DaemonNode& entry = out[name];
    entry.node = &node;
    NodeView steady = node;
    steady.ready = true;  // Daemons tolerate a node that is not.
    const bool named = only.empty() || only == name;
    entry.wanted = named && why_not(placement, steady).empty();
    entry.may_stay = entry.wanted || (named && may_stay(placement, node));
  }
  for (const auto& [pod, node] : pods) out[node].pods.push_back(pod);
  for (auto& [name, entry] : out) {
    std::stable_sort(entry.pods.begin(), entry.pods.end(), [](const Pod* a, const Pod* b) {
      return std::tuple(a->meta.created, std::cref(a->meta.name).get()) < std::tuple(b->meta.created, std::cref(b->meta.name).get());
    });
  }
  return out;
}

DaemonPlan plan_daemon_set(const DaemonSet& set, const DaemonNodes& nodes, const std::string& hash, base::WallTime now) {
  return DaemonPlanner(set, nodes, hash, now).plan();
}

DaemonSet::Status compute_daemon_set_status(const DaemonSet& set, const DaemonNodes& nodes, const std::string& hash, base::WallTime now) {
  DaemonSet::Status out;
  out.observed_generation = set.meta.generation;
  out.collisions = set.status.collisions;
  for (const auto& [name, node] : nodes) {
    if (!node.wanted) {
      out.misscheduled += node.node != nullptr && !node.pods.empty();
      continue;
    }
    ++out.desired;
    if (node.pods.empty()) continue;
    ++out.current;
    const Pod& pod = *node.pods.front();
    out.ready += pod.ready;
    out.available += pod.available(now, set.min_ready);
    out.updated += is_new(pod, hash);
  }
  out.unavailable = out.desired - out.available;
  return out;
}

json render_daemon_pod(const DaemonSet& set, const std::string& hash, const std::string& node) {
  json pod = pod_from_template(set.pod_template(), set.object);
  pod["metadata"]["generateName"] = set.meta.name + "-";
  pod["metadata"]["labels"][kDaemonRevision.name] = hash;
  json spec = daemon_spec(set);
  json& required = store::ensure(spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution");
  required = {{"nodeSelectorTerms", {{{"matchFields", {{{"key", "metadata.name"}, {"operator", "In"}, {"values", {node}}}}}}}}};
  pod["spec"] = std::move(spec);
  return pod;
}

}  // namespace server
