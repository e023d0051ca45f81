// server/api/metrics_page.h - /metrics: requests by kind, watches, the store and the process, for Prometheus.
#pragma once

#include <optional>

#include "server/api/core.h"

namespace server {

// Nothing: another path. Reads /proc; does not block.
std::optional<HttpResponse> answer_metrics(const HttpRequest& request, const Core& core);

}  // namespace server
