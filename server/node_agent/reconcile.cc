// The life of a pod's run while it is wanted. Starting containers is in start.cc, ending in end.cc.
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/informer/writes.h"
#include "server/model/pod.h"
#include "server/node_agent/agent.h"
#include "server/node_agent/history.h"
#include "server/node_agent/pod_status.h"
#include "store/base/log.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr auto kRetryPrepare = std::chrono::seconds(1);

bool deleting(const store::Object& pod) { return store::find(pod.tree(), "metadata.deletionTimestamp") != nullptr; }

// Adds the state of a readiness gate's condition, if there is one.
void find_gate(const store::Object& pod, const std::string& type, std::map<std::string, std::string>& gates) {
  const json* condition = find_condition(pod.tree(), type);
  if (condition != nullptr) gates[type] = store::get_string(*condition, "status");
}

bool waits_for_config(const ContainerRun& c) { return c.state == ContainerState::kWaiting && !c.starting && c.waiting_reason == "CreateContainerConfigError"; }
bool waits_for_config(PodRun& run) {
  bool waits = false;
  for_each_container(run, [&](const ContainerRun& c) { waits = waits || waits_for_config(c); });
  return waits;
}

// On the node's worker.
base::Result<netns::Sandbox> make_node_sandbox(netns::Node& node, const std::string& hostname) {
  netns::Sandbox sandbox = TRY(netns::make_sandbox(hostname));
  sandbox.net = TRY(node.net().duplicate());
  return sandbox;
}

bool finished(const store::Object& pod) {
  std::string phase = store::get_string(pod.tree(), "status.phase");
  return phase == "Succeeded" || phase == "Failed";
}

}  // namespace

Agent::Agent(ControlLoop& loop, netns::Fabric& fabric, netns::Spawner& spawner, base::Loop& io, const NodeAgentOptions& options)
    : loop_(loop),
      fabric_(fabric),
      spawner_(spawner),
      io_(io),
      options_(options),
      directory_(spawner, loop.clock(), fabric),
      events_(loop, "kubelet"),
      registration_(loop, fabric),
      queue_(loop.make_queue("node-agent", [this](const store::Key& key) { return reconcile(key); })) {
  for (netns::Node* node : fabric.nodes()) pools_.emplace(node->plan().name, PodAddressPool(node->plan().pod_cidr));
  base::Result<std::string> resolv = base::read_file("/etc/resolv.conf");
  if (resolv.ok()) host_resolv_ = std::move(resolv).value();
  for (const char* sub : {"/pods", "/logs"}) ::mkdir((options_.run_dir + sub).c_str(), 0755);
  loop.on_change("pods", [this](const store::Object& before, const store::Object& after) { on_pod(before, after); });
  loop.on_change("configmaps", [this](const store::Object& before, const store::Object& after) { on_config(after ? after : before); });
  loop.on_change("persistentvolumeclaims", [this](const store::Object& before, const store::Object& after) {
    if (before && (!after || before.uid() != after.uid())) claims_.erase(before.uid()), drop_claim(before.uid());
    if (!after || !claims_.insert(after.uid()).second) return;
    for (const auto& [uid, run] : runs_) {  // It may be waited for.
      if (run->key.ns == after.ns() && run->stage == PodStage::kPreparing) queue_.add(run->key);
    }
  });
  loop.on_change("secrets", [this](const store::Object& before, const store::Object& after) { on_config(after ? after : before); });
}

Agent::~Agent() {
  *alive_ = false;
  for (auto& [uid, run] : runs_) for_each_container(*run, [](ContainerRun& c) { end_probes(c); });
}

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
void Agent::on_config(const store::Object& object) {
  for (const auto& [uid, run] : runs_) {
    if (run->key.ns != object.ns()) continue;
    if (run->stage == PodStage::kPreparing || waits_for_config(*run)) queue_.add(run->key);
    bool live = run->stage == PodStage::kInit || run->stage == PodStage::kRunning;
    if (live && run->spec.shown.count({object.key().resource, object.name()}) != 0) base::ignore(prepare(*run), "the files stay as they were, as the kubelet leaves them");
  }
}

