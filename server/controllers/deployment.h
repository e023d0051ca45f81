// server/controllers/deployment.h - rolls Deployments out through ReplicaSets.
#pragma once

#include <memory>

#include "server/controllers/controllers.h"
#include "server/informer/pod_index.h"

namespace server {

std::unique_ptr<Controller> make_deployment_controller(ControlLoop& loop, PodIndex& pods);

}  // namespace server
