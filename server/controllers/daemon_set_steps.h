// server/controllers/daemon_set_steps.h - what a DaemonSet does next, from nodes and pods alone. Pure; semantics as
// upstream's daemon set controller.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "server/model/daemon_set.h"
#include "server/model/node.h"
#include "server/model/pod.h"

namespace server {

struct DaemonPlan {
  std::vector<std::string> create;      // Nodes.
  std::vector<const Pod*> remove;
  std::vector<const Pod*> ended;        // Of those: pods that are replaced because they ended by themselves.
};

// A node and the set's pods that are on it, or meant for it; the oldest first.
struct DaemonNode {
  const NodeView* node = nullptr;       // nullptr: it is gone.
  bool wanted = false;                  // Should it have a pod?
  bool may_stay = false;                // May a pod that it has stay?
  std::vector<const Pod*> pods;
};
using DaemonNodes = std::map<std::string, DaemonNode>;

// Where each pod is, or is meant for: its node, or the one that its affinity names.
std::string target_node(const json& pod);
DaemonNodes sort_by_node(const DaemonSet& set, const std::map<std::string, NodeView>& nodes, const std::vector<std::pair<const Pod*, std::string>>& pods);

// Pods that are missing and that are too many; an update goes on once there are none. `hash` is the newest revision's.
DaemonPlan plan_daemon_set(const DaemonSet& set, const DaemonNodes& nodes, const std::string& hash, base::WallTime now);

DaemonSet::Status compute_daemon_set_status(const DaemonSet& set, const DaemonNodes& nodes, const std::string& hash, base::WallTime now);

// The pod for a node: the scheduler puts it there and nowhere else, also where others may not go.
json render_daemon_pod(const DaemonSet& set, const std::string& hash, const std::string& node);

}  // namespace server
