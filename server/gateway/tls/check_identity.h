// server/gateway/tls/check_identity.h - can this certificate be served for that host? For the compilers of tables, which tell the
// owner of an object before any client finds out. Pure but for the clock; any thread.
#pragma once

#include <string_view>

#include "server/gateway/table/table.h"
#include "store/base/clock.h"
#include "store/base/result.h"

namespace server::gateway {

// `host` may be a wildcard ("*.example.com": the certificate must have just that) or empty (names are not looked
// at). The message begins in lower case and does not name the Secret. Codes, in the order of the checks:
//   kInvalid    it cannot be used at all: no PEM, the key does not fit, a key too weak;
//   kForbidden  it is for other names: the default certificate is to be served;
//   kExpired    it is not valid at `now`: it can be served, clients will complain.
base::Status check_identity(const Identity& identity, std::string_view host, base::WallTime now = base::SystemClock().wall());

// As above for the certificates of a CA (auth-tls-secret, trusted certificates): kInvalid unless there is at least one.
base::Status check_trusted(const std::string& trusted_pem);

}  // namespace server::gateway
