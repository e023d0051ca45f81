// Probes of running containers: when they look, what follows, and how actions are carried out. In the kubelet's order:
// a startup probe holds the others back; readiness goes on while the pod ends, the others stop.
#include <algorithm>

#include "server/node_agent/agent.h"
#include "server/node_agent/exec_action.h"
#include "server/node_agent/net_action.h"

namespace server {
namespace {

constexpr ProbeKind kSteady[] = {ProbeKind::kReadiness, ProbeKind::kLiveness};

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

// As Go prints a duration.
std::string render_duration(std::chrono::milliseconds duration) {
  int64_t seconds = duration.count() / 1000;
  if (seconds >= 3600) return std::to_string(seconds / 3600) + "h" + std::to_string(seconds / 60 % 60) + "m" + std::to_string(seconds % 60) + "s";
  return (seconds >= 60 ? std::to_string(seconds / 60) + "m" : "") + std::to_string(seconds % 60) + "s";
}

Outcome judge_exec(const ExecResult& result) {
  if (!result.started) return {Outcome::Result::kError, "rpc error: code = Unknown desc = failed to exec in container: failed to start exec: " + result.problem};
  return {result.code == 0 ? Outcome::Result::kSuccess : Outcome::Result::kFailure, result.output};
}

}  // namespace

// The container runs and its postStart hook has passed.
void Agent::begin_probes(PodRun& run, ContainerRun& c) {
  end_probes(c);
  probe_of(c, ProbeKind::kLiveness).passed = true;
  auto since = std::chrono::floor<std::chrono::milliseconds>(loop_.clock().mono() - c.running_since);
  auto plan_first = [&](ProbeKind kind) {
    const std::optional<ProbePlan>& plan = c.plan->probes.of(kind);
    if (plan.has_value()) plan_look(run, c, kind, plan->initial_delay - since);
  };
  if (c.plan->probes.startup.has_value()) return plan_first(ProbeKind::kStartup);
  for (ProbeKind kind : kSteady) plan_first(kind);
}

void Agent::end_probes(ContainerRun& c) {
  for (ProbeRun& probe : c.probes) {
    if (probe.cancel != nullptr) probe.cancel();
    probe = ProbeRun();
  }
  if (c.cancel_hook != nullptr) c.cancel_hook();
  c.cancel_hook = nullptr;
  c.post_start_due = c.pre_stop_due = false;
}

void Agent::plan_look(PodRun& run, ContainerRun& c, ProbeKind kind, std::chrono::milliseconds delay) {
  uint64_t ticket = probe_of(c, kind).ticket = ++last_ticket_;
  later(std::max(delay, std::chrono::milliseconds(0)), run, c, [this, kind, ticket](PodRun& owner, ContainerRun& due) {
    if (probe_of(due, kind).ticket == ticket) look(owner, due, kind);
  });
}

void Agent::look(PodRun& run, ContainerRun& c, ProbeKind kind) {
  const std::optional<ProbePlan>& plan = c.plan->probes.of(kind);
  if (!plan.has_value() || c.state != ContainerState::kRunning) return;
  if (run.stage == PodStage::kEnding && kind != ProbeKind::kReadiness) return;
  ProbeRun& probe = probe_of(c, kind);
  base::MonoTime begun = loop_.clock().mono();
  // A kubelet's first look comes some time after the start; here it comes at once, and so waits for the server to listen.
  bool first = begun - c.running_since < plan->initial_delay + plan->period && kind != ProbeKind::kLiveness;
  ActionOptions options{plan->timeout, first && !probe.passed, false};
  probe.cancel = run_action(run, c, plan->action, options, [this, kind, begun, ticket = probe.ticket](PodRun& owner, ContainerRun& looked, const Outcome& outcome) {
    if (probe_of(looked, kind).ticket == ticket) on_looked(owner, looked, kind, begun, outcome);
  });
}

void Agent::on_looked(PodRun& run, ContainerRun& c, ProbeKind kind, base::MonoTime begun, const Outcome& outcome) {
  ProbeRun& probe = probe_of(c, kind);
  probe.cancel = nullptr;
  const std::optional<ProbePlan>& plan = c.plan->probes.of(kind);
  if (!plan.has_value() || (run.stage == PodStage::kEnding && kind != ProbeKind::kReadiness)) return;
  ProbeEvent told = compile_probe_event(kind, outcome);
  if (!told.reason.empty()) event(run, &c, "Warning", told.reason.c_str(), told.message);
  ProbeTally::Verdict verdict = probe.tally.count(*plan, outcome);
  bool decided = verdict != ProbeTally::Verdict::kNone, passed = verdict == ProbeTally::Verdict::kPassed;
  // Started, or to be started anew: nothing to look for until there is a new process.
  bool over = decided && (kind == ProbeKind::kStartup || (kind == ProbeKind::kLiveness && !passed));
  if (!over) plan_look(run, c, kind, next_look(*plan, begun, loop_.clock().mono()));
  if (decided && passed != probe.passed) {
    probe.passed = passed;
    run.status_dirty = true;
    requeue(run);
  }
  if (over) on_verdict(run, c, kind, passed);
}

void Agent::on_verdict(PodRun& run, ContainerRun& c, ProbeKind kind, bool passed) {
  if (passed) {
    for (ProbeKind steady : kSteady) {
      const std::optional<ProbePlan>& plan = c.plan->probes.of(steady);
      auto since = std::chrono::floor<std::chrono::milliseconds>(loop_.clock().mono() - c.running_since);
      if (plan.has_value()) plan_look(run, c, steady, plan->initial_delay - since);
    }
    return;
  }
  const ProbePlan& plan = *c.plan->probes.of(kind);
  std::string why = "Container " + c.plan->name + " failed " + (kind == ProbeKind::kStartup ? "startup" : "liveness") + " probe";
  c.failed_probe = run.spec.restart != RestartPolicy::kNever;
  if (c.failed_probe) why += ", will be restarted";
  stop_container(run, c, plan.grace.value_or(std::chrono::seconds(run.spec.grace_seconds)), why);
}

std::function<void()> Agent::run_action(PodRun& run, ContainerRun& c, const Action& action, const ActionOptions& options, const Answer& answer) {
  // Answers of an earlier process' actions find another one.
  Answer mine = [process = c.process, answer](PodRun& owner, ContainerRun& found, const Outcome& outcome) {
    if (found.process == process && found.state == ContainerState::kRunning) answer(owner, found, outcome);
  };
  switch (action.kind) {
    case Action::Kind::kExec:
      return run_exec(run, c, action, options, mine);
    case Action::Kind::kHttp:
    case Action::Kind::kGrpc:
      return run_net(run, c, action, options, mine);
    case Action::Kind::kTcp:
      if (!options.hook) return run_net(run, c, action, options, mine);
      break;  // The kubelet has no such hook: it stores it and fails.
    case Action::Kind::kSleep:
    case Action::Kind::kNone:
      break;
  }
  auto wanted = std::make_shared<bool>(true);
  bool sleep = action.kind == Action::Kind::kSleep;
  Outcome outcome{sleep ? Outcome::Result::kSuccess : Outcome::Result::kFailure, sleep ? "" : "invalid handler"};
  later(sleep ? action.sleep : std::chrono::seconds(0), run, c, [mine, wanted, outcome](PodRun& owner, ContainerRun& found) {
    if (*wanted) mine(owner, found, outcome);
  });
  return [wanted] { *wanted = false; };
}

std::function<void()> Agent::run_exec(PodRun& run, ContainerRun& c, const Action& action, const ActionOptions& options, const Answer& answer) {
  netns::ContainerSpec spec;
  spec.argv = action.command;
  spec.env = c.env;
  spec.cwd = c.plan->working_dir.empty() ? "/" : c.plan->working_dir;
  spec.capabilities = c.plan->capabilities;
  auto wanted = std::make_shared<bool>(true);  // Control thread.
  const std::string uid = run.spec.meta.uid, name = c.plan->name;
  auto cancel = run_exec_action(spawner_, io_, c.process, spec, [this, post = poster(), uid, name, wanted, answer](ExecResult result) {
    auto outcome = std::make_shared<Outcome>(judge_exec(result));
    post([this, uid, name, wanted, outcome, answer] {
      PodRun* owner = nullptr;
      ContainerRun* found = std::exchange(*wanted, false) ? find_container(uid, name, &owner) : nullptr;
      if (found != nullptr) answer(*owner, *found, *outcome);
    });
  });
  if (options.timeout.count() > 0) {
    std::string text = "command timed out: \"" + join(action.command) + "\" timed out after " + render_duration(options.timeout);
    later(options.timeout, run, c, [wanted, cancel, answer, text](PodRun& owner, ContainerRun& found) {
      if (!std::exchange(*wanted, false)) return;
      cancel();
      answer(owner, found, {Outcome::Result::kFailure, text});
    });
  }
  return [wanted, cancel] {
    *wanted = false;
    cancel();
  };
}

std::function<void()> Agent::run_net(PodRun& run, ContainerRun& c, const Action& action, const ActionOptions& options, const Answer& answer) {
  netns::Worker* worker = &fabric_.find_node(run.spec.node)->worker();
  SocketMaker make_socket = [worker](base::Family family, std::function<void(base::Result<base::Fd>)> done) {
    worker->post([family, done = std::move(done)] { done(make_probe_socket(family)); });
  };
  const std::string uid = run.spec.meta.uid, name = c.plan->name;
  NetAction what{action, run.ip.text(), options.timeout, options.patient, options.hook};
  return run_net_action(io_, make_socket, std::move(what), [this, post = poster(), uid, name, answer](Outcome outcome) {
    post([this, uid, name, answer, outcome = std::move(outcome)] {
      PodRun* owner = nullptr;
      ContainerRun* found = find_container(uid, name, &owner);
      if (found != nullptr) answer(*owner, *found, outcome);
    });
  });
}

}  // namespace server
