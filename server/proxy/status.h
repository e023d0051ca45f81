// server/proxy/status.h - how the service proxy of a node is doing: for kube-proxy's health and metrics URLs, and
// for people. Values.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "server/model/service.h"
#include "store/base/clock.h"

namespace server::proxy {

// Durations in seconds, counted up to each bound.
class Histogram {
 public:
  static constexpr std::array<double, 15> kBounds = {0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384};
  void add(double seconds) {
    for (size_t i = 0; i < kBounds.size(); ++i) counts_[i] += seconds <= kBounds[i] ? 1 : 0;
    ++count_;
    sum_ += seconds;
  }
  uint64_t at_most(size_t bound) const { return counts_[bound]; }  // Index into kBounds; cumulative.
  uint64_t count() const { return count_; }
  double sum() const { return sum_; }

 private:
  std::array<uint64_t, kBounds.size()> counts_{};
  uint64_t count_ = 0;
  double sum_ = 0;
};

// A Service with a healthCheckNodePort.
struct HealthCheckService {
  model::ServiceKey service;
  uint16_t port = 0;
  size_t local_endpoints = 0;
  auto operator<=>(const HealthCheckService&) const = default;
};

struct NodeProxyStatus {
  std::string node;
  bool loaded = false;         // All Services known at the start are in the kernel.
  bool failing = false;        // The latest transaction failed and is tried again.
  base::WallTime last_sync{};  // The kernel was up to date then; the epoch: never.
  base::WallTime last_queued{};  // The latest change that this node heard of.
  bool waiting = false;        // A change of last_queued or before is not in the kernel yet.
  uint64_t service_changes = 0;   // Since the start.
  uint64_t endpoint_changes = 0;
  uint64_t failures = 0;
  Histogram sync_duration;        // One transaction series, from compiling to the kernel's answer.
  Histogram programming_duration; // From hearing of a change to its being in the kernel.
  // Service ports whose policy is Local and which have endpoints, but none here.
  size_t no_local_endpoints_internal = 0;
  size_t no_local_endpoints_external = 0;
  std::vector<HealthCheckService> health_checks;  // By service.

  // The same node in its other family: it is up to date when both are; what is counted is added.
  void merge(const NodeProxyStatus& other) {
    loaded = loaded && other.loaded;
    failing = failing || other.failing;
    waiting = waiting || other.waiting;
    last_sync = std::min(last_sync, other.last_sync);
    last_queued = std::max(last_queued, other.last_queued);
    failures += other.failures;
    no_local_endpoints_internal += other.no_local_endpoints_internal;
    no_local_endpoints_external += other.no_local_endpoints_external;
    for (HealthCheckService& check : health_checks) {
      // The same pods: a Service of both families has each of them once a family.
      for (const HealthCheckService& one : other.health_checks) {
        if (one.service == check.service) check.local_endpoints = std::max(check.local_endpoints, one.local_endpoints);
      }
    }
  }
};

}  // namespace server::proxy