base::Result<Requeue> Agent::reconcile(const store::Key& key) {
  const store::Object* pod = loop_.cache("pods").find(key.ns, key.name);
  auto known = by_key_.find(key);
  PodRun* run = known == by_key_.end() ? nullptr : find_run(known->second);
  if (run != nullptr && (pod == nullptr || pod->uid() != run->spec.meta.uid)) return end(*run, nullptr);
  if (pod == nullptr || pools_.count(store::get_string(pod->tree(), "spec.nodeName")) == 0) return Requeue{};
  if (deleting(*pod)) return run != nullptr ? end(*run, pod) : finish_deletion(*pod);
  if (run == nullptr) return begin(*pod);
  follow_changes(*run, *pod);
  return advance(*run);
}

base::Result<Requeue> Agent::begin(const store::Object& pod) {
  auto made = std::make_unique<PodRun>();
  PodRun& run = *made;
  run.key = pod.key();
  run.spec = project_pod_spec(pod);
  run.host_ip = fabric_.find_node(run.spec.node)->plan().address.text();
  run.started = loop_.clock().wall();
  run.dir = options_.run_dir + "/pods/" + run.spec.meta.uid;
  for (const ContainerPlan& plan : run.spec.init_containers) run.init.emplace_back().plan = &plan;
  for (const ContainerPlan& plan : run.spec.containers) run.main.emplace_back().plan = &plan;
  if (!run.init.empty()) {
    for_each_container(run, [](ContainerRun& c) { c.waiting_reason = "PodInitializing"; });
  }
  for (const ContainerPlan& plan : run.spec.guests) run.guests.emplace_back().plan = &plan;
  for (const std::string& gate : run.spec.readiness_gates) find_gate(pod, gate, run.gates);
  bool to_run = adopt_history(run, pod, loop_.clock().wall());
  if (to_run && run.spec.host_network) {
    run.ip = fabric_.find_node(run.spec.node)->plan().address;
    run.more_ips = fabric_.find_node(run.spec.node)->plan().more_addresses;
  } else if (to_run) {
    base::Result<base::Ip> ip = pool(run.spec.node).take();
    if (!ip.ok()) {
      event(run, nullptr, "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: " + ip.error().message);
      return Requeue{kRetryPrepare};
    }
    run.ip = *ip;
    for (const base::Cidr& range : fabric_.find_node(run.spec.node)->plan().more_pod_cidrs) run.more_ips.push_back(range.address().plus(pool(run.spec.node).offset_of(*ip)));
    run.holds_address = true;
  } else {
    run.stage = PodStage::kFinished;
    run.status_dirty = !finished(pod);
  }
  by_key_[run.key] = run.spec.meta.uid;
  directory_.publish(run);
  runs_[run.spec.meta.uid] = std::move(made);
  if (to_run) attach(run);
  if (!to_run) TRY_STATUS(write_status(run));
  return Requeue{};
}

// A pod of the node's own network needs no link, but a host name and IPC of its own.
void Agent::attach_to_node(PodRun& run) {
  const std::string uid = run.spec.meta.uid;
  netns::Node* node = fabric_.find_node(run.spec.node);
  node->worker().post([this, node, post = poster(), uid, hostname = run.spec.hostname] {
    auto shared = std::make_shared<base::Result<netns::Sandbox>>(make_node_sandbox(*node, hostname));
    post([this, uid, shared] {
      PodRun* attached = find_run(uid);
      if (attached != nullptr) on_attached(*attached, std::move(*shared));
    });
  });
}

void Agent::attach(PodRun& run) {
  run.attach_due = true;
  if (run.spec.host_network) return attach_to_node(run);
  const std::string uid = run.spec.meta.uid;
  fabric_.find_node(run.spec.node)->attach({uid, run.spec.hostname, run.ip, run.more_ips}, [this, post = poster(), uid](base::Result<netns::Sandbox> sandbox) {
    auto shared = std::make_shared<base::Result<netns::Sandbox>>(std::move(sandbox));
    post([this, uid, shared] {
      PodRun* attached = find_run(uid);
      if (attached != nullptr) on_attached(*attached, std::move(*shared));
    });
  });
}

