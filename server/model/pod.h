// server/model/pod.h - what controllers and the scheduler need of a Pod. The node agent's view of what to run is
// in pod_spec.h. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "server/model/meta.h"
#include "store/base/ip.h"

namespace server {

enum class PodPhase { kPending, kRunning, kSucceeded, kFailed, kUnknown };

struct PodPort {
  std::string name;
  int port = 0;
  std::string protocol;  // "TCP"
};

struct Pod {
  Meta meta;
  std::string node;
  std::string ip;                 // The first of ips.
  std::vector<std::string> ips;
  PodPhase phase = PodPhase::kPending;
  bool ready = false;             // The Ready condition.
  base::WallTime ready_since{};
  int64_t restarts = 0;           // The most of any container.
  int64_t deletion_cost = 0;      // controller.kubernetes.io/pod-deletion-cost
  std::string hostname;
  std::string subdomain;
  bool host_network = false;
  std::vector<PodPort> ports;     // Of all containers.

  bool finished() const { return phase == PodPhase::kSucceeded || phase == PodPhase::kFailed; }
  bool active() const { return !finished() && !meta.deleting; }
  bool available(base::WallTime now, std::chrono::seconds min_ready) const { return ready && ready_since + min_ready <= now; }
};

Pod project_pod(const json& tree);
// Its address of a family; "" if it has none (yet).
std::string pod_address(const json& tree, base::Family family);
const char* phase_name(PodPhase phase);
// status.conditions[type == `type`], nullptr if absent.
const json* find_condition(const json& tree, std::string_view type);

}  // namespace server
