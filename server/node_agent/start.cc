// Starting containers, and what follows when they end.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "server/node_agent/agent.h"
#include "server/node_agent/pod_status.h"
#include "store/object/access.h"

namespace server {
namespace {

namespace fs = std::filesystem;

constexpr auto kFirstBackoff = std::chrono::seconds(10);
constexpr auto kMaxBackoff = std::chrono::seconds(300);
constexpr auto kHealthyRun = std::chrono::minutes(10);  // After it, back-off starts anew.
constexpr auto kRetryConfig = std::chrono::seconds(2);
constexpr int kStartErrorCode = 128;                    // What containerd reports for a command that cannot run.
constexpr size_t kMaxTerminationMessage = 4096;
constexpr const char* kServiceAccountPath = "/var/run/secrets/kubernetes.io/serviceaccount";
constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string make_container_id() {
  std::string id;
  for (int i = 0; i < 2; ++i) {
    for (char c : base::make_uid()) {
      if (c != '-') id += c;
    }
  }
  return "kubelan://" + id;
}

bool leaves(const std::string& path) {
  for (const auto& part : fs::path(path)) {
    if (part == "..") return true;
  }
  return false;
}

// Where a mount's content is, as the daemon sees it. Made when the pod is prepared.
base::Result<netns::Mount> compile_mount(const PodRun& run, const VolumeMount& m) {
  netns::Mount out;
  out.target = m.path;
  out.read_only = m.read_only;
  const json* volume = nullptr;
  for (const json& v : *run.spec.volumes) {
    if (store::get_string(v, "name") == m.volume) volume = &v;
  }
  if (volume == nullptr) return base::Error(base::Code::kInvalid, "volume \"" + m.volume + "\" is not defined");
  const json* host = store::find(*volume, "hostPath");
  bool empty_dir = store::find(*volume, "emptyDir") != nullptr || volume->size() == 1;
  out.source = host != nullptr ? store::get_string(*host, "path") : run.dir + "/volumes/" + m.volume;
  if (!empty_dir) out.read_only = true;  // Files of the API and of the host are not for pods to change.
  if (m.sub_path.empty()) return out;
  if (leaves(m.sub_path) || m.sub_path[0] == '/') return base::Error(base::Code::kInvalid, "subPath \"" + m.sub_path + "\" must stay inside its volume");
  out.source += "/" + m.sub_path;
  std::error_code error;
  if (empty_dir) fs::create_directories(out.source, error);
  if (!fs::exists(out.source, error)) return base::Error(base::Code::kInvalid, "subPath \"" + m.sub_path + "\" is not in volume \"" + m.volume + "\"");
  return out;
}

std::string read_termination_message(const PodRun& run, const ContainerRun& c, int exit_code) {
  base::Result<std::string> text = base::read_file(run.dir + "/termination/" + c.plan->name);
  std::string message = text.ok() ? text->substr(0, kMaxTerminationMessage) : "";
  if (message.empty() && exit_code != 0 && c.plan->logs_as_message && c.log != nullptr) message = c.log->tail(80, 2048);
  return message;
}

}  // namespace

Lookups Agent::lookups_for(const PodRun& run) {
  Lookups out;
  const std::string ns = run.key.ns;
  const Cache* maps = &loop_.cache("configmaps");
  const Cache* secrets = &loop_.cache("secrets");
  out.config_map = [maps, ns](const std::string& name) { return maps->find(ns, name); };
  out.secret = [secrets, ns](const std::string& name) { return secrets->find(ns, name); };
  if (run.spec.service_links) out.services = loop_.cache("services").list(ns);
  const store::Object* api = loop_.cache("services").find("default", "kubernetes");
  if (api != nullptr && (ns != "default" || !run.spec.service_links)) out.services.push_back(*api);
  out.pod = &run.spec.source.tree();
  out.pod_ip = run.ip.text();
  out.host_ip = run.host_ip;
  out.node = run.spec.node;
  return out;
}

// Files first, then containers: what a pod may read is there before its first process.
base::Status Agent::prepare(PodRun& run) {
  std::vector<VolumePlan> volumes = TRY(compile_volumes(run.spec, lookups_for(run)));
  for (const VolumePlan& v : volumes) {
    std::string dir = run.dir + "/volumes/" + v.name;
    if (v.kind == VolumePlan::Kind::kFiles) TRY_STATUS(write_files(dir, v.files));
    if (v.kind != VolumePlan::Kind::kEmpty) continue;
    std::error_code error;
    fs::create_directories(dir, error);
    ::chmod(dir.c_str(), 0777);  // As the kubelet: any user of the pod may write.
  }
  if (run.stage != PodStage::kPreparing) return {};  // A refresh of volumes.
  DnsSettings dns{options_.dns_address.text(), options_.cluster_domain, host_resolv_};
  std::vector<PodFile> files = {{"resolv.conf", compile_resolv_conf(run.spec, dns)}, {"hosts", compile_hosts(run.spec, run.ip.text(), options_.cluster_domain)}, {"hostname", run.spec.hostname + "\n"}};
  TRY_STATUS(write_files(run.dir + "/etc", files));
  std::vector<PodFile> messages;
  for (const auto* list : {&run.spec.init_containers, &run.spec.containers}) {
    for (const ContainerPlan& c : *list) messages.push_back({c.name, "", 0666});
  }
  TRY_STATUS(write_files(run.dir + "/termination", messages));
  std::string account = options_.run_dir + "/serviceaccount/" + run.key.ns;
  if (::access(account.c_str(), F_OK) == 0) return {};
  return write_files(account, {{"ca.crt", options_.root_ca_pem}, {"namespace", run.key.ns}});
}

base::Result<netns::ContainerSpec> Agent::compile_container(PodRun& run, ContainerRun& c, const ResolvedImage& image) {
  const ContainerPlan& plan = *c.plan;
  Env env = {{"PATH", kDefaultPath}, {"HOSTNAME", run.spec.hostname}, {"HOME", "/root"}};
  for (const std::string& e : image.env) env[e.substr(0, e.find('='))] = e.substr(std::min(e.size(), e.find('=') + 1));
  if (plan.tty) env["TERM"] = "xterm";
  for (auto& [name, value] : TRY(compile_environment(run.spec, plan, lookups_for(run)))) env[name] = value;
  netns::ContainerSpec spec;
  std::vector<std::string> command = plan.command.empty() ? image.entrypoint : plan.command;
  std::vector<std::string> args = !plan.args.empty() || !plan.command.empty() ? plan.args : image.cmd;
  for (const std::string& word : command) spec.argv.push_back(expand_references(word, env));
  for (const std::string& word : args) spec.argv.push_back(expand_references(word, env));
  spec.builtin = builtin_for_command(image, spec.argv.empty() ? plan.command : spec.argv);
  if (spec.builtin.empty() && spec.argv.empty()) return base::Error(base::Code::kInvalid, "no command specified: image \"" + plan.image + "\" has none of its own");
  for (const auto& [name, value] : env) spec.env.push_back(name + "=" + value);
  spec.cwd = plan.working_dir.empty() ? image.working_dir : plan.working_dir;
  spec.tty = plan.tty;
  spec.capabilities = plan.capabilities;
  using Kind = netns::Mount::Kind;
  for (const char* file : {"resolv.conf", "hosts", "hostname"}) spec.mounts.push_back({Kind::kBind, run.dir + "/etc/" + file, std::string("/etc/") + file});
  if (run.spec.mount_token) spec.mounts.push_back({Kind::kBind, options_.run_dir + "/serviceaccount/" + run.key.ns, kServiceAccountPath, true});
  spec.mounts.push_back({Kind::kBind, run.dir + "/termination/" + plan.name, plan.termination_path});
  for (const netns::Mount& m : image.mounts) spec.mounts.push_back(m);
  size_t own = spec.mounts.size();
  for (const VolumeMount& m : plan.mounts) spec.mounts.push_back(TRY(compile_mount(run, m)));
  // Outer paths first, so that a mount below another is not hidden by it.
  std::stable_sort(spec.mounts.begin() + static_cast<std::ptrdiff_t>(own), spec.mounts.end(), [](const netns::Mount& a, const netns::Mount& b) { return a.target.size() < b.target.size(); });
  return spec;
}

void Agent::start_container(PodRun& run, ContainerRun& c) {
  std::optional<ResolvedImage> image = resolve_image(c.plan->image);
  if (!image.has_value()) {
    wait_for_image(run, c);
    return;
  }
  base::Result<netns::ContainerSpec> spec = compile_container(run, c, *image);
  if (!spec.ok()) {
    if (c.waiting_message != spec.error().message) event(run, &c, "Warning", "Failed", "Error: " + spec.error().message);
    run.status_dirty = true;
    c.state = ContainerState::kWaiting;
    c.waiting_reason = "CreateContainerConfigError";
    c.waiting_message = spec.error().message;
    directory_.publish(run);
    queue_.add_after(run.key, kRetryConfig);
    return;
  }
  c.image_id = image->image_id;
  c.stop_signal = image->stop_signal;
  c.env = spec->env;
  c.container_id = make_container_id();
  std::string logs = options_.run_dir + "/logs/" + run.spec.meta.uid + "/" + c.plan->name;
  std::error_code error;
  fs::create_directories(logs, error);
  if (c.log != nullptr) c.previous_log = c.log;
  c.log = std::make_shared<ContainerLog>(logs + "/" + std::to_string(c.restarts) + ".log");
  base::Result<base::Pipe> out = base::make_pipe(), err = base::make_pipe(), in = base::make_pipe();
  if (!out.ok() || !err.ok() || !in.ok()) {
    on_started(run, c, base::Error(base::Code::kInternal, "too many open files"));
    return;
  }
  netns::Stdio stdio{c.plan->std_in ? in->read.get() : -1, out->write.get(), err->write.get()};
  if (c.plan->std_in && !c.plan->tty) c.std_in = std::make_shared<base::Fd>(std::move(in->write));
  if (!c.plan->tty) pump(io_, c.log, std::move(out->read), std::move(err->read));
  c.starting = true;
  const std::string uid = run.spec.meta.uid, name = c.plan->name;
  auto post = poster();
  spawner_.start(
      *spec, *run.sandbox, stdio,
      [this, post, uid, name](base::Result<netns::Started> started) {
        auto shared = std::make_shared<base::Result<netns::Started>>(std::move(started));
        post([this, uid, name, shared] {
          PodRun* owner = nullptr;
          ContainerRun* found = find_container(uid, name, &owner);
          if (found != nullptr) on_started(*owner, *found, std::move(*shared));
        });
      },
      [this, post, uid, name](netns::ExitInfo exit) {
        post([this, uid, name, exit] {
          PodRun* owner = nullptr;
          ContainerRun* found = find_container(uid, name, &owner);
          if (found != nullptr) on_exit(*owner, *found, exit);
        });
      });
}

ContainerRun* Agent::find_container(const std::string& uid, const std::string& name, PodRun** run) {
  *run = find_run(uid);
  if (*run == nullptr) return nullptr;
  for (auto* list : {&(*run)->init, &(*run)->main}) {
    for (ContainerRun& c : *list) {
      if (c.plan->name == name) return &c;
    }
  }
  return nullptr;
}

// No registry here: looked for again now and then, as an image may be imported meanwhile.
void Agent::wait_for_image(PodRun& run, ContainerRun& c) {
  bool first = c.waiting_reason != "ErrImagePull" && c.waiting_reason != "ImagePullBackOff";
  c.state = ContainerState::kWaiting;
  c.waiting_reason = first ? "ErrImagePull" : "ImagePullBackOff";
  c.waiting_message = first ? explain_unresolved(c.plan->image) : "Back-off pulling image \"" + c.plan->image + "\": ErrImagePull: " + explain_unresolved(c.plan->image);
  c.backoff = first ? kFirstBackoff : std::min(c.backoff * 2, std::chrono::duration_cast<std::chrono::seconds>(kMaxBackoff));
  if (first) {
    event(run, &c, "Warning", "Failed", "Failed to pull image \"" + c.plan->image + "\": " + c.waiting_message);
    event(run, &c, "Warning", "Failed", "Error: ErrImagePull");
  } else {
    event(run, &c, "Normal", "BackOff", "Back-off pulling image \"" + c.plan->image + "\"");
  }
  run.status_dirty = true;
  directory_.publish(run);
  loop_.post_after(c.backoff, [this, alive = alive_, uid = run.spec.meta.uid, name = c.plan->name] {
    PodRun* owner = nullptr;
    ContainerRun* found = *alive ? find_container(uid, name, &owner) : nullptr;
    if (found == nullptr || owner->stage == PodStage::kEnding) return;
    start_container(*owner, *found);
    requeue(*owner);
  });
}

void Agent::on_started(PodRun& run, ContainerRun& c, base::Result<netns::Started> started) {
  c.starting = false;
  run.status_dirty = true;
  c.started = loop_.clock().wall();
  c.waiting_message.clear();
  if (!started.ok()) {
    event(run, &c, "Warning", "Failed", "Error: failed to create containerd task: " + started.error().message);
    c.process = 0;
    c.now = Termination{kStartErrorCode, 0, "StartError", started.error().message, base::WallTime{}, c.started, c.container_id};
    c.state = ContainerState::kTerminated;
    c.log->end();
    schedule_restart(run, c, run.stage == PodStage::kInit);
    requeue(run);
    return;
  }
  c.state = ContainerState::kRunning;
  c.process = started->id;
  if (c.plan->tty && started->pty) {
    base::Result<base::Fd> copy = started->pty.duplicate();
    if (copy.ok()) pump(io_, c.log, std::move(copy).value(), base::Fd());
    c.pty = std::make_shared<base::Fd>(std::move(started->pty));
  }
  event(run, &c, "Normal", "Pulled", "Container image \"" + c.plan->image + "\" already present on machine");
  event(run, &c, "Normal", "Created", "Created container: " + c.plan->name);
  event(run, &c, "Normal", "Started", "Started container " + c.plan->name);
  directory_.publish(run);
  // Ended while it was being started: the signals sent then found no process.
  if (run.stage == PodStage::kEnding) spawner_.signal(c.process, SIGKILL);
  requeue(run);
}

void Agent::on_exit(PodRun& run, ContainerRun& c, netns::ExitInfo exit) {
  c.state = ContainerState::kTerminated;
  c.now = Termination{exit.code, exit.signal, exit.code == 0 ? "Completed" : "Error", read_termination_message(run, c, exit.code), c.started, loop_.clock().wall(), c.container_id};
  c.process = 0;
  c.std_in.reset();
  c.pty.reset();
  run.status_dirty = true;
  bool init = run.stage == PodStage::kInit;
  if (run.stage != PodStage::kEnding) {
    if (init && exit.code == 0) {
      ContainerRun* next = nullptr;
      for (ContainerRun& i : run.init) {
        if (next == nullptr && !(i.state == ContainerState::kTerminated && i.now->exit_code == 0)) next = &i;
      }
      if (next != nullptr) {
        start_container(run, *next);
      } else {
        run.stage = PodStage::kRunning;
        for (ContainerRun& m : run.main) start_container(run, m);
      }
    } else {
      schedule_restart(run, c, init);
    }
  }
  directory_.publish(run);
  requeue(run);
}

// The first restart comes at once; then 10 s, doubling to 5 min, as the kubelet.
void Agent::schedule_restart(PodRun& run, ContainerRun& c, bool init) {
  RestartPolicy policy = init && run.spec.restart == RestartPolicy::kAlways ? RestartPolicy::kOnFailure : run.spec.restart;
  if (!will_restart(policy, c.now->exit_code)) return;
  if (c.now->finished - c.now->started > kHealthyRun && c.now->reason != "StartError") c.backoff = std::chrono::seconds(0);
  std::chrono::seconds wait = c.backoff;
  c.backoff = wait.count() == 0 ? kFirstBackoff : std::min(wait * 2, std::chrono::duration_cast<std::chrono::seconds>(kMaxBackoff));
  if (wait.count() > 0) {
    std::string where = c.plan->name + " in pod " + run.key.name + "_" + run.key.ns + "(" + run.spec.meta.uid + ")";
    c.last = c.now;
    c.state = ContainerState::kWaiting;
    c.waiting_reason = "CrashLoopBackOff";
    c.waiting_message = "back-off " + std::string(wait.count() >= 60 ? std::to_string(wait.count() / 60) + "m" + std::to_string(wait.count() % 60) + "s" : std::to_string(wait.count()) + "s") + " restarting failed container=" + c.plan->name + " pod=" + run.key.name + "_" +
                        run.key.ns + "(" + run.spec.meta.uid + ")";
    event(run, &c, "Warning", "BackOff", "Back-off restarting failed container " + where);
  }
  loop_.post_after(wait, [this, alive = alive_, uid = run.spec.meta.uid, name = c.plan->name] {
    PodRun* owner = nullptr;
    ContainerRun* found = *alive ? find_container(uid, name, &owner) : nullptr;
    if (found == nullptr || owner->stage == PodStage::kEnding || found->starting || found->state == ContainerState::kRunning) return;
    if (found->now.has_value()) found->last = found->now;
    ++found->restarts;
    start_container(*owner, *found);
    requeue(*owner);
  });
}

}  // namespace server
