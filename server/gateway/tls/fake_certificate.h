// server/gateway/tls/fake_certificate.h - what is served to names without a certificate of their own: signed by itself, with the
// names that ingress-nginx's has, by which people and tests recognise it. Any thread.
#pragma once

#include "server/gateway/table/table.h"

namespace server::gateway {

// O=Acme Co, CN=Kubernetes Ingress Controller Fake Certificate, for ingress.local and a year. Made at the first call; the same
// for the life of the process.
IdentityPtr fake_identity();

}  // namespace server::gateway
