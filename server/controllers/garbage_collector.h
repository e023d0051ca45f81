// server/controllers/garbage_collector.h - deletes what its owners left behind, and finishes deletions that asked for
// "Foreground" (dependents first) or "Orphan" (dependents stay, disowned). Follows ownerReferences by uid.
#pragma once

#include <memory>

#include "server/controllers/controllers.h"

namespace server {

std::unique_ptr<Controller> make_garbage_collector(ControlLoop& loop);

}  // namespace server
