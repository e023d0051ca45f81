// server/controllers/load_balancer.h - gives Services of type LoadBalancer an address out of the cluster's pool, at once, and
// takes it back: what a cloud's controller does. Those of another loadBalancerClass are left alone. Who takes the
// traffic there is server/announce's part, what happens to it the proxy's.
#pragma once

#include <memory>
#include <vector>

#include "server/controllers/controllers.h"

namespace server {

// At most one pool a family.
std::unique_ptr<Controller> make_load_balancer_controller(ControlLoop& loop, std::vector<base::Cidr> pools);

}  // namespace server
