// tests/bench/services_bench.h - the two sides of the services benchmark: one speaks to the API from the host, the other
// sends packets inside the cluster. They share the machine's monotonic clock, and talk over pipes, line by line.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace bench {

// Addresses that run_answer adds to the client's link: three endpoints of every service that is probed.
inline constexpr const char* kEndpoints[] = {"172.30.200.1", "172.30.200.2", "172.30.200.3"};
// It listens on both; an endpoint port tells which state of a slice a connection met.
inline constexpr uint16_t kPorts[] = {9001, 9002};

inline int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline double percentile(std::vector<double> values, double p) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(p * static_cast<double>(values.size())))];
}

using Arguments = std::vector<std::string>;

// services_probe.cc; each returns an exit code.
int run_probe(const Arguments& arguments);    // Commands on standard input, see there.
int run_answer(const Arguments& arguments);   // The endpoints. Until standard input ends.
int run_serve(const Arguments& arguments);    // PORT: accepts and, when asked, sends. Until standard input ends.
int run_flows(const Arguments& arguments);    // IP PORT SERVICE_IP SERVICE_PORT: both ways beside each other.
int run_count(const Arguments& arguments);    // What nftables does in this namespace: a line for each line of input.
int run_objects(const Arguments& arguments);  // SET...: chains and elements of "table ip kubelan".
// services_api.cc; all take SERVER DIR (of ca.crt, admin.crt, admin.key) first.
int run_fill(const Arguments& arguments);     // FIRST LAST: services with three endpoints each.
int run_latency(const Arguments& arguments);  // FROM_PROBE TO_PROBE KIND RUNS
int run_count_changes(const Arguments& arguments);  // FROM_COUNT TO_COUNT
int run_verify(const Arguments& arguments);         // Every node's kernel beside what it should have.
int run_churn(const Arguments& arguments);    // FROM_PROBE TO_PROBE SECONDS

}  // namespace bench
