#include "server/node_agent/pod_status.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/model/pod.h"
#include "store/object/access.h"

namespace server {
namespace {

using base::render_rfc3339;

json render_termination(const Termination& t) {
  json out = {{"exitCode", t.exit_code}, {"reason", t.reason}, {"startedAt", render_rfc3339(t.started)}, {"finishedAt", render_rfc3339(t.finished)}, {"containerID", t.container_id}};
  if (!t.message.empty()) out["message"] = t.message;
  if (t.signal != 0) out["signal"] = t.signal;
  return out;
}

json render_state(const ContainerRun& c) {
  if (c.state == ContainerState::kRunning && !c.post_start_due) return {{"running", {{"startedAt", render_rfc3339(c.started)}}}};
  if (c.state == ContainerState::kTerminated && c.now.has_value()) return {{"terminated", render_termination(*c.now)}};
  json waiting = {{"reason", c.waiting_reason}};
  if (!c.waiting_message.empty()) waiting["message"] = c.waiting_message;
  return {{"waiting", waiting}};
}

// Attached, prepared or with init containers to go.
bool before_main(const PodRun& run) { return run.stage == PodStage::kAttaching || run.stage == PodStage::kPreparing || run.stage == PodStage::kInit; }

bool is_init(const PodRun& run, const ContainerRun& c) {
  return std::any_of(run.init.begin(), run.init.end(), [&c](const ContainerRun& i) { return &i == &c; });
}

// It has ended and stays so.
bool ended_for_good(const PodRun& run, const ContainerRun& c) {
  return c.state == ContainerState::kTerminated && !c.restart_due && !will_restart(restart_policy(run, c), c.now->exit_code);
}

bool succeeded(const ContainerRun& c) { return c.state == ContainerState::kTerminated && c.now.has_value() && c.now->exit_code == 0; }

json render_container(const ContainerRun& c, bool is_init) {
  json out = {{"name", c.plan->name}, {"image", c.plan->image}, {"imageID", c.image_id}, {"restartCount", c.restarts}, {"ready", is_init && !c.plan->sidecar ? succeeded(c) : container_ready(c)}, {"started", container_started(c)}, {"state", render_state(c)}, {"lastState", json::object()}};
  if (c.last.has_value()) out["lastState"]["terminated"] = render_termination(*c.last);
  if (!c.container_id.empty()) out["containerID"] = c.container_id;
  return out;
}

// Nobody waits for an ephemeral container, so the kubelet never calls one ready or started.
json render_guest(const ContainerRun& c) {
  json out = render_container(c, false);
  out["ready"] = false;
  out.erase("started");
  return out;
}

void add_name(std::string& names, const ContainerRun& c) { names += (names.empty() ? "" : " ") + c.plan->name; }

// Init containers that hold the others back.
std::string unfinished_names(const PodRun& run) {
  std::string names;
  for (const ContainerRun& c : run.init) {
    if (!init_done(c)) add_name(names, c);
  }
  return names;
}

std::string unready_names(const PodRun& run) {
  std::string names;
  for (const ContainerRun& c : run.init) {
    if (c.plan->sidecar && !container_ready(c)) add_name(names, c);
  }
  for (const ContainerRun& c : run.main) {
    if (!container_ready(c)) add_name(names, c);
  }
  return names;
}

// Why readiness gates hold the pod back; "" when they do not.
std::string unready_gates(const PodRun& run) {
  std::string text;
  for (const std::string& gate : run.spec.readiness_gates) {
    auto found = run.gates.find(gate);
    if (found != run.gates.end() && found->second == "True") continue;
    if (!text.empty()) text += ", ";
    if (found == run.gates.end()) text += "corresponding condition of pod readiness gate \"" + gate + "\" does not exist.";
    else text += "the status of pod readiness gate \"" + gate + "\" is not \"True\", but " + found->second;
  }
  return text;
}

struct Condition {
  const char* type;
  bool yes;
  std::string reason, message;
};

json render_condition(const Condition& c, const json& old_status, base::WallTime now, int64_t generation) {
  json out = {{"type", c.type}, {"status", c.yes ? "True" : "False"}, {"lastProbeTime", nullptr}, {"lastTransitionTime", render_rfc3339(now)}};
  if (generation > 0) out["observedGeneration"] = generation;
  if (!c.reason.empty()) out["reason"] = c.reason;
  if (!c.message.empty()) out["message"] = c.message;
  for (const json& old : store::get_array(old_status, "conditions")) {
    if (store::get_string(old, "type") == c.type && store::get_string(old, "status") == out["status"]) out["lastTransitionTime"] = store::get_string(old, "lastTransitionTime", render_rfc3339(now));
  }
  return out;
}

std::vector<Condition> own_conditions(const PodRun& run) {
  std::string phase = pod_phase(run);
  bool done = phase == "Succeeded" || phase == "Failed";
  // Once the others have started it has been initialized, whatever becomes of a sidecar.
  std::string waiting_init = run.stage == PodStage::kRunning ? "" : unfinished_names(run);
  bool initialized = waiting_init.empty();
  std::string unready = unready_names(run);
  bool ready = containers_ready(run);
  std::string gates = unready_gates(run);
  std::string why = done ? (phase == "Succeeded" ? "PodCompleted" : "PodFailed") : "ContainersNotReady";
  std::string text = done ? "" : "containers with unready status: [" + unready + "]";
  std::vector<Condition> out;
  out.push_back({"PodReadyToStartContainers", run.sandbox != nullptr && !done, "", ""});
  out.push_back({"Initialized", initialized, initialized ? (done && phase == "Succeeded" ? "PodCompleted" : "") : "ContainersNotInitialized", initialized ? "" : "containers with incomplete status: [" + waiting_init + "]"});
  if (ready && !gates.empty()) out.push_back({"Ready", false, "ReadinessGatesNotReady", gates});
  else out.push_back({"Ready", ready, ready ? "" : why, ready ? "" : text});
  out.push_back({"ContainersReady", ready, ready ? "" : why, ready ? "" : text});
  out.push_back({"PodScheduled", true, "", ""});  // It is here, whoever placed it.
  return out;
}

}  // namespace

bool will_restart(RestartPolicy policy, int exit_code) { return policy == RestartPolicy::kAlways || (policy == RestartPolicy::kOnFailure && exit_code != 0); }

RestartPolicy restart_policy(const PodRun& run, const ContainerRun& c) {
  if (c.plan->restart.has_value()) return *c.plan->restart;
  // An init container that has succeeded has done its work.
  return is_init(run, c) && run.spec.restart == RestartPolicy::kAlways ? RestartPolicy::kOnFailure : run.spec.restart;
}

bool init_done(const ContainerRun& c) { return c.plan->sidecar ? container_started(c) : succeeded(c); }

bool init_failed(const PodRun& run) {
  return std::any_of(run.init.begin(), run.init.end(), [&run](const ContainerRun& c) { return ended_for_good(run, c) && c.now->exit_code != 0; });
}

bool work_over(const PodRun& run) {
  if (init_failed(run)) return true;
  return run.stage == PodStage::kRunning && std::all_of(run.main.begin(), run.main.end(), [&run](const ContainerRun& c) { return ended_for_good(run, c); });
}

const char* pod_phase(const PodRun& run) {
  if (init_failed(run)) return "Failed";
  bool waiting_first = false, running = false, failed = false;
  for (const ContainerRun& c : run.init) {
    if (!c.plan->sidecar && !succeeded(c)) return "Pending";
    if (c.plan->sidecar && before_main(run) && !container_started(c)) return "Pending";
    if (c.plan->sidecar && c.state == ContainerState::kRunning) running = true;
  }
  for (const ContainerRun& c : run.main) {
    bool waiting = c.state == ContainerState::kWaiting || c.post_start_due;
    if (c.state == ContainerState::kRunning && !waiting) running = true;
    else if (waiting) (c.last.has_value() ? running : waiting_first) = true;
    else if (!ended_for_good(run, c) && run.stage != PodStage::kEnding) running = true;
    else if (c.now->exit_code != 0) failed = true;
  }
  if (waiting_first) return "Pending";
  if (running) return "Running";
  return failed ? "Failed" : "Succeeded";
}

bool container_started(const ContainerRun& c) {
  return c.state == ContainerState::kRunning && !c.post_start_due && (!c.plan->probes.startup.has_value() || probe_of(c, ProbeKind::kStartup).passed);
}

bool container_ready(const ContainerRun& c) { return container_started(c) && (!c.plan->probes.readiness.has_value() || probe_of(c, ProbeKind::kReadiness).passed); }

bool containers_ready(const PodRun& run) { return unready_names(run).empty() && unfinished_names(run).empty(); }

json compile_pod_status(const PodRun& run, const json& old_status, base::WallTime now) {
  json status = {{"phase", pod_phase(run)}, {"startTime", render_rfc3339(run.started)}, {"hostIP", run.host_ip}, {"hostIPs", {{{"ip", run.host_ip}}}}};
  if (run.sandbox != nullptr) {
    status["podIP"] = run.ip.text();
    status["podIPs"] = {{{"ip", run.ip.text()}}};
    for (const base::Ip& ip : run.more_ips) status["podIPs"].push_back({{"ip", ip.text()}});
  }
  if (store::find(old_status, "qosClass") != nullptr) status["qosClass"] = store::get_string(old_status, "qosClass");
  if (run.spec.meta.generation > 0) status["observedGeneration"] = run.spec.meta.generation;
  json conditions = json::array();
  std::vector<Condition> own = own_conditions(run);
  for (const Condition& c : own) conditions.push_back(render_condition(c, old_status, now, run.spec.meta.generation));
  for (const json& old : store::get_array(old_status, "conditions")) {
    std::string type = store::get_string(old, "type");
    if (std::none_of(own.begin(), own.end(), [&](const Condition& c) { return type == c.type; })) conditions.push_back(old);
  }
  status["conditions"] = conditions;
  json inits = json::array(), mains = json::array();
  for (const ContainerRun& c : run.init) inits.push_back(render_container(c, true));
  for (const ContainerRun& c : run.main) mains.push_back(render_container(c, false));
  if (!inits.empty()) status["initContainerStatuses"] = inits;
  status["containerStatuses"] = mains;
  json guests = json::array();
  for (const ContainerRun& c : run.guests) guests.push_back(render_guest(c));
  if (!guests.empty()) status["ephemeralContainerStatuses"] = guests;
  return status;
}

}  // namespace server
