// server/proxy/proxy.h - Services on every node. Compiles Services and EndpointSlices to map elements (pure,
// compile.h) and applies the difference on each node's worker (apply). See server/proxy/README.md for the ruleset.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "netns/fabric.h"
#include "server/informer/control_loop.h"
#include "store/base/ip.h"

namespace server {

enum class Balancing { kRoundRobin, kRandom };

struct ProxyOptions {
  base::Cidr service_cidr;             // 10.96.0.0/12
  base::Cidr pod_cidr;                 // 10.244.0.0/16
  std::set<base::Ip> local_services;   // Served on the node itself (DNS): never DNATed.
  Balancing balancing = Balancing::kRoundRobin;
};

class Proxy {
 public:
  virtual ~Proxy() = default;
  // Loads the constant ruleset on every node. Blocks until done; before ControlLoop::start().
  virtual base::Status load() = 0;
  // Calls `done` (on the control thread) once every change seen so far is in every node's kernel.
  virtual void when_synced(std::function<void()> done) = 0;
};
std::unique_ptr<Proxy> make_proxy(ControlLoop& loop, netns::Fabric& fabric, const ProxyOptions& options);

}  // namespace server
