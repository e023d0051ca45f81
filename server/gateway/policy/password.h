// server/gateway/policy/password.h - names and passwords (auth-type basic and digest). Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/gateway/message/message.h"
#include "server/gateway/table/table.h"
#include "store/base/clock.h"

namespace server::gateway {

// `hash` as in an htpasswd file: $apr1$, {SHA}, {SSHA}, {PLAIN}, and all that crypt(3) knows ($2y$, $5$, $6$, $1$, DES). False
// for anything else. Slow by design (bcrypt): see check_password().
bool password_matches(const std::string& hash, const std::string& password);

// Nothing: let in. Else the answer: 401 with WWW-Authenticate. What was verified a moment ago is remembered (as a keyed digest), so
// that a page's many requests do not each pay for bcrypt.
std::optional<ResponseHead> check_password(const PasswordAuth& auth, const RequestHead& request, base::WallTime now);

}  // namespace server::gateway
