#include "server/node_agent/history.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "server/node_agent/pod_status.h"
#include "store/object/access.h"

namespace server {
namespace {

std::optional<Termination> project_termination(const json& state) {
  const json* t = store::find(state, "terminated");
  if (t == nullptr) return std::nullopt;
  Termination out;
  out.exit_code = static_cast<int>(store::get_int(*t, "exitCode"));
  out.signal = static_cast<int>(store::get_int(*t, "signal"));
  out.reason = store::get_string(*t, "reason");
  out.message = store::get_string(*t, "message");
  out.started = project_time(*t, "startedAt");
  out.finished = project_time(*t, "finishedAt");
  out.container_id = store::get_string(*t, "containerID");
  return out;
}

// How the container's last run ended, if it had one. A process that kubelan's end took with it counts as the kubelet
// counts one it finds gone after a reboot.
std::optional<Termination> last_run(const json& status, base::WallTime now) {
  if (store::find(status, "state.running") != nullptr) return Termination{255, 0, "Unknown", "", project_time(status, "state.running.startedAt"), now, store::get_string(status, "containerID")};
  std::optional<Termination> ended = project_termination(store::get_object(status, "state"));
  return ended.has_value() ? ended : project_termination(store::get_object(status, "lastState"));
}

void mark_ended(ContainerRun& c, const Termination& how) {
  c.state = ContainerState::kTerminated;
  c.now = how;
}

// One container's status, into its run. True: it has run before.
bool adopt(ContainerRun& c, const json& status, base::WallTime now) {
  std::optional<Termination> ended = last_run(status, now);
  c.restarts = static_cast<int>(store::get_int(status, "restartCount"));
  c.image_id = store::get_string(status, "imageID");
  c.container_id = store::get_string(status, "containerID");
  c.last = project_termination(store::get_object(status, "lastState"));
  if (ended.has_value()) mark_ended(c, *ended);
  return ended.has_value();
}

// It will start again: what it was is its last state now.
void renew(ContainerRun& c) {
  if (c.state != ContainerState::kTerminated) return;
  c.state = ContainerState::kWaiting;
  c.last = c.now;
  c.now.reset();
  ++c.restarts;
}

}  // namespace

bool adopt_history(PodRun& run, const store::Object& pod, base::WallTime now) {
  const std::string phase = store::get_string(pod.tree(), "status.phase");
  if (store::find(pod.tree(), "status.startTime") != nullptr) run.started = project_time(pod.tree(), "status.startTime");
  bool ran = false;
  for (const char* list : {"status.initContainerStatuses", "status.containerStatuses", "status.ephemeralContainerStatuses"}) {
    for (const json& status : store::get_array(pod.tree(), list)) {
      for_each_container(run, [&](ContainerRun& c) {
        if (c.plan->name == store::get_string(status, "name")) ran = adopt(c, status, now) || ran;
      });
    }
  }
  if (phase == "Succeeded" || phase == "Failed") return false;
  if (ran && run.spec.restart == RestartPolicy::kNever) {
    // It gets no second try; what never ran will not.
    for_each_container(run, [&](ContainerRun& c) {
      if (c.state != ContainerState::kTerminated) mark_ended(c, {137, 0, "ContainerStatusUnknown", "The container could not be located when the pod was terminated", {}, {}, ""});
    });
    return false;
  }
  for (ContainerRun& c : run.init) renew(c);  // A new sandbox: all of them again.
  for (ContainerRun& c : run.main) {
    if (c.state == ContainerState::kTerminated && will_restart(run.spec.restart, c.now->exit_code)) renew(c);
  }
  return true;
}

}  // namespace server
