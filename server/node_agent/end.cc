// How a pod's run ends: signals, the last status, and what is given back.
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "server/informer/writes.h"
#include "server/node_agent/agent.h"
#include "store/object/access.h"

namespace server {
namespace {

// Between a pod's deletion and its SIGTERM: the time that Services need to stop sending to it. A kubelet takes
// longer to notice at all; without it a request could meet a closed port.
constexpr auto kDrainDelay = std::chrono::milliseconds(100);

}  // namespace

// `pod` is the deleted object that waits for its containers; nullptr: it is gone already, or another has its name.
// Every call brings the run as far as it can; exits and answers call again.
base::Result<Requeue> Agent::end(PodRun& run, const store::Object* pod) {
  int64_t grace = pod == nullptr ? 0 : store::get_int(pod->tree(), "metadata.deletionGracePeriodSeconds", run.spec.grace_seconds);
  if (run.stage != PodStage::kEnding) begin_ending(run, std::chrono::seconds(grace));
  set_kill_time(run, std::chrono::seconds(grace));
  end_sidecars(run);
  TRY_STATUS(write_status(run));  // How containers ended, before the pod goes.
  if (run.attach_due || anything_alive(run)) return Requeue{};
  store::Object last = pod == nullptr ? store::Object() : *pod;
  queue_.add(run.key);  // A new pod of the name may be waiting.
  forget(run);
  return last ? finish_deletion(last) : Requeue{};
}

void Agent::begin_ending(PodRun& run, std::chrono::seconds grace) {
  run.stage = PodStage::kEnding;
  run.ending_since = loop_.clock().mono();
  for_each_container(run, [&](ContainerRun& c) {
    if (c.state != ContainerState::kRunning || c.plan->sidecar) return;
    event(run, &c, "Normal", "Killing", "Stopping container " + c.plan->name);
    if (grace.count() > 0) begin_pre_stop(run, c);
  });
  later(kDrainDelay, run, [this](PodRun& ending) {
    ending.asked = true;
    signal_all(ending, Urgency::kAsk);
    end_sidecars(ending);
  });
}

// A second, more impatient deletion shortens the time.
void Agent::set_kill_time(PodRun& run, std::chrono::seconds grace) {
  base::MonoTime now = loop_.clock().mono();
  if (run.ending_since + grace < run.kill_at) {
    run.kill_at = run.ending_since + grace;
    if (run.kill_at > now) later(std::chrono::ceil<std::chrono::milliseconds>(run.kill_at - now), run, [this](PodRun& ending) { signal_all(ending, Urgency::kKill); });
  }
  if (run.kill_at <= now) signal_all(run, grace.count() == 0 ? Urgency::kForce : Urgency::kKill);
}

void Agent::signal_all(PodRun& run, Urgency urgency) {
  base::MonoTime now = loop_.clock().mono();
  for_each_container(run, [&](ContainerRun& c) {
    if (c.state != ContainerState::kRunning) return;
    if (urgency == Urgency::kForce) spawner_.signal(c.process, SIGKILL);
    else if (urgency == Urgency::kKill && c.pre_stop_due) end_pre_stop(run, c);
    else if (urgency == Urgency::kKill && c.spare_until <= now) spawner_.signal(c.process, SIGKILL);
    else if (urgency == Urgency::kAsk && !c.pre_stop_due && !c.plan->sidecar) spawner_.signal(c.process, c.stop_signal);
  });
}

// They go when everything that they serve has gone, the last one first.
void Agent::end_sidecars(PodRun& run) {
  if (!run.asked || std::any_of(run.main.begin(), run.main.end(), is_alive)) return;
  for (auto c = run.init.rbegin(); c != run.init.rend(); ++c) {
    if (!is_alive(*c)) continue;
    const bool told = c->kill_at != base::MonoTime::max();
    if (c->starting || told || !c->plan->sidecar) return;
    c->kill_at = run.kill_at;
    event(run, &*c, "Normal", "Killing", "Stopping container " + c->plan->name);
    begin_pre_stop(run, *c);
    if (!c->pre_stop_due) ask(run, *c);
    return;
  }
}

base::Result<Requeue> Agent::finish_deletion(const store::Object& pod) {
  // With finalizers left it stays as it is until they are gone; whoever takes the last one off removes it.
  const json* grace = store::find(pod.tree(), "metadata.deletionGracePeriodSeconds");
  if (grace != nullptr && *grace == 0 && !store::get_array(pod.tree(), "metadata.finalizers").empty()) return Requeue{};
  DeleteOptions options;
  options.grace_period_seconds = 0;
  TRY_STATUS(remove_object(loop_.client(), pod, options));
  return Requeue{};
}

void Agent::release_network(PodRun& run) {
  if (run.spec.host_network) run.sandbox.reset();
  if (!run.holds_address) return;
  run.holds_address = false;
  run.sandbox.reset();
  fabric_.find_node(run.spec.node)->detach(run.spec.meta.uid);
  pool(run.spec.node).give_back(run.ip);
}

void Agent::forget(PodRun& run) {
  const std::string uid = run.spec.meta.uid;
  const store::Key key = run.key;
  release_network(run);
  for_each_container(run, [](ContainerRun& c) { end_probes(c); });
  std::error_code error;
  std::filesystem::remove_all(run.dir, error);
  std::filesystem::remove_all(options_.run_dir + "/logs/" + uid, error);
  auto named = by_key_.find(key);
  if (named != by_key_.end() && named->second == uid) {
    by_key_.erase(named);
    directory_.forget(key);
  }
  const std::set<std::string> claims = std::move(run.claims);
  runs_.erase(uid);
  for (const std::string& claim : claims) drop_claim(claim);
}

}  // namespace server
