// server/controllers/daemon_set.h - one pod on every node that a DaemonSet chooses.
#pragma once

#include <memory>

#include "server/controllers/controllers.h"
#include "server/informer/pod_index.h"

namespace server {

std::unique_ptr<Controller> make_daemon_set_controller(ControlLoop& loop, PodIndex& pods);

}  // namespace server
