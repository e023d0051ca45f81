// server/api/health.h - /livez, /readyz and /healthz, answered as upstream answers them. Pure.
#pragma once

#include <optional>

#include "server/http/server.h"

namespace server {

// Nothing: another path. `ready`: everything has started.
std::optional<HttpResponse> answer_health(const HttpRequest& request, bool ready);

}  // namespace server
