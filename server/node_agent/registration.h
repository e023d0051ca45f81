// server/node_agent/registration.h - Node objects for the fabric's nodes, and their leases. Control thread only.
#pragma once

#include <set>
#include <string>

#include "netns/fabric.h"
#include "server/informer/control_loop.h"

namespace server {

class NodeRegistration {
 public:
  NodeRegistration(ControlLoop& loop, netns::Fabric& fabric);

 private:
  base::Result<Requeue> reconcile(const store::Key& key);
  base::Status ensure_node(const netns::NodePlan& plan);
  base::Status renew_lease(const std::string& node);

  ControlLoop& loop_;
  netns::Fabric& fabric_;
  WorkQueue& nodes_;
  WorkQueue& leases_;
  std::set<std::string> refreshed_;  // Nodes whose status was written by this process.
};

// What a Node says of its machine. Pure but for uname(2) and sysconf(3).
json compile_node(const netns::NodePlan& plan);
json compile_node_status(const netns::NodePlan& plan, base::WallTime now);

}  // namespace server
