// server/proxy/proxy.h - Services on every node. Compiles Services and EndpointSlices to map elements (pure,
// compile.h) and applies the difference on each node's worker (apply). See server/proxy/README.md for the ruleset.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "netns/fabric.h"
#include "server/informer/control_loop.h"
#include "server/informer/service_feed.h"
#include "server/proxy/status.h"
#include "store/base/ip.h"

namespace server {

enum class Balancing { kRoundRobin, kRandom };

// Ranges may be of either family; each node's table takes those of its own.
struct ProxyOptions {
  base::Cidr service_cidr;             // 10.96.0.0/12
  base::Cidr pod_cidr;                 // 10.244.0.0/16
  std::set<base::Ip> local_services;   // Served on the node itself (DNS): never DNATed.
  Balancing balancing = Balancing::kRoundRobin;
  std::vector<base::Cidr> more_service_cidrs;  // Beside service_cidr: the other family, ServiceCIDR objects.
  std::vector<base::Cidr> more_pod_cidrs;      // Beside pod_cidr: the other family.
  // kube-proxy's settings of these names.
  std::vector<base::Cidr> node_port_addresses;  // Node ports on the node's addresses in these. Empty: its first address only.
  bool masquerade_all = false;                  // Whatever goes to a cluster IP is masqueraded.
  // False: nobody knows which sources are pods. Then nothing but masquerade_all masquerades traffic to cluster IPs (hairpin
  // aside), and pods get no way round externalTrafficPolicy Local. kube-proxy without a cluster CIDR.
  bool detect_local = true;
};

class Proxy {
 public:
  virtual ~Proxy() = default;
  // Loads the constant ruleset on every node. Blocks until done; before ControlLoop::start().
  virtual base::Status load() = 0;
  // Calls `done` (on the control thread) once every change seen so far is in every node's kernel.
  virtual void when_synced(std::function<void()> done) = 0;
  // Control thread. In the order of the fabric's nodes.
  virtual std::vector<proxy::NodeProxyStatus> status() const = 0;
  // `changed` is called on the control thread whenever NodeProxyStatus::health_checks of a node may have changed. One.
  virtual void on_health_checks(std::function<void()> changed) = 0;
  // Compares every set, map and chain of every node with what should be there. `done` gets a line a difference, none
  // if all is as it should be; called on the control thread once nothing is on its way. A node whose changes do not
  // settle says so.
  virtual void verify(std::function<void(std::vector<std::string> differences)> done) = 0;
};
std::unique_ptr<Proxy> make_proxy(ControlLoop& loop, ServiceFeed& services, netns::Fabric& fabric, const ProxyOptions& options);

}  // namespace server
