// server/controllers/claim.h - binds PersistentVolumeClaims. There are no volumes to look for: the node agent gives every
// claim a folder of its own, of any size and class, so that a claim is bound as soon as it is there.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "server/controllers/controllers.h"

namespace server {

std::unique_ptr<Controller> make_claim_controller(ControlLoop& loop);

}  // namespace server
