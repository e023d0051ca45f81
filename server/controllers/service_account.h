// server/controllers/service_account.h - what every living namespace has: ServiceAccount "default", and ConfigMap
// "kube-root-ca.crt" with the cluster's CA. Both are put back when they are deleted or changed.
#pragma once

#include <memory>
#include <string>

#include "server/controllers/controllers.h"

namespace server {

std::unique_ptr<Controller> make_service_account_controller(ControlLoop& loop, std::string root_ca_pem);

}  // namespace server
