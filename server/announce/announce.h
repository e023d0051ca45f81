// server/announce/announce.h - the network around the cluster learns which nodes take load balancer addresses and
// external IPs, as a router in front of a real cluster would: host routes in the client's and the fabric's own namespace.
//
// externalTrafficPolicy Cluster: one node, the same for as long as the address is taken, so that turns are exact. Local:
// every node that has an endpoint (ready ones first, else those that still serve while they terminate), a connection by one
// of them; while the endpoints are all elsewhere than on a node, nobody: the connection fails with "no route to host".
// A service without any endpoint is routed to a node, which refuses.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "netns/fabric.h"
#include "server/informer/control_loop.h"
#include "server/informer/service_feed.h"
#include "server/model/endpoint_slice.h"
#include "server/model/service.h"

namespace server {

namespace announce {

// Pure. Address -> names of nodes. `nodes`: all, in the order of the fabric.
using Announcements = std::map<base::Ip, std::set<std::string>>;
Announcements compile_announcements(const model::Service& service, const std::vector<const model::EndpointSlice*>& slices,
                                    const std::vector<std::string>& nodes);

}  // namespace announce

// Follows Services and EndpointSlices until it is destroyed. Control thread; destroy it after ControlLoop::stop() and
// before the Fabric.
class Announcer {
 public:
  virtual ~Announcer() = default;
  // Calls `done` (control thread) once every change seen so far has its routes.
  virtual void when_synced(std::function<void()> done) = 0;
};
std::unique_ptr<Announcer> make_announcer(ControlLoop& loop, ServiceFeed& services, netns::Fabric& fabric);

}  // namespace server
