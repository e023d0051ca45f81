// server/proxy_health/pages.h - what kube-proxy's URLs answer, from how the proxy is doing. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "server/proxy/status.h"
#include "server/proxy_health/http.h"
#include "store/base/clock.h"
#include "store/base/ip.h"
#include "store/base/process_figures.h"

namespace server::proxy_health {

struct ProbeCounts {
  uint64_t healthz_200 = 0, healthz_503 = 0, livez_200 = 0, livez_503 = 0;
};

// True once everything of the start is in the kernel, and while no change waits for longer than kube-proxy's patience
// (twice its sync period: a minute).
bool is_healthy(const proxy::NodeProxyStatus& status, base::WallTime now);

Answer healthz_page(const proxy::NodeProxyStatus& status, bool node_eligible, base::WallTime now);
Answer livez_page(const proxy::NodeProxyStatus& status, base::WallTime now);
// Of a Service's healthCheckNodePort.
Answer service_page(const proxy::NodeProxyStatus& status, const model::ServiceKey& service, base::WallTime now);
Answer metrics_page(const proxy::NodeProxyStatus& status, base::Family family, const ProbeCounts& probes, const base::ProcessFigures& process);
Answer not_found_page();

}  // namespace server::proxy_health
