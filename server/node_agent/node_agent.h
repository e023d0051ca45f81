// server/node_agent/node_agent.h - the kubelet's part for every node: registers Node objects, turns pods bound
// to them into sandboxes and processes, reports status, keeps logs, and serves exec, attach and log reads.
// Control-thread code, except PodRuntime, which is thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "netns/fabric.h"
#include "netns/process/spawner.h"
#include "server/api/pod_runtime.h"
#include "server/images/images.h"
#include "server/informer/control_loop.h"
#include "store/base/ip.h"
#include "store/base/loop.h"

namespace server {

struct NodeAgentOptions {
  std::string run_dir;         // Ours, writable: pods/UID/{hosts,resolv.conf,hostname,volumes/}, logs/. Emptied at start.
  base::Ip dns_address;        // 10.96.0.10
  std::string cluster_domain;  // cluster.local
};

class NodeAgent {
 public:
  virtual ~NodeAgent() = default;  // Ends all containers.
  virtual PodRuntime& runtime() = 0;
};
// loop, fabric, spawner and io must outlive it.
std::unique_ptr<NodeAgent> make_node_agent(ControlLoop& loop, netns::Fabric& fabric, netns::Spawner& spawner, base::Loop& io,
                                           const NodeAgentOptions& options);

}  // namespace server
