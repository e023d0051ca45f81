// server/controllers/controllers.h - the controllers kubelan runs, listed explicitly. Each registers its
// handlers and queues with the control loop at construction and does nothing else until events come.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/informer/control_loop.h"
#include "store/base/ip.h"

namespace server {

class Controller {
 public:
  virtual ~Controller() = default;
};

struct ControllerOptions {
  std::string root_ca_pem;      // For kube-root-ca.crt in every namespace.
  std::string root_ca_key_pem;  // Signs approved certificate requests; "": nobody does.
  std::vector<base::Cidr> load_balancer_pools;  // At most one a family.
};
// LoadBalancer, Deployment, ReplicaSet, EndpointSlice, its mirroring, Endpoints, Namespace, ServiceAccount, root CA, token Secrets, aggregated roles, certificates, garbage collector.
// In an order such that earlier queues feed later ones.
std::vector<std::unique_ptr<Controller>> make_controllers(ControlLoop& loop, const ControllerOptions& options);

}  // namespace server