void Agent::on_attached(PodRun& run, base::Result<netns::Sandbox> sandbox) {
  run.attach_due = false;
  if (!sandbox.ok()) {
    base::log::error("pod {}/{}: {}", run.key.ns, run.key.name, sandbox.error().message);
    event(run, nullptr, "Warning", "FailedCreatePodSandBox", "Failed to create pod sandbox: " + sandbox.error().message);
    store::Key key = run.key;
    forget(run);
    queue_.add_after(key, kRetryPrepare);  // Begins anew, or finds the pod gone.
    return;
  }
  run.sandbox = std::make_shared<netns::Sandbox>(std::move(sandbox).value());
  if (run.stage == PodStage::kAttaching) run.stage = PodStage::kPreparing;
  requeue(run);
}

// What may change in a pod that runs: its metadata, which volumes of the downward API show, the conditions of its
// readiness gates, and its images, which make containers start anew.
void Agent::follow_changes(PodRun& run, const store::Object& pod) {
  std::map<std::string, std::string> gates;
  for (const std::string& gate : run.spec.readiness_gates) find_gate(pod, gate, gates);
  if (gates != run.gates) run.status_dirty = true;
  run.gates = std::move(gates);
  Meta meta = project_meta(pod.tree());
  bool metadata = meta.labels != run.spec.meta.labels || meta.annotations != run.spec.meta.annotations;
  if (!metadata && meta.generation == run.spec.meta.generation) return;
  run.status_dirty = run.status_dirty || meta.generation != run.spec.meta.generation;
  std::vector<std::string> images;
  for_each_container(run, [&](ContainerRun& c) { images.push_back(c.plan->image); });
  std::map<std::string, ContainerRun> guests;
  for (ContainerRun& c : run.guests) guests.emplace(c.plan->name, std::move(c));
  run.spec = project_pod_spec(pod);
  // The API lets nobody add or remove containers of a pod, but guests may come.
  for (size_t i = 0; i < run.init.size() && i < run.spec.init_containers.size(); ++i) run.init[i].plan = &run.spec.init_containers[i];
  for (size_t i = 0; i < run.main.size() && i < run.spec.containers.size(); ++i) run.main[i].plan = &run.spec.containers[i];
  follow_guests(run, std::move(guests));
  bool live = run.stage == PodStage::kInit || run.stage == PodStage::kRunning;
  if (live && metadata) base::ignore(prepare(run), "the files stay as they were");
  size_t at = 0;
  for_each_container(run, [&](ContainerRun& c) {
    if (at < run.init.size() + run.main.size() && c.plan->image != images[at++] && live) replace_container(run, c);
  });
}

// Those that are there stay as they are, wherever a patch has put them in the list; others are new.
void Agent::follow_guests(PodRun& run, std::map<std::string, ContainerRun> known) {
  run.guests.clear();
  for (const ContainerPlan& plan : run.spec.guests) {
    auto found = known.find(plan.name);
    run.guests.push_back(found == known.end() ? ContainerRun() : std::move(found->second));
    run.guests.back().plan = &plan;
    run.status_dirty = run.status_dirty || found == known.end();
  }
}

void Agent::replace_container(PodRun& run, ContainerRun& c) {
  if (c.state == ContainerState::kRunning) {
    c.replace = true;
    stop_container(run, c, std::chrono::seconds(run.spec.grace_seconds), "Container " + c.plan->name + " definition changed, will be restarted");
  } else if (c.state == ContainerState::kWaiting && !c.starting && (c.waiting_reason == "ErrImagePull" || c.waiting_reason == "ImagePullBackOff")) {
    c.waiting_reason.clear();  // The new image has not been looked for yet.
    start_container(run, c);
  }
}

