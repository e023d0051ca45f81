// What happens around a container's life: the order of starts, postStart and preStop hooks, and being stopped by itself
// (a failed probe or hook, another image). Being stopped with its pod is in end.cc.
#include <signal.h>

#include "server/node_agent/agent.h"
#include "server/node_agent/pod_status.h"

namespace server {
namespace {

// What a container gets at least between its signal and the end, when the preStop hook has used up its time.
constexpr auto kLeastGrace = std::chrono::seconds(2);

bool passed(const Outcome& outcome) { return outcome.result == Outcome::Result::kSuccess || outcome.result == Outcome::Result::kWarning; }

}  // namespace

// In order: whoever has a postStart hook holds back those behind it until the hook is done.
void Agent::start_further(PodRun& run) {
  for (ContainerRun& c : run.main) {
    if (c.state == ContainerState::kWaiting && !c.tried) {
      c.tried = true;
      start_container(run, c);
    }
    bool hook = c.plan->probes.post_start.kind != Action::Kind::kNone;
    if (hook && (c.starting || c.post_start_due)) return;
  }
}

// Ephemeral containers start at once, and go when there is nothing left to look into.
void Agent::move_guests(PodRun& run) {
  const bool over = work_over(run);
  for (ContainerRun& c : run.guests) {
    const bool told = c.kill_at != base::MonoTime::max();
    if (over && c.state == ContainerState::kRunning && !told) stop_container(run, c, std::chrono::seconds(run.spec.grace_seconds), "Stopping container " + c.plan->name);
    if (over || c.tried || c.state != ContainerState::kWaiting) continue;
    c.tried = true;
    start_container(run, c);
  }
}

void Agent::begin_post_start(PodRun& run, ContainerRun& c) {
  const Action& hook = c.plan->probes.post_start;
  if (hook.kind == Action::Kind::kNone) return begin_probes(run, c);
  c.post_start_due = true;
  c.waiting_reason = run.init.empty() ? "ContainerCreating" : "PodInitializing";
  c.cancel_hook = run_action(run, c, hook, {std::chrono::milliseconds(0), false, true}, [this](PodRun& owner, ContainerRun& done, const Outcome& outcome) {
    done.cancel_hook = nullptr;
    if (owner.stage == PodStage::kEnding) return;
    owner.status_dirty = true;
    if (passed(outcome)) {
      done.post_start_due = false;
      begin_probes(owner, done);
    } else {
      done.waiting_reason = "PostStartHookError";
      event(owner, &done, "Warning", "FailedPostStartHook", "PostStartHook failed");
      stop_container(owner, done, std::chrono::seconds(owner.spec.grace_seconds), "FailedPostStartHook");
    }
    requeue(owner);
  });
}

// Once; the signal follows when it is done or its time is up.
void Agent::begin_pre_stop(PodRun& run, ContainerRun& c) {
  const Action& hook = c.plan->probes.pre_stop;
  if (hook.kind == Action::Kind::kNone || c.pre_stop_due) return;
  if (c.cancel_hook != nullptr) c.cancel_hook();  // A postStart hook that still runs.
  c.pre_stop_due = true;
  c.cancel_hook = run_action(run, c, hook, {std::chrono::milliseconds(0), false, true}, [this](PodRun& owner, ContainerRun& done, const Outcome& outcome) {
    if (!passed(outcome)) event(owner, &done, "Warning", "FailedPreStopHook", "PreStopHook failed");
    end_pre_stop(owner, done);
  });
}

void Agent::end_pre_stop(PodRun& run, ContainerRun& c) {
  if (c.cancel_hook != nullptr) c.cancel_hook();
  c.cancel_hook = nullptr;
  c.pre_stop_due = false;
  // A pod that ends asks all of its containers after a moment, and this one then.
  if (run.stage != PodStage::kEnding || run.asked) ask(run, c);
}

// What they served has ended: they follow, one by one, the last one first.
void Agent::stop_sidecars(PodRun& run) {
  for (auto c = run.init.rbegin(); c != run.init.rend(); ++c) {
    if (!c->plan->sidecar || !is_alive(*c)) continue;
    const bool told = c->kill_at != base::MonoTime::max();
    if (!c->starting && !told) stop_container(run, *c, std::chrono::seconds(run.spec.grace_seconds), "Stopping container " + c->plan->name);
    return;
  }
}

void Agent::stop_container(PodRun& run, ContainerRun& c, std::chrono::seconds grace, const std::string& why) {
  event(run, &c, "Normal", "Killing", why);
  c.kill_at = loop_.clock().mono() + grace;
  if (grace.count() > 0) begin_pre_stop(run, c);
  if (!c.pre_stop_due) return ask(run, c);
  later(grace, run, c, [this, process = c.process](PodRun& owner, ContainerRun& late) {
    if (late.process == process && late.pre_stop_due) end_pre_stop(owner, late);
  });
}

// The stop signal; and the end of a container that does not heed it. With its pod that is at the pod's time.
void Agent::ask(PodRun& run, ContainerRun& c) {
  base::MonoTime now = loop_.clock().mono();
  spawner_.signal(c.process, c.stop_signal);
  c.spare_until = now + kLeastGrace;
  base::MonoTime until = std::min(c.kill_at, run.kill_at);
  if (until == base::MonoTime::max()) return;
  until = std::max(until, c.spare_until);
  later(std::chrono::ceil<std::chrono::milliseconds>(until - now), run, c, [this, process = c.process](PodRun&, ContainerRun& late) {
    if (late.process == process) spawner_.signal(process, SIGKILL);
  });
}

}  // namespace server
