// server/node_agent/pod_run.h - what the node agent knows of a pod it runs. Plain data, control thread only,
// except PodHandle, which other threads read (see runtime.h).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "netns/process/spawner.h"
#include "server/node_agent/container_log.h"
#include "server/node_agent/pod_spec.h"
#include "store/base/clock.h"
#include "store/base/ip.h"

namespace server {

struct Termination {
  int exit_code = 0;
  int signal = 0;
  std::string reason;    // "Completed", "Error", "StartError", "Unknown"
  std::string message;
  base::WallTime started{};
  base::WallTime finished{};
  std::string container_id;
};

enum class ContainerState { kWaiting, kRunning, kTerminated };

struct ContainerRun {
  const ContainerPlan* plan = nullptr;   // Into PodRun::spec.
  ContainerState state = ContainerState::kWaiting;
  std::string waiting_reason = "ContainerCreating";
  std::string waiting_message;
  base::WallTime started{};
  std::optional<Termination> now;        // When terminated.
  std::optional<Termination> last;       // Of the run before.
  int restarts = 0;
  std::chrono::seconds backoff{0};       // Wait before the next restart; 0: none yet.
  bool starting = false;                 // Handed to the spawner, no answer yet.
  netns::ProcessId process = 0;
  std::string container_id;
  std::string image_id;
  int stop_signal = 15;
  std::shared_ptr<ContainerLog> log;
  std::shared_ptr<ContainerLog> previous_log;
  std::shared_ptr<base::Fd> std_in;      // Write end, with stdin: true.
  std::shared_ptr<base::Fd> pty;
  std::vector<std::string> env;          // For exec.
};

enum class PodStage { kAttaching, kPreparing, kInit, kRunning, kEnding, kGone };

struct PodRun {
  store::Key key;
  PodSpecView spec;
  PodStage stage = PodStage::kAttaching;
  base::Ip ip;
  std::string host_ip;
  std::string dir;                        // run_dir/pods/UID
  std::shared_ptr<netns::Sandbox> sandbox;
  base::WallTime started{};
  std::vector<ContainerRun> init, main;
  bool status_dirty = false;
  bool signalled = false;                 // SIGTERM was sent.
  base::MonoTime kill_at{};
  std::string failure_reason, failure_message;  // Pod-level waiting reason, such as FailedMount.
  std::vector<std::string> true_conditions;     // Of the readiness gates.
};

}  // namespace server
