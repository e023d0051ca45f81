// server/node_agent/pod_run.h - what the node agent knows of a pod it runs. Plain data, control thread only;
// other threads read copies of it (see runtime.h).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "netns/process/spawner.h"
#include "server/node_agent/container_log.h"
#include "server/node_agent/pod_spec.h"
#include "server/node_agent/standard_input.h"
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

// A probe of a container that runs. `passed` is the result that counts: of liveness True from the start.
struct ProbeRun {
  bool passed = false;
  ProbeTally tally;
  uint64_t ticket = 0;                   // Of the look that is due or under way; answers to others are late.
  std::function<void()> cancel;          // Of the look under way.
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
  std::chrono::seconds pull_backoff{0};  // Between looks for an image that was not found.
  bool replace = false;                  // Its image changed: it starts anew whatever the restart policy says.
  bool starting = false;                 // Handed to the spawner, no answer yet.
  bool tried = false;                    // Its first start is not held back by another's any more.
  bool restart_due = false;              // It has ended and will be started again.
  bool post_start_due = false;           // Runs, but its postStart hook has not passed: still waiting, seen from outside.
  bool pre_stop_due = false;             // Its preStop hook runs; the stop signal comes after it.
  std::function<void()> cancel_hook;
  bool failed_probe = false;             // Starts again, whatever its exit code.
  base::MonoTime kill_at = base::MonoTime::max();    // When it is stopped by itself.
  base::MonoTime spare_until{};          // After a preStop hook there is a moment left for the signal, at least.
  base::MonoTime running_since{};
  std::array<ProbeRun, 3> probes;        // By ProbeKind.
  netns::ProcessId process = 0;
  std::string container_id;
  std::string image_id;
  int stop_signal = 15;
  std::shared_ptr<ContainerLog> log;
  std::shared_ptr<ContainerLog> previous_log;
  std::shared_ptr<StandardInput> std_in; // With stdin: true and no tty.
  std::shared_ptr<base::Fd> pty;
  std::vector<std::string> env;          // For exec.
};

// A token in one of the pod's volumes.
struct PodToken {
  std::string text;
  base::MonoTime renew_at{};
};

enum class PodStage {
  kAttaching,  // The kernel makes the sandbox.
  kPreparing,  // Files and volumes.
  kInit,       // One init container after the other.
  kRunning,
  kFinished,   // Nothing of it runs or will again; the network is given back, logs and volumes are still there.
  kEnding,     // Deleted, or replaced by another of the name.
};

struct PodRun {
  store::Key key;
  PodSpecView spec;
  PodStage stage = PodStage::kAttaching;
  std::vector<base::Ip> more_ips;         // Of the other family; as far into its range as `ip` is in its own.
  base::Ip ip;
  bool holds_address = false;             // `ip` is taken from the pool, and the node routes it.
  bool attach_due = false;                // The node's answer is still to come.
  std::string host_ip;
  std::string dir;                        // run_dir/pods/UID
  std::shared_ptr<netns::Sandbox> sandbox;
  base::WallTime started{};
  std::vector<ContainerRun> init, main;
  std::vector<ContainerRun> guests;       // Ephemeral containers: the pod's phase and readiness do not look at them.
  bool status_dirty = false;
  base::MonoTime ending_since{};
  base::MonoTime kill_at = base::MonoTime::max();
  bool asked = false;                     // Containers were sent their stop signal.
  std::set<std::string> claims;           // That its volumes show, by uid.
  std::map<std::pair<std::string, int64_t>, PodToken> tokens;  // By audience and lifetime.
  base::MonoTime refresh_at = base::MonoTime::max();           // When a look at the tokens is due.
  std::string failure_message;            // Why the files cannot be made (FailedMount).
  std::map<std::string, std::string> gates;  // Condition types of the readiness gates that exist, with their status.
};

template <class Run, class Fn>
void for_each_container(Run& run, Fn fn) {
  for (auto& c : run.init) fn(c);
  for (auto& c : run.main) fn(c);
  for (auto& c : run.guests) fn(c);
}
inline ProbeRun& probe_of(ContainerRun& c, ProbeKind kind) { return c.probes[static_cast<size_t>(kind)]; }
inline const ProbeRun& probe_of(const ContainerRun& c, ProbeKind kind) { return c.probes[static_cast<size_t>(kind)]; }
inline bool is_alive(const ContainerRun& c) { return c.starting || c.state == ContainerState::kRunning; }
inline bool anything_alive(const PodRun& run) {
  bool alive = false;
  for_each_container(run, [&](const ContainerRun& c) { alive = alive || is_alive(c); });
  return alive;
}

}  // namespace server
