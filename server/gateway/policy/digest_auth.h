// server/gateway/policy/digest_auth.h - HTTP digest (RFC 7616) with qop=auth. Nonces are signed by a key of the process, so none
// is stored until it is used; then its counts (nc) are, so that no request can be sent twice. Any thread; bounded: when too many
// nonces are in use the oldest are forgotten, and their clients are told to begin anew (stale=true).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/gateway/message/message.h"
#include "server/gateway/table/table.h"
#include "store/base/clock.h"

namespace server::gateway {

// As check_password(). A user's secret is the MD5 (32 hex digits) or SHA-256 (64) of "name:realm:password", with or without
// "realm:" before it.
std::optional<ResponseHead> check_digest(const PasswordAuth& auth, const RequestHead& request, base::WallTime now);

// For a quoted-string of a header.
std::string quoted_text(std::string_view text);

}  // namespace server::gateway
