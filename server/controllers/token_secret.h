// server/controllers/token_secret.h - Secrets of type kubernetes.io/service-account-token: filled with a token of the
// account that their annotation names, and removed when that is gone.
#pragma once

#include <memory>
#include <string>

#include "server/controllers/controllers.h"

namespace server {

std::unique_ptr<Controller> make_token_secret_controller(ControlLoop& loop, std::string root_ca_pem);

}  // namespace server
