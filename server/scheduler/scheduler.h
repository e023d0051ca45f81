// server/scheduler/scheduler.h - binds pending pods to nodes: nodeName, nodeSelector, required node affinity,
// taints, unschedulable; spreads a workload's pods evenly, then by the number of pods a node has.
#pragma once

#include <memory>

#include "server/informer/control_loop.h"

namespace server {

class Scheduler {
 public:
  virtual ~Scheduler() = default;
};
std::unique_ptr<Scheduler> make_scheduler(ControlLoop& loop);

}  // namespace server
