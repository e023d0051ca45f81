// server/model/fit.h - may this pod run on that node? Pure.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "server/model/node.h"
#include "store/object/selector.h"

namespace server {

using json = nlohmann::json;

struct Toleration {
  std::string key, op, value, effect;  // op: "Equal" or "Exists"; empty key with Exists tolerates all.
};

struct NodeTerm {  // Requirements of one nodeSelectorTerm; terms are alternatives.
  std::vector<store::Requirement> labels;
  std::vector<store::Requirement> fields;
};

struct Placement {
  std::map<std::string, std::string> node_selector;
  bool has_affinity = false;
  std::vector<NodeTerm> terms;  // requiredDuringSchedulingIgnoredDuringExecution
  std::vector<Toleration> tolerations;
};

Placement project_placement(const json& pod);
// Empty: it fits. Else upstream's reason, such as "node(s) didn't match Pod's node affinity/selector".
std::string why_not(const Placement& placement, const NodeView& node);
// Of a daemon's pod: may it stay where it is, though it could not be placed there any more? Taints that only keep new pods
// away let it.
bool may_stay(const Placement& placement, const NodeView& node);
// Taints "PreferNoSchedule" that the pod does not tolerate: the fewer, the better.
int count_unwelcome(const Placement& placement, const NodeView& node);

}  // namespace server
