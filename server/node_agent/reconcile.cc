// The life of a pod's run, from bound to gone. Starting containers is in start.cc.
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "server/informer/writes.h"
#include "server/model/pod.h"
#include "server/node_agent/agent.h"
#include "server/node_agent/pod_status.h"
#include "store/object/access.h"

namespace server {
namespace {

// Between a pod's deletion and its SIGTERM: the time that Services need to stop sending to it. A kubelet takes
// longer to notice at all; without it a request could meet a closed port.
constexpr auto kDrainDelay = std::chrono::milliseconds(100);
constexpr auto kRetryPrepare = std::chrono::seconds(1);

bool deleting(const store::Object& pod) { return store::find(pod.tree(), "metadata.deletionTimestamp") != nullptr; }

bool finished(const store::Object& pod) {
  std::string phase = store::get_string(pod.tree(), "status.phase");
  return phase == "Succeeded" || phase == "Failed";
}

template <class Fn>
void for_each_container(PodRun& run, Fn fn) {
  for (ContainerRun& c : run.init) fn(c);
  for (ContainerRun& c : run.main) fn(c);
}

bool anything_alive(PodRun& run) {
  bool alive = false;
  for_each_container(run, [&](ContainerRun& c) { alive = alive || c.starting || c.state == ContainerState::kRunning; });
  return alive;
}

}  // namespace

Agent::Agent(ControlLoop& loop, netns::Fabric& fabric, netns::Spawner& spawner, base::Loop& io, const NodeAgentOptions& options)
    : loop_(loop),
      fabric_(fabric),
      spawner_(spawner),
      io_(io),
      options_(options),
      directory_(spawner, loop.clock()),
      events_(loop, "kubelet"),
      registration_(loop, fabric),
      queue_(loop.make_queue("node-agent", [this](const store::Key& key) { return reconcile(key); })) {
  for (netns::Node* node : fabric.nodes()) pools_.emplace(node->plan().name, AddressPool(node->plan().pod_cidr));
  base::Result<std::string> resolv = base::read_file("/etc/resolv.conf");
  if (resolv.ok()) host_resolv_ = std::move(resolv).value();
  for (const char* sub : {"/pods", "/logs", "/serviceaccount"}) ::mkdir((options_.run_dir + sub).c_str(), 0755);
  loop.on_change("pods", [this](const store::Object& before, const store::Object& after) { on_pod(before, after); });
  loop.on_change("configmaps", [this](const store::Object& before, const store::Object& after) { on_config("configMap", before, after); });
  loop.on_change("secrets", [this](const store::Object& before, const store::Object& after) { on_config("secret", before, after); });
}

Agent::~Agent() { *alive_ = false; }

std::unique_ptr<NodeAgent> make_node_agent(ControlLoop& loop, netns::Fabric& fabric, netns::Spawner& spawner, base::Loop& io, const NodeAgentOptions& options) {
  return std::make_unique<Agent>(loop, fabric, spawner, io, options);
}

std::function<void(std::function<void()>)> Agent::poster() {
  // Answers may come from other threads after this agent ended; the loop, which outlives it, asks first.
  return [&loop = loop_, alive = alive_](std::function<void()> fn) {
    loop.post([alive, fn = std::move(fn)] {
      if (*alive) fn();
    });
  };
}

PodRun* Agent::find_run(const std::string& uid) {
  auto found = runs_.find(uid);
  return found == runs_.end() ? nullptr : found->second.get();
}

void Agent::on_pod(const store::Object& before, const store::Object& after) {
  const store::Object& pod = after ? after : before;
  std::string node = store::get_string(pod.tree(), "spec.nodeName");
  if (node.empty() || pools_.count(node) == 0) return;
  // Addresses of before a restart are given out last, so that no stale endpoint points at another pod.
  base::Result<base::Ip> ip = base::Ip::parse(store::get_string(pod.tree(), "status.podIP"));
  if (!before && ip.ok()) pool(node).skip_past(*ip);
  queue_.add(pod.key());
}

// Pods that wait for a ConfigMap or Secret, or show one in a volume.
void Agent::on_config(const char* kind, const store::Object& before, const store::Object& after) {
  const store::Object& object = after ? after : before;
  for (const auto& [uid, run] : runs_) {
    if (run->key.ns != object.ns()) continue;
    bool waits = run->stage == PodStage::kPreparing;
    for_each_container(*run, [&](ContainerRun& c) { waits = waits || c.waiting_reason == "CreateContainerConfigError"; });
    std::string volumes = run->spec.volumes->dump();
    bool shows = volumes.find(kind) != std::string::npos && volumes.find("\"" + object.name() + "\"") != std::string::npos;
    if (shows && run->stage != PodStage::kPreparing) base::ignore(prepare(*run), "the files stay as they were, as the kubelet leaves them");
    if (waits) queue_.add(run->key);
  }
}

base::Result<Requeue> Agent::reconcile(const store::Key& key) {
  const store::Object* pod = loop_.cache("pods").find(key.ns, key.name);
  auto known = by_key_.find(key);
  PodRun* run = known == by_key_.end() ? nullptr : find_run(known->second);
  if (run != nullptr && (pod == nullptr || pod->uid() != run->spec.meta.uid)) return end(*run, nullptr);
  if (pod == nullptr || pools_.count(store::get_string(pod->tree(), "spec.nodeName")) == 0) return Requeue{};
  if (deleting(*pod)) return run != nullptr ? end(*run, pod) : finish_deletion(*pod);
  if (run == nullptr) return finished(*pod) ? Requeue{} : begin(*pod);
  run->true_conditions.clear();
  for (const json& c : store::get_array(pod->tree(), "status.conditions")) {
    if (store::get_string(c, "status") == "True") run->true_conditions.push_back(store::get_string(c, "type"));
  }
  if (!run->spec.readiness_gates.empty()) run->status_dirty = true;
  return advance(*run);
}

base::Result<Requeue> Agent::begin(const store::Object& pod) {
  auto run = std::make_unique<PodRun>();
  run->key = pod.key();
  run->spec = project_pod_spec(pod);
  netns::Node* node = fabric_.find_node(run->spec.node);
  run->ip = TRY(pool(run->spec.node).take());
  run->host_ip = node->plan().address.text();
  run->started = loop_.clock().wall();
  const std::string uid = run->spec.meta.uid;
  run->dir = options_.run_dir + "/pods/" + uid;
  for (const ContainerPlan& plan : run->spec.init_containers) run->init.emplace_back().plan = &plan;
  for (const ContainerPlan& plan : run->spec.containers) run->main.emplace_back().plan = &plan;
  if (!run->init.empty()) {
    for (ContainerRun& c : run->main) c.waiting_reason = "PodInitializing";
    run->init[0].waiting_reason = "PodInitializing";
  }
  adopt_history(*run, pod);
  node->attach({uid, run->spec.hostname, run->ip}, [this, post = poster(), uid](base::Result<netns::Sandbox> sandbox) {
    auto shared = std::make_shared<base::Result<netns::Sandbox>>(std::move(sandbox));
    post([this, uid, shared] {
      PodRun* attached = find_run(uid);
      if (attached == nullptr) return;
      if (shared->ok()) {
        attached->sandbox = std::make_shared<netns::Sandbox>(std::move(*shared).value());
        if (attached->stage == PodStage::kAttaching) attached->stage = PodStage::kPreparing;
      } else {
        spdlog::error("pod {}/{}: {}", attached->key.ns, attached->key.name, shared->error().message);
        event(*attached, nullptr, "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: " + shared->error().message);
        store::Key key = attached->key;
        forget(*attached);
        queue_.add_after(key, kRetryPrepare);  // Begins anew, or finds the pod gone.
        return;
      }
      requeue(*attached);
    });
  });
  by_key_[run->key] = uid;
  directory_.publish(*run);
  runs_[uid] = std::move(run);
  return Requeue{};
}

// After a restart of kubelan: the processes are gone, as after a reboot of the node; containers start again and
// say so.
void Agent::adopt_history(PodRun& run, const store::Object& pod) {
  for (const char* list : {"status.containerStatuses", "status.initContainerStatuses"}) {
    for (const json& old : store::get_array(pod.tree(), list)) {
      for_each_container(run, [&](ContainerRun& c) {
        if (c.plan->name != store::get_string(old, "name")) return;
        bool ran = store::find(old, "state.running") != nullptr;
        c.restarts = static_cast<int>(store::get_int(old, "restartCount")) + (ran ? 1 : 0);
        if (ran) c.last = Termination{255, 0, "Unknown", "", project_time(old, "state.running.startedAt"), run.started, store::get_string(old, "containerID")};
      });
    }
  }
}

base::Result<Requeue> Agent::advance(PodRun& run) {
  Requeue next;
  if (run.stage == PodStage::kPreparing) {
    base::Status prepared = prepare(run);
    if (!prepared.ok()) {
      if (run.failure_message != prepared.error().message) {
        run.failure_message = prepared.error().message;
        run.status_dirty = true;
        event(run, nullptr, "Warning", "FailedMount", run.failure_message);
      }
      TRY(write_status(run));
      return Requeue{kRetryPrepare};
    }
    run.stage = run.init.empty() ? PodStage::kRunning : PodStage::kInit;
    if (run.stage == PodStage::kRunning) {
      for (ContainerRun& c : run.main) start_container(run, c);
    } else {
      start_container(run, run.init[0]);
    }
  }
  // A reference that was missing may be there now.
  for_each_container(run, [&](ContainerRun& c) {
    if (c.state == ContainerState::kWaiting && !c.starting && c.waiting_reason == "CreateContainerConfigError") start_container(run, c);
  });
  TRY(write_status(run));
  return next;
}

// One write for everything that changed, and none while an answer of the spawner is due at once.
base::Result<Requeue> Agent::write_status(PodRun& run) {
  bool starting = false;
  for_each_container(run, [&](ContainerRun& c) { starting = starting || c.starting; });
  if (!run.status_dirty || starting) return Requeue{};
  const store::Object* pod = loop_.cache("pods").find(run.key.ns, run.key.name);
  if (pod == nullptr || pod->uid() != run.spec.meta.uid) return Requeue{};
  json status = compile_pod_status(run, store::get_object(pod->tree(), "status"), loop_.clock().wall());
  // The uid keeps the status from a pod of the same name that was made meanwhile.
  TRY(merge_patch(loop_.client(), run.key, {{"metadata", {{"uid", run.spec.meta.uid}}}, {"status", status}}, "status"));
  run.status_dirty = false;
  return Requeue{};
}

base::Result<Requeue> Agent::end(PodRun& run, const store::Object* pod) {
  int64_t grace = pod == nullptr ? 0 : store::get_int(pod->tree(), "metadata.deletionGracePeriodSeconds", run.spec.grace_seconds);
  const std::string uid = run.spec.meta.uid;
  auto signal_all = [this, uid](bool kill) {
    PodRun* ending = find_run(uid);
    if (ending == nullptr) return;
    for_each_container(*ending, [&](ContainerRun& c) {
      if (c.state == ContainerState::kRunning) spawner_.signal(c.process, kill ? SIGKILL : c.stop_signal);
    });
  };
  if (run.stage != PodStage::kEnding) {
    run.stage = PodStage::kEnding;
    for (ContainerRun& c : run.main) {
      if (c.state == ContainerState::kRunning) event(run, &c, "Normal", "Killing", "Stopping container " + c.plan->name);
    }
    auto alive = alive_;
    auto guarded = [alive, signal_all](bool kill) {
      return [alive, signal_all, kill] {
        if (*alive) signal_all(kill);
      };
    };
    if (grace > 0) loop_.post_after(kDrainDelay, guarded(false));
    run.kill_at = loop_.clock().mono() + std::chrono::seconds(grace);
    if (grace > 0) loop_.post_after(std::chrono::seconds(grace), guarded(true));
  }
  if (grace == 0 || loop_.clock().mono() >= run.kill_at) signal_all(true);
  if (run.sandbox == nullptr || anything_alive(run)) return Requeue{};  // The answer or the exit brings us back.
  store::Object last = pod == nullptr ? store::Object() : *pod;
  queue_.add(run.key);  // A new pod of the name may be waiting.
  forget(run);
  return last ? finish_deletion(last) : Requeue{};
}

base::Result<Requeue> Agent::finish_deletion(const store::Object& pod) {
  DeleteOptions options;
  options.grace_period_seconds = 0;
  options.uid = pod.uid();
  base::Status removed = remove_object(loop_.client(), pod, options);
  if (!removed.ok() && removed.error().code != base::Code::kNotFound && removed.error().code != base::Code::kConflict) return removed.error();
  return Requeue{};
}

void Agent::forget(PodRun& run) {
  const std::string uid = run.spec.meta.uid;
  const store::Key key = run.key;
  fabric_.find_node(run.spec.node)->detach(uid);
  pool(run.spec.node).give_back(run.ip);
  std::error_code error;
  std::filesystem::remove_all(run.dir, error);
  std::filesystem::remove_all(options_.run_dir + "/logs/" + uid, error);
  auto named = by_key_.find(key);
  if (named != by_key_.end() && named->second == uid) {
    by_key_.erase(named);
    directory_.forget(key);
  }
  runs_.erase(uid);
}

ObjectRef Agent::ref(const PodRun& run, const ContainerRun* c) const {
  return make_ref(run.spec.source, c == nullptr ? "" : "spec.containers{" + c->plan->name + "}");
}

void Agent::event(const PodRun& run, const ContainerRun* c, const char* type, const char* reason, const std::string& message) {
  events_.record(ref(run, c), type, reason, message, run.spec.node);
}

}  // namespace server
