// server/gateway/policy/canary.h - requests that go to a canary instead of a route's backends. Any thread.
#pragma once

#include <optional>
#include <string_view>

#include "server/gateway/message/message.h"
#include "server/gateway/policy/balance.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

// nullptr: none. In this order: an affinity cookie given by a backend or a canary keeps to it; the header (exact value, else
// pattern, else always and never); the cookie (always, never); the weight. Shares by weight are exact over `turns` (nullptr:
// those of the thread). `affinity_cookie`: its value, if the route has affinity and the client sent one.
const Canary* choose_canary(const Forward& forward, const RequestHead& request, std::optional<std::string_view> affinity_cookie, WeightedTurns* turns);

}  // namespace server::gateway
