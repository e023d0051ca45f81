// server/gateway/policy/cors.h - cross-origin requests (enable-cors). Pure.
#pragma once

#include <optional>

#include "server/gateway/message/message.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

// The answer to OPTIONS from an allowed origin: 204, without a body; nothing: the request goes on. Its CORS headers are left to
// add_cors_headers(), which every answer passes.
std::optional<ResponseHead> answer_preflight(const Cors& cors, const RequestHead& request);
// Nothing is added when the origin is not allowed. Values that the endpoint set itself are replaced.
void add_cors_headers(const Cors& cors, const RequestHead& request, Headers& response);
bool origin_allowed(const Cors& cors, std::string_view origin);

}  // namespace server::gateway
