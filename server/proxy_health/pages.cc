#include "server/proxy_health/pages.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "store/base/exposition.h"

namespace server::proxy_health {
namespace {

constexpr std::chrono::seconds kPatience(60);

// As Go prints a time: "2026-01-02 15:04:05.000000001 +0000 UTC".
std::string go_time(base::WallTime at) {
  if (at == base::WallTime()) return "0001-01-01 00:00:00 +0000 UTC";
  const std::time_t seconds = std::chrono::system_clock::to_time_t(at);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  std::string out(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts));
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count() % 1'000'000'000;
  if (nanoseconds > 0) {
    std::snprintf(text, sizeof text, ".%09lld", static_cast<long long>(nanoseconds));
    out += text;
    while (out.back() == '0') out.pop_back();
  }
  return out + " +0000 UTC";
}

double epoch_seconds(base::WallTime at) { return std::chrono::duration<double>(at.time_since_epoch()).count(); }

Answer json_page(int status, std::string body) {
  return {status, "application/json", {{"X-Content-Type-Options", "nosniff"}}, std::move(body)};
}

void add_histogram(base::Exposition& out, const char* name, const char* help, const std::string& labels, const proxy::Histogram& figures) {
  out.head(name, "histogram", help);
  out.histogram(name, labels, proxy::Histogram::kBounds, [&](size_t i) { return figures.at_most(i); }, figures.count(), figures.sum());
}

}  // namespace

bool is_healthy(const proxy::NodeProxyStatus& status, base::WallTime now) {
  if (!status.loaded) return false;
  if (!status.waiting) return true;
  if (now - status.last_queued >= kPatience) return false;
  // Changes keep coming, but none gets through.
  return !(status.failing && now - status.last_sync >= kPatience);
}

Answer healthz_page(const proxy::NodeProxyStatus& status, bool node_eligible, base::WallTime now) {
  const bool healthy = is_healthy(status, now) && node_eligible;
  // Of a healthy proxy "last updated" is always now (kube-proxy: proxy_health.go), so that nobody takes quiet for trouble.
  return json_page(healthy ? 200 : 503, "{\"lastUpdated\": \"" + go_time(healthy ? now : status.last_sync) + "\",\"currentTime\": \"" + go_time(now) +
                                            "\", \"nodeEligible\": " + (node_eligible ? "true" : "false") + "}");
}

Answer livez_page(const proxy::NodeProxyStatus& status, base::WallTime now) {
  const bool healthy = is_healthy(status, now);
  return json_page(healthy ? 200 : 503, "{\"lastUpdated\": \"" + go_time(healthy ? now : status.last_sync) + "\",\"currentTime\": \"" + go_time(now) + "\"}");
}

Answer service_page(const proxy::NodeProxyStatus& status, const model::ServiceKey& service, base::WallTime now) {
  size_t endpoints = 0;
  for (const proxy::HealthCheckService& check : status.health_checks) {
    if (check.service == service) endpoints = check.local_endpoints;
  }
  const bool healthy = is_healthy(status, now);
  // Names are DNS labels: nothing to escape. The layout is kube-proxy's.
  Answer page = json_page(endpoints > 0 && healthy ? 200 : 503, "{\n\t\"service\": {\n\t\t\"namespace\": \"" + service.ns + "\",\n\t\t\"name\": \"" + service.name +
                                                                    "\"\n\t},\n\t\"localEndpoints\": " + std::to_string(endpoints) +
                                                                    ",\n\t\"serviceProxyHealthy\": " + (healthy ? "true" : "false") + "\n}");
  page.headers.emplace_back("X-Load-Balancing-Endpoint-Weight", std::to_string(endpoints));
  return page;
}

Answer metrics_page(const proxy::NodeProxyStatus& s, base::Family family, const ProbeCounts& probes, const base::ProcessFigures& process) {
  const std::string label = std::string("ip_family=\"") + base::family_name(family) + "\"";
  base::Exposition out;
  add_histogram(out, "kubeproxy_network_programming_duration_seconds", "From hearing of a change to its being in the kernel, in seconds", label, s.programming_duration);
  out.head("kubeproxy_proxy_healthz_total", "counter", "Answers of /healthz by status");
  out.value("kubeproxy_proxy_healthz_total", "code=\"200\"", probes.healthz_200);
  out.value("kubeproxy_proxy_healthz_total", "code=\"503\"", probes.healthz_503);
  out.head("kubeproxy_proxy_livez_total", "counter", "Answers of /livez by status");
  out.value("kubeproxy_proxy_livez_total", "code=\"200\"", probes.livez_200);
  out.value("kubeproxy_proxy_livez_total", "code=\"503\"", probes.livez_503);
  add_histogram(out, "kubeproxy_sync_proxy_rules_duration_seconds", "One round of writing rules to the kernel, in seconds", label, s.sync_duration);
  out.one("kubeproxy_sync_proxy_rules_endpoint_changes_total", "counter", "Changes of endpoints heard of", "", s.endpoint_changes);
  out.one("kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds", "gauge", "When the latest change was heard of", label, epoch_seconds(s.last_queued));
  out.one("kubeproxy_sync_proxy_rules_last_timestamp_seconds", "gauge", "When the kernel was last up to date", label, epoch_seconds(s.last_sync));
  out.one("kubeproxy_sync_proxy_rules_nftables_sync_failures_total", "counter", "Transactions that the kernel refused", label, s.failures);
  out.head("kubeproxy_sync_proxy_rules_no_local_endpoints_total", "gauge", "Service ports with a Local traffic policy and endpoints, but none on this node");
  out.value("kubeproxy_sync_proxy_rules_no_local_endpoints_total", label + ",traffic_policy=\"internal\"", static_cast<uint64_t>(s.no_local_endpoints_internal));
  out.value("kubeproxy_sync_proxy_rules_no_local_endpoints_total", label + ",traffic_policy=\"external\"", static_cast<uint64_t>(s.no_local_endpoints_external));
  out.one("kubeproxy_sync_proxy_rules_service_changes_total", "counter", "Changes of Services heard of", "", s.service_changes);
  base::add_process(out, process);
  return {200, "text/plain; version=0.0.4; charset=utf-8", {}, out.take()};
}

Answer not_found_page() { return {404, "text/plain; charset=utf-8", {{"X-Content-Type-Options", "nosniff"}}, "404 page not found\n"}; }

}  // namespace server::proxy_health
