// server/controllers/job.h - pods until enough have succeeded; finished jobs whose time is over are deleted.
#pragma once

#include <memory>

#include "server/controllers/controllers.h"
#include "server/informer/pod_index.h"

namespace server {

std::unique_ptr<Controller> make_job_controller(ControlLoop& loop, PodIndex& pods);

}  // namespace server
