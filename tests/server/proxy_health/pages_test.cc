// What the pages say, from figures.
#include "server/proxy_health/pages.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

namespace server::proxy_health {
namespace {

using namespace std::chrono_literals;
using proxy::NodeProxyStatus;

const base::WallTime kNow = base::parse_rfc3339("2026-11-23T12:00:00Z").value() + 250ms;

NodeProxyStatus synced() {
  NodeProxyStatus s;
  s.node = "node-1";
  s.loaded = true;
  s.last_sync = kNow - 10min;
  s.last_queued = kNow - 10min;
  return s;
}

TEST(ProxyPages, Health) {
  struct Row {
    const char* name;
    NodeProxyStatus status;
    bool eligible;
    int healthz, livez;
  };
  auto with = [](auto change) {
    NodeProxyStatus s = synced();
    change(s);
    return s;
  };
  const Row rows[] = {
      {"quiet for long", synced(), true, 200, 200},
      {"not loaded yet", NodeProxyStatus{}, true, 503, 503},
      {"a change is on its way", with([](NodeProxyStatus& s) { s.waiting = true, s.last_queued = kNow - 59s; }), true, 200, 200},
      {"a change does not get through", with([](NodeProxyStatus& s) { s.waiting = true, s.last_queued = kNow - 60s; }), true, 503, 503},
      {"fails for a moment", with([](NodeProxyStatus& s) { s.waiting = s.failing = true, s.last_queued = kNow - 1s, s.last_sync = kNow - 2s; }), true, 200, 200},
      {"fails while changes keep coming", with([](NodeProxyStatus& s) { s.waiting = s.failing = true, s.last_queued = kNow - 1s; }), true, 503, 503},
      {"node is going", synced(), false, 503, 200},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(healthz_page(row.status, row.eligible, kNow).status, row.healthz) << row.name;
    EXPECT_EQ(livez_page(row.status, kNow).status, row.livez) << row.name;
  }
}

TEST(ProxyPages, HealthTexts) {
  Answer page = healthz_page(synced(), true, kNow);
  EXPECT_EQ(page.body, R"({"lastUpdated": "2026-11-23 12:00:00.25 +0000 UTC","currentTime": "2026-11-23 12:00:00.25 +0000 UTC", "nodeEligible": true})");
  EXPECT_EQ(page.content_type, "application/json");
  EXPECT_EQ(page.headers, (std::vector<std::pair<std::string, std::string>>{{"X-Content-Type-Options", "nosniff"}}));
  EXPECT_EQ(healthz_page(synced(), false, kNow).body, R"({"lastUpdated": "2026-11-23 11:50:00.25 +0000 UTC","currentTime": "2026-11-23 12:00:00.25 +0000 UTC", "nodeEligible": false})");
  EXPECT_EQ(livez_page(NodeProxyStatus{}, kNow).body, R"({"lastUpdated": "0001-01-01 00:00:00 +0000 UTC","currentTime": "2026-11-23 12:00:00.25 +0000 UTC"})");
}

TEST(ProxyPages, Services) {
  const struct {
    const char* name;
    size_t endpoints;
    bool loaded;
    int status;
  } rows[] = {{"two here", 2, true, 200}, {"none here", 0, true, 503}, {"not synced", 2, false, 503}};
  for (const auto& row : rows) {
    NodeProxyStatus s = synced();
    s.loaded = row.loaded;
    s.health_checks = {{{"shop", "other"}, 30001, 9}, {{"shop", "web"}, 30002, row.endpoints}};
    const Answer page = service_page(s, {"shop", "web"}, kNow);
    EXPECT_EQ(page.status, row.status) << row.name;
    const nlohmann::json want = {{"service", {{"namespace", "shop"}, {"name", "web"}}}, {"localEndpoints", row.endpoints}, {"serviceProxyHealthy", row.loaded}};
    EXPECT_EQ(nlohmann::json::parse(page.body), want) << row.name;
    EXPECT_EQ(page.headers.back(), (std::pair<std::string, std::string>("X-Load-Balancing-Endpoint-Weight", std::to_string(row.endpoints))));
  }
  EXPECT_EQ(service_page(synced(), {"shop", "gone"}, kNow).status, 503);
}

// "name{labels}" -> value; every sample's metric must have been introduced by HELP and TYPE.
std::map<std::string, double> samples(const std::string& text) {
  std::map<std::string, double> out;
  std::string type;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("# HELP ", 0) == 0) continue;
    if (line.rfind("# TYPE ", 0) == 0) {
      type = line.substr(7, line.find(' ', 7) - 7);
      continue;
    }
    const size_t space = line.rfind(' ');
    EXPECT_EQ(line.rfind(type, 0), 0u) << line;
    EXPECT_TRUE(out.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second) << line;
  }
  return out;
}

