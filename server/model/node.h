// server/model/node.h - a Node as the scheduler and the node agent see it. Pure; any thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "server/model/meta.h"

namespace server {

struct Taint {
  std::string key;
  std::string value;
  std::string effect;  // "NoSchedule", "PreferNoSchedule", "NoExecute"
};

struct NodeView {
  Meta meta;
  std::string zone;                // topology.kubernetes.io/zone
  std::string internal_ip;
  bool ready = false;
  bool unschedulable = false;
  std::vector<Taint> taints;
};

NodeView project_node(const json& tree);

}  // namespace server
