// server/gateway/gateway.h - Ingress at work: objects -> tables -> engines, and what users see of it (status addresses, Events,
// explanations).
//
//   informers ──▶ IngressInput ──▶ compile_ingress ──▶ Table ──▶ an engine in each controller pod
//                                        │ problems                    │ live
//                                        ▼                             ▼
//                                      Events              status.loadBalancer of Ingresses
//
// A burst of changes is compiled once. Addresses are written once the table that serves them is in force.
// Thread rule: make_gateway() before ControlLoop::start(); the rest on the control thread. ControlLoop::stop() before
// destruction, which ends all engines.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "server/api/pod_runtime.h"
#include "server/gateway/explain.h"
#include "server/gateway/names.h"
#include "server/gateway/serving.h"
#include "server/informer/control_loop.h"
#include "server/informer/service_feed.h"

namespace server {

using json = nlohmann::json;

struct GatewayOptions {
  int threads = 0;  // Of an engine; 0: as many as there are cores, four at the most.
  Serving::StartEngine start_engine = gateway::Engine::start;
  LookUp look_up;   // Empty: names outside the cluster have no address.
};

class Gateway {
 public:
  virtual ~Gateway() = default;
  // `fn` runs once all controller pods that run now work by everything that is in the caches now.
  virtual void when_synced(std::function<void()> fn) = 0;
  // Where a request would go, and why; see explain.h. kUnavailable: no controller runs.
  virtual base::Result<json> explain(const gateway::Question& question) = 0;
};

// All must outlive it.
std::unique_ptr<Gateway> make_gateway(ControlLoop& loop, ServiceFeed& services, PodRuntime& runtime, const GatewayOptions& options);

}  // namespace server