TEST(ProxyPages, Metrics) {
  NodeProxyStatus s = synced();
  s.service_changes = 7;
  s.endpoint_changes = 11;
  s.failures = 1;
  s.no_local_endpoints_internal = 2;
  s.no_local_endpoints_external = 3;
  s.sync_duration.add(0.0005);
  s.sync_duration.add(0.003);
  s.sync_duration.add(100);
  s.programming_duration.add(0.25);
  const Answer page = metrics_page(s, base::Family::kIpv4, {5, 6, 7, 8}, {1.5, 1000, 4096, 8192, 12, 1024});
  EXPECT_EQ(page.content_type, "text/plain; version=0.0.4; charset=utf-8");
  const std::map<std::string, double> got = samples(page.body);
  const std::pair<const char*, double> rows[] = {
      {"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"0.001\"}", 1},
      {"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"0.002\"}", 1},
      {"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"0.004\"}", 2},
      {"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"16.384\"}", 2},
      {"kubeproxy_sync_proxy_rules_duration_seconds_bucket{ip_family=\"IPv4\",le=\"+Inf\"}", 3},
      {"kubeproxy_sync_proxy_rules_duration_seconds_sum{ip_family=\"IPv4\"}", 100.0035},
      {"kubeproxy_sync_proxy_rules_duration_seconds_count{ip_family=\"IPv4\"}", 3},
      {"kubeproxy_network_programming_duration_seconds_count{ip_family=\"IPv4\"}", 1},
      {"kubeproxy_sync_proxy_rules_last_timestamp_seconds{ip_family=\"IPv4\"}", 1795434600.25},
      {"kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds{ip_family=\"IPv4\"}", 1795434600.25},
      {"kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family=\"IPv4\",traffic_policy=\"internal\"}", 2},
      {"kubeproxy_sync_proxy_rules_no_local_endpoints_total{ip_family=\"IPv4\",traffic_policy=\"external\"}", 3},
      {"kubeproxy_sync_proxy_rules_service_changes_total", 7},
      {"kubeproxy_sync_proxy_rules_endpoint_changes_total", 11},
      {"kubeproxy_sync_proxy_rules_nftables_sync_failures_total{ip_family=\"IPv4\"}", 1},
      {"kubeproxy_proxy_healthz_total{code=\"200\"}", 5},
      {"kubeproxy_proxy_livez_total{code=\"503\"}", 8},
      {"process_cpu_seconds_total", 1.5},
      {"process_start_time_seconds", 1000},
      {"process_resident_memory_bytes", 4096},
      {"process_open_fds", 12},
  };
  for (const auto& [name, value] : rows) {
    ASSERT_TRUE(got.count(name)) << name;
    EXPECT_DOUBLE_EQ(got.at(name), value) << name;
  }
}

TEST(ProxyPages, ProcessFiguresAreOfThisProcess) {
  const base::ProcessFigures figures = base::read_process_figures(kNow);
  EXPECT_GT(figures.resident_bytes, 1u << 20);
  EXPECT_GT(figures.virtual_bytes, figures.resident_bytes);
  EXPECT_GE(figures.open_fds, 3u);
  EXPECT_GT(figures.max_fds, figures.open_fds);
}

}  // namespace
}  // namespace server::proxy_health
