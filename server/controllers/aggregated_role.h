// server/controllers/aggregated_role.h - cluster roles with an aggregationRule: their rules are the sum of those of the
// roles that it selects, in the order of their names.
#pragma once

#include <memory>

#include "server/controllers/controllers.h"

namespace server {

std::unique_ptr<Controller> make_aggregated_role_controller(ControlLoop& loop);

}  // namespace server
