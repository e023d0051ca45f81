// server/controllers/certificate.h - signs CertificateSigningRequests that somebody approved, for the signers of
// kubernetes.io that a cluster has; what a signer does not sign gets the condition Failed. Kubelets' own requests
// are nobody's business here: nodes are part of this process.
#pragma once

#include <memory>
#include <string>

#include "server/controllers/controllers.h"

namespace server {

std::unique_ptr<Controller> make_certificate_controller(ControlLoop& loop, std::string ca_cert_pem, std::string ca_key_pem);

}  // namespace server
