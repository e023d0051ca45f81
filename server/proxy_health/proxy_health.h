// server/proxy_health/proxy_health.h - kube-proxy's URLs, on every node, in its own namespace:
//
//   0.0.0.0:10256    /healthz, /livez
//   127.0.0.1:10249  /healthz, /proxyMode, /metrics
//   0.0.0.0:PORT     every healthCheckNodePort: 200 where the Service has endpoints on the node, else 503
//
// Answers hold what the control thread knows at that moment: a request is carried there and back.
//
// Thread rule: make_proxy_health() before ControlLoop::start(); health_checks_changed() on the control thread.
// ControlLoop::stop() before destruction.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "netns/fabric.h"
#include "server/informer/control_loop.h"
#include "server/proxy/status.h"
#include "store/base/loop.h"

namespace server {

class ProxyHealth {
 public:
  virtual ~ProxyHealth() = default;
  // Opens and closes healthCheckNodePorts as NodeProxyStatus::health_checks says.
  virtual void health_checks_changed() = 0;
};

// `status` is called on the control thread: of every node, in the fabric's order. An error: a port of a node is taken.
base::Result<std::unique_ptr<ProxyHealth>> make_proxy_health(ControlLoop& loop, base::Loop& io, netns::Fabric& fabric,
                                                             std::function<std::vector<proxy::NodeProxyStatus>()> status);

}  // namespace server
