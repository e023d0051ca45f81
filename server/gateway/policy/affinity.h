// server/gateway/policy/affinity.h - a cookie that leads a client back to its endpoint (affinity: cookie). Its value is
// "KEY|BACKEND": a key that hashes to the endpoint (balanced) or is the endpoint's digest (persistent), and the digest of
// the upstream's name. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/gateway/message/message.h"
#include "server/gateway/policy/balance.h"
#include "server/gateway/policy/encoding.h"
#include "server/gateway/table/table.h"
#include "store/base/clock.h"

namespace server::gateway {

// The cookie's second half for that upstream.
std::string backend_key(const Upstream& upstream);
// Was the cookie given by that upstream?
bool cookie_is_of(std::string_view cookie, const Upstream& upstream);

// Where a cookie leads: balanced to the endpoint that its key hashes to, whoever gave it; persistent to the one that it names, or
// nothing when that is gone. Nothing too without endpoints or for an empty cookie.
std::optional<size_t> endpoint_of_cookie(const Affinity& affinity, const Upstream& upstream, std::string_view cookie);

// The Set-Cookie text for a client that got `endpoint`. `location_path` is the cookie's Path unless the affinity names one.
std::string affinity_set_cookie(const Affinity& affinity, const Upstream& upstream, size_t endpoint, const RequestHead& request, const ClientInfo& client,
                                std::string_view location_path, base::WallTime now = base::SystemClock().wall());

}  // namespace server::gateway