base::Result<Requeue> Agent::advance(PodRun& run) {
  if (run.stage == PodStage::kPreparing) {
    base::Status prepared = prepare(run);
    if (!prepared.ok()) {
      if (run.failure_message != prepared.error().message) {
        run.failure_message = prepared.error().message;
        run.status_dirty = true;
        event(run, nullptr, "Warning", "FailedMount", run.failure_message);
      }
      TRY_STATUS(write_status(run));
      return Requeue{kRetryPrepare};
    }
    if (run.init.empty()) {
      start_main(run);
    } else {
      run.stage = PodStage::kInit;
    }
  }
  if (run.stage == PodStage::kInit) start_next_init(run);
  if (run.stage == PodStage::kRunning) start_further(run);
  if (run.stage == PodStage::kInit || run.stage == PodStage::kRunning) move_guests(run);
  if (work_over(run)) stop_sidecars(run);
  // A reference that was missing may be there now.
  for_each_container(run, [&](ContainerRun& c) {
    if (waits_for_config(c)) start_container(run, c);
  });
  TRY_STATUS(write_status(run));
  std::string phase = pod_phase(run);
  if (run.stage == PodStage::kRunning || run.stage == PodStage::kInit) {
    if (run.status_dirty || anything_alive(run) || (phase != "Succeeded" && phase != "Failed")) return Requeue{};
    run.stage = PodStage::kFinished;
    release_network(run);
    directory_.publish(run);
  }
  return Requeue{};
}

// Those that ended well before a restart of kubelan stay ended.
void Agent::start_main(PodRun& run) {
  run.stage = PodStage::kRunning;
  run.status_dirty = true;
  start_further(run);
}

// One write for everything that changed, and none while an answer of the spawner is due at once.
base::Status Agent::write_status(PodRun& run) {
  bool starting = false;
  for_each_container(run, [&](ContainerRun& c) { starting = starting || c.starting; });
  if (!run.status_dirty || starting) return {};
  const store::Object* pod = loop_.cache("pods").find(run.key.ns, run.key.name);
  if (pod == nullptr || pod->uid() != run.spec.meta.uid) return {};
  const json& old = store::get_object(pod->tree(), "status");
  json status = old;
  status.update(compile_pod_status(run, old, loop_.clock().wall()));
  // Only over the revision that was looked at: others write conditions, too.
  base::Result<store::Object> written = server::write_status(loop_.client(), *pod, std::move(status));
  if (!written.ok() && written.error().code != base::Code::kNotFound) return written.error();
  run.status_dirty = false;
  return {};
}

ObjectRef Agent::ref(const PodRun& run, const ContainerRun* c) const {
  if (c == nullptr) return make_ref(run.spec.source);
  auto within = [c](const std::vector<ContainerRun>& list) { return std::any_of(list.begin(), list.end(), [c](const ContainerRun& other) { return &other == c; }); };
  const char* list = within(run.init) ? "initContainers" : within(run.guests) ? "ephemeralContainers" : "containers";
  return make_ref(run.spec.source, std::string("spec.") + list + "{" + c->plan->name + "}");
}

void Agent::event(const PodRun& run, const ContainerRun* c, const char* type, const char* reason, const std::string& message) {
  events_.record(ref(run, c), type, reason, message, run.spec.node);
}

void Agent::later(std::chrono::milliseconds delay, const PodRun& run, std::function<void(PodRun&)> fn) {
  loop_.post_after(delay, [this, alive = alive_, uid = run.spec.meta.uid, fn = std::move(fn)] {
    PodRun* found = *alive ? find_run(uid) : nullptr;
    if (found != nullptr) fn(*found);
  });
}

void Agent::later(std::chrono::milliseconds delay, const PodRun& run, const ContainerRun& c, std::function<void(PodRun&, ContainerRun&)> fn) {
  later(delay, run, [this, name = c.plan->name, fn = std::move(fn)](PodRun& found) {
    PodRun* owner = nullptr;
    ContainerRun* container = find_container(found.spec.meta.uid, name, &owner);
    if (container != nullptr) fn(found, *container);
  });
}

}  // namespace server
