// server/controllers/stateful_set.h - numbered pods with lasting names and claims, one after another.
#pragma once

#include <memory>

#include "server/controllers/controllers.h"
#include "server/informer/pod_index.h"

namespace server {

std::unique_ptr<Controller> make_stateful_set_controller(ControlLoop& loop, PodIndex& pods);

}  // namespace server
