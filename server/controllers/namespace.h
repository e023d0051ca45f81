// server/controllers/namespace.h - ends namespaces: removes everything in one that is being deleted, then gives it
// free. service_account.h has what every living namespace gets.
#pragma once

#include <memory>

#include "server/controllers/controllers.h"

namespace server {

std::unique_ptr<Controller> make_namespace_controller(ControlLoop& loop);

}  // namespace server
