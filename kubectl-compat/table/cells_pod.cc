// The pod columns. What a pod's STATUS says is worked out from its containers in the order that kubectl users know from
// upstream: init containers first, then the others from last to first, then deletion.
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "kubectl-compat/table/cells.h"
#include "store/object/access.h"

namespace compat {
namespace {

using store::find;
using store::get_array;
using store::get_bool;
using store::get_int;
using store::get_string;

struct PodSummary {
  std::string reason;
  int64_t restarts = 0;
  size_t ready = 0;
  size_t total = 0;
  std::optional<base::WallTime> last_restart;
};

// Restarts of a group of containers, and when the last of them ended.
struct Restarts {
  int64_t count = 0;
  std::optional<base::WallTime> last;

  void add(const json& status) {
    count += get_int(status, "restartCount");
    auto finished = base::parse_rfc3339(get_string(status, "lastState.terminated.finishedAt"));
    if (finished.ok() && (!last || *last < *finished)) last = *finished;
  }
};

const json* find_condition(const json& pod, std::string_view type) {
  for (const json& condition : get_array(pod, "status.conditions")) {
    if (get_string(condition, "type") == type) return &condition;
  }
  return nullptr;
}

bool has_true_condition(const json& pod, std::string_view type) {
  const json* condition = find_condition(pod, type);
  return condition != nullptr && get_string(*condition, "status") == "True";
}

// "Error", or by signal or exit code when the runtime gave no reason.
std::string termination_reason(const json& terminated) {
  std::string reason = get_string(terminated, "reason");
  if (!reason.empty()) return reason;
  int64_t signal = get_int(terminated, "signal");
  if (signal != 0) return "Signal:" + std::to_string(signal);
  return "ExitCode:" + std::to_string(get_int(terminated, "exitCode"));
}

std::set<std::string> restartable_init_containers(const json& pod) {
  std::set<std::string> names;
  for (const json& container : get_array(pod, "spec.initContainers")) {
    if (get_string(container, "restartPolicy") == "Always") names.insert(get_string(container, "name"));
  }
  return names;
}

// Goes over the init containers up to the first that is not done. True while the pod is initializing.
bool summarize_init(const json& pod, const std::set<std::string>& sidecars, PodSummary& out, Restarts& all, Restarts& of_sidecars) {
  size_t index = 0;
  for (const json& status : get_array(pod, "status.initContainerStatuses")) {
    bool sidecar = sidecars.contains(get_string(status, "name"));
    all.add(status);
    if (sidecar) of_sidecars.add(status);
    const json* terminated = find(status, "state.terminated");
    if (terminated != nullptr && !terminated->is_object()) terminated = nullptr;
    std::string waiting = get_string(status, "state.waiting.reason");
    if (terminated != nullptr && get_int(*terminated, "exitCode") == 0) {
      ++index;
      continue;
    }
    if (sidecar && get_bool(status, "started")) {
      if (get_bool(status, "ready")) ++out.ready;
      ++index;
      continue;
    }
    if (terminated != nullptr) {
      out.reason = "Init:" + termination_reason(*terminated);
    } else if (!waiting.empty() && waiting != "PodInitializing") {
      out.reason = "Init:" + waiting;
    } else {
      out.reason = "Init:" + std::to_string(index) + "/" + std::to_string(get_array(pod, "spec.initContainers").size());
    }
    return true;
  }
  return false;
}

void summarize_main(const json& pod, PodSummary& out, Restarts& restarts) {
  bool running = false;
  std::string error;
  const json& statuses = get_array(pod, "status.containerStatuses");
  for (auto it = statuses.rbegin(); it != statuses.rend(); ++it) {
    const json& status = *it;
    restarts.add(status);
    std::string waiting = get_string(status, "state.waiting.reason");
    const json* terminated = find(status, "state.terminated");
    const json* run = find(status, "state.running");
    if (!waiting.empty()) {
      out.reason = waiting;
    } else if (terminated != nullptr && terminated->is_object()) {
      out.reason = termination_reason(*terminated);
      if (get_int(*terminated, "exitCode") != 0) error = out.reason;
    } else if (get_bool(status, "ready") && run != nullptr && run->is_object()) {
      running = true;
      ++out.ready;
    }
  }
  // One container has ended well while another still runs, or has failed: the pod as a whole has not completed.
  if (out.reason != "Completed") return;
  if (running && has_true_condition(pod, "Ready")) out.reason = "Running";
  else if (!error.empty()) out.reason = error;
  else if (running) out.reason = "NotReady";
}

PodSummary summarize(const json& pod) {
  PodSummary out;
  std::string phase = get_string(pod, "status.phase");
  std::string status_reason = get_string(pod, "status.reason");
  out.reason = status_reason.empty() ? phase : status_reason;
  if (const json* scheduled = find_condition(pod, "PodScheduled")) {
    if (get_string(*scheduled, "reason") == "SchedulingGated") out.reason = "SchedulingGated";
  }
  std::set<std::string> sidecars = restartable_init_containers(pod);
  out.total = get_array(pod, "spec.containers").size() + sidecars.size();

  Restarts restarts, of_sidecars;
  bool initializing = summarize_init(pod, sidecars, out, restarts, of_sidecars);
  if (!initializing || has_true_condition(pod, "Initialized")) {
    restarts = of_sidecars;
    summarize_main(pod, out, restarts);
  }
  if (find(pod, "metadata.deletionTimestamp") != nullptr) {
    if (status_reason == "NodeLost") {
      out.reason = "Unknown";
    } else if (phase != "Failed" && phase != "Succeeded") {
      out.reason = "Terminating";
    }
  }
  out.restarts = restarts.count;
  out.last_restart = restarts.last;
  return out;
}

json pod_ready(const CellInput& in) {
  PodSummary summary = summarize(in.tree);
  return std::to_string(summary.ready) + "/" + std::to_string(summary.total);
}

json pod_status(const CellInput& in) { return summarize(in.tree).reason; }

json pod_restarts(const CellInput& in) {
  PodSummary summary = summarize(in.tree);
  std::string out = std::to_string(summary.restarts);
  if (summary.restarts != 0 && summary.last_restart) {
    json at = base::render_rfc3339(*summary.last_restart);
    out += " (" + age_of(&at, in.now) + " ago)";
  }
  return out;
}

json pod_ip(const CellInput& in) {
  const json& ips = get_array(in.tree, "status.podIPs");
  std::string ip = ips.empty() ? "" : get_string(ips[0], "ip");
  return or_none(ip.empty() ? get_string(in.tree, "status.podIP") : ip);
}

json pod_node(const CellInput& in) { return or_none(get_string(in.tree, "spec.nodeName")); }

json pod_nominated_node(const CellInput& in) { return or_none(get_string(in.tree, "status.nominatedNodeName")); }

json pod_readiness_gates(const CellInput& in) {
  const json& gates = get_array(in.tree, "spec.readinessGates");
  if (gates.empty()) return "<none>";
  size_t ready = 0;
  for (const json& gate : gates) ready += has_true_condition(in.tree, get_string(gate, "conditionType")) ? 1 : 0;
  return std::to_string(ready) + "/" + std::to_string(gates.size());
}

constexpr CellRow kPodCells[] = {
    {"pod_ready", pod_ready},
    {"pod_status", pod_status},
    {"pod_restarts", pod_restarts},
    {"pod_ip", pod_ip},
    {"pod_node", pod_node},
    {"pod_nominated_node", pod_nominated_node},
    {"pod_readiness_gates", pod_readiness_gates},
};

}  // namespace

std::span<const CellRow> pod_cells() { return kPodCells; }

}  // namespace compat
