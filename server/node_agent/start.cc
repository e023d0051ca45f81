// Starting containers, and what follows when they end.
#include <fcntl.h>
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
constexpr int kMaxLooksAtLog = 1000;                    // A millisecond each.
constexpr auto kHealthyRun = std::chrono::minutes(10);  // After it, back-off starts anew.
constexpr auto kRetryConfig = std::chrono::seconds(2);
constexpr int kStartErrorCode = 128;                    // What containerd reports for a command that cannot run.
constexpr size_t kMaxTerminationMessage = 4096;
constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string make_container_id() {
  std::string id;
  for (int i = 0; i < 2; ++i) {  // 64 digits.
    for (char c : base::make_uid()) {
      if (c != '-') id += c;
    }
  }
  return "kubelan://" + id;
}

// As Go prints a duration: "40s", "1m20s".
std::string render_wait(std::chrono::seconds wait) {
  int64_t seconds = wait.count();
  std::string out = seconds >= 60 ? std::to_string(seconds / 60) + "m" : "";
  return out + std::to_string(seconds % 60) + "s";
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
  const json* claim = store::find(*volume, "persistentVolumeClaim");
  bool writable = store::find(*volume, "emptyDir") != nullptr || volume->size() == 1 || (claim != nullptr && !store::get_bool(*claim, "readOnly"));
  out.source = host != nullptr ? store::get_string(*host, "path") : run.dir + "/volumes/" + m.volume;
  if (!writable) out.read_only = true;  // Files of the API and of the host are not for pods to change.
  if (m.sub_path.empty()) return out;
  if (leaves(m.sub_path) || m.sub_path[0] == '/') return base::Error(base::Code::kInvalid, "subPath \"" + m.sub_path + "\" must stay inside its volume");
  out.source += "/" + m.sub_path;
  std::error_code error;
  // Links that a container left in its volume lead nowhere else.
  const std::string root = fs::weakly_canonical(host != nullptr ? store::get_string(*host, "path") : run.dir + "/volumes/" + m.volume, error).string();
  const std::string resolved = fs::weakly_canonical(out.source, error).string();
  if (error || (resolved + "/").rfind(root + "/", 0) != 0) return base::Error(base::Code::kInvalid, "subPath \"" + m.sub_path + "\" must stay inside its volume");
  out.source = resolved;
  if (writable) fs::create_directories(out.source, error);
  if (!fs::exists(out.source, error)) return base::Error(base::Code::kInvalid, "subPath \"" + m.sub_path + "\" is not in volume \"" + m.volume + "\"");
  return out;
}

std::string termination_file(const PodRun& run, const ContainerRun& c) { return run.dir + "/termination/" + c.plan->name + "/message"; }

// The end of a file: the container may have written anything, of any size.
std::string read_end(const std::string& path, size_t limit) {
  base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return "";
  std::string out(limit, '\0');
  auto size = static_cast<size_t>(info.st_size);
  ssize_t n = ::pread(file.get(), out.data(), limit, static_cast<off_t>(size > limit ? size - limit : 0));
  out.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return out;
}

std::string read_termination_message(const PodRun& run, const ContainerRun& c, int exit_code) {
  std::string message = read_end(termination_file(run, c), kMaxTerminationMessage);
  if (message.empty() && exit_code != 0 && c.plan->logs_as_message && c.log != nullptr) message = c.log->tail(80, 2048);
  return message;
}

}  // namespace

Lookups Agent::lookups_for(PodRun& run) {
  Lookups out;
  const std::string ns = run.key.ns;
  const Cache* maps = &loop_.cache("configmaps");
  const Cache* secrets = &loop_.cache("secrets");
  out.config_map = [maps, ns](const std::string& name) { return maps->find(ns, name); };
  out.secret = [secrets, ns](const std::string& name) { return secrets->find(ns, name); };
  const Cache* claims = &loop_.cache("persistentvolumeclaims");
  out.claim = [claims, ns](const std::string& name) { return claims->find(ns, name); };
  out.token = [this, &run](const std::string& audience, int64_t seconds) { return token_for(run, audience, seconds); };
  if (run.spec.service_links) out.services = loop_.cache("services").list(ns);
  const store::Object* api = loop_.cache("services").find("default", "kubernetes");
  if (api != nullptr && (ns != "default" || !run.spec.service_links)) out.services.push_back(*api);
  out.pod = &run.spec.source.tree();
  out.pod_ip = out.pod_ips = run.ip.text();
  for (const base::Ip& ip : run.more_ips) out.pod_ips += "," + ip.text();
  out.host_ip = run.host_ip;
  out.node = run.spec.node;
  return out;
}

// Files first, then containers: what a pod may read is there before its first process.
base::Status Agent::prepare(PodRun& run) {
  std::vector<VolumePlan> volumes = TRY(compile_volumes(run.spec, lookups_for(run)));
  plan_token_refresh(run);
  for (const VolumePlan& v : volumes) {
    std::string dir = run.dir + "/volumes/" + v.name;
    if (v.kind == VolumePlan::Kind::kFiles) TRY_STATUS(write_files(dir, v.files));
    if (v.kind == VolumePlan::Kind::kClaim) TRY_STATUS(show_claim(run, v.claim, dir));
    if (v.kind != VolumePlan::Kind::kEmpty) continue;
    std::error_code error;
    fs::create_directories(dir, error);
    ::chmod(dir.c_str(), 0777);  // As the kubelet: any user of the pod may write.
  }
  if (run.stage != PodStage::kPreparing) return {};  // A refresh of volumes.
  DnsSettings dns{options_.dns_address.text(), options_.cluster_domain, host_resolv_};
  std::vector<PodFile> files = {{"resolv.conf", compile_resolv_conf(run.spec, dns)}, {"hosts", compile_hosts(run.spec, run.ip.text(), options_.cluster_domain, run.more_ips)}, {"hostname", run.spec.hostname + "\n"}};
  return write_files(run.dir + "/etc", files);
}

// All pods that use a claim see one folder, which stays when they go.
base::Status Agent::show_claim(PodRun& run, const std::string& claim, const std::string& link) {
  const std::string dir = options_.run_dir + "/claims/" + claim;
  std::error_code error;
  fs::create_directories(dir, error);
  ::chmod(dir.c_str(), 0777);
  run.claims.insert(claim);
  if (fs::is_symlink(link, error)) return {};
  fs::create_directories(fs::path(link).parent_path(), error);
  fs::create_directory_symlink(dir, link, error);
  if (error) return base::Error(base::Code::kInternal, "cannot show the claim's files: " + error.message());
  return {};
}

// Of a claim that is gone, when nobody uses them any more.
void Agent::drop_claim(const std::string& claim) {
  const bool used = std::any_of(runs_.begin(), runs_.end(), [&claim](const auto& entry) { return entry.second->claims.count(claim) > 0; });
  if (used || claims_.count(claim) > 0) return;
  std::error_code error;
  fs::remove_all(options_.run_dir + "/claims/" + claim, error);
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
  spec.mounts.push_back({Kind::kBind, termination_file(run, c), plan.termination_path});
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
    wait_for_config(run, c, spec.error().message);
    return;
  }
  c.image_id = image->image_id;
  c.stop_signal = c.plan->probes.stop_signal != 0 ? c.plan->probes.stop_signal : image->stop_signal;
  c.env = spec->env;
  c.container_id = make_container_id();
  std::string logs = options_.run_dir + "/logs/" + run.spec.meta.uid + "/" + c.plan->name;
  std::error_code error;
  fs::create_directories(logs, error);
  if (c.log != nullptr) c.previous_log = c.log;
  c.log = std::make_shared<ContainerLog>(logs + "/" + std::to_string(c.restarts) + ".log");
  c.starting = true;
  base::Status handed = hand_to_spawner(run, c, *spec);
  if (!handed.ok()) on_started(run, c, handed.error());
}

// Pipes, then the request; the ends that the container gets are closed here when this returns, and the answers are
// posted back.
base::Status Agent::hand_to_spawner(PodRun& run, ContainerRun& c, const netns::ContainerSpec& spec) {
  // Each run has its own: a message of the run before must not be taken for this one's.
  TRY_STATUS(write_files(run.dir + "/termination/" + c.plan->name, {{"message", "", 0666}}));
  base::Pipe in, out, err;
  if (!c.plan->tty) {
    out = TRY(base::make_pipe());
    err = TRY(base::make_pipe());
    if (c.plan->std_in) in = TRY(base::make_pipe());
  }
  netns::Stdio stdio{in.read.get(), out.write.get(), err.write.get()};
  if (in.write) c.std_in = std::make_shared<StandardInput>(std::move(in.write), c.plan->std_in_once ? StandardInput::Sessions::kOne : StandardInput::Sessions::kMany);
  if (out.read) pump(io_, c.log, std::move(out.read), std::move(err.read));
  const std::string uid = run.spec.meta.uid, name = c.plan->name;
  auto post = poster();
  auto on_answer = [this, post, uid, name](base::Result<netns::Started> started) {
    auto shared = std::make_shared<base::Result<netns::Started>>(std::move(started));
    post([this, uid, name, shared] {
      PodRun* owner = nullptr;
      ContainerRun* found = find_container(uid, name, &owner);
      if (found != nullptr) on_started(*owner, *found, std::move(*shared));
    });
  };
  spawner_.start(spec, *run.sandbox, stdio, on_answer, [this, post, uid, name](netns::ExitInfo exit) {
    post([this, uid, name, exit] { on_exit(uid, name, exit, 0); });
  });
  return {};
}

ContainerRun* Agent::find_container(const std::string& uid, const std::string& name, PodRun** run) {
  *run = find_run(uid);
  if (*run == nullptr) return nullptr;
  for (auto* list : {&(*run)->init, &(*run)->main, &(*run)->guests}) {
    for (ContainerRun& c : *list) {
      if (c.plan->name == name) return &c;
    }
  }
  return nullptr;
}

// A ConfigMap or Secret that is not there, a path that leads out of a volume: looked at again when one changes, and
// now and then.
void Agent::wait_for_config(PodRun& run, ContainerRun& c, const std::string& message) {
  bool known = c.state == ContainerState::kWaiting && c.waiting_reason == "CreateContainerConfigError" && c.waiting_message == message;
  queue_.add_after(run.key, kRetryConfig);
  if (known) return;
  event(run, &c, "Warning", "Failed", "Error: " + message);
  run.status_dirty = true;
  c.state = ContainerState::kWaiting;
  c.waiting_reason = "CreateContainerConfigError";
  c.waiting_message = message;
  directory_.publish(run);
}

// No registry here: looked for again now and then, as an image may be imported meanwhile.
void Agent::wait_for_image(PodRun& run, ContainerRun& c) {
  bool first = c.state != ContainerState::kWaiting || (c.waiting_reason != "ErrImagePull" && c.waiting_reason != "ImagePullBackOff");
  c.state = ContainerState::kWaiting;
  c.waiting_reason = first ? "ErrImagePull" : "ImagePullBackOff";
  c.waiting_message = first ? explain_unresolved(c.plan->image) : "Back-off pulling image \"" + c.plan->image + "\": ErrImagePull: " + explain_unresolved(c.plan->image);
  c.pull_backoff = first ? kFirstBackoff : std::min(c.pull_backoff * 2, kMaxBackoff);
  if (first) {
    event(run, &c, "Warning", "Failed", "Failed to pull image \"" + c.plan->image + "\": " + c.waiting_message);
    event(run, &c, "Warning", "Failed", "Error: ErrImagePull");
  } else {
    event(run, &c, "Normal", "BackOff", "Back-off pulling image \"" + c.plan->image + "\"");
  }
  run.status_dirty = true;
  directory_.publish(run);
  later(c.pull_backoff, run, c, [this, image = c.plan->image](PodRun& owner, ContainerRun& waiting) {
    bool still = waiting.state == ContainerState::kWaiting && !waiting.starting && waiting.plan->image == image;
    if (!still || (owner.stage != PodStage::kInit && owner.stage != PodStage::kRunning)) return;
    start_container(owner, waiting);
    requeue(owner);
  });
}

void Agent::on_started(PodRun& run, ContainerRun& c, base::Result<netns::Started> started) {
  c.starting = false;
  run.status_dirty = true;
  c.started = loop_.clock().wall();
  c.waiting_message.clear();
  c.waiting_reason.clear();
  if (!started.ok()) {
    event(run, &c, "Warning", "Failed", "Error: failed to create containerd task: " + started.error().message);
    c.process = 0;
    c.std_in.reset();
    c.now = Termination{kStartErrorCode, 0, "StartError", started.error().message, base::WallTime{}, c.started, c.container_id};
    c.state = ContainerState::kTerminated;
    c.log->end();
    if (run.stage != PodStage::kEnding) schedule_restart(run, c);
    directory_.publish(run);
    requeue(run);
    return;
  }
  c.state = ContainerState::kRunning;
  c.running_since = loop_.clock().mono();
  c.kill_at = base::MonoTime::max();
  c.spare_until = base::MonoTime();
  c.process = started->id;
  if (started->pty) {
    base::Result<base::Fd> copy = started->pty.duplicate();
    if (copy.ok()) pump(io_, c.log, std::move(copy).value(), base::Fd());
    else c.log->end();
    c.pty = std::make_shared<base::Fd>(std::move(started->pty));
  }
  event(run, &c, "Normal", "Pulled", "Container image \"" + c.plan->image + "\" already present on machine");
  event(run, &c, "Normal", "Created", "Created container: " + c.plan->name);
  event(run, &c, "Normal", "Started", "Started container " + c.plan->name);
  if (run.stage != PodStage::kEnding && (is_main(run, c) || c.plan->sidecar)) begin_post_start(run, c);
  directory_.publish(run);
  // Deleted while it was being started: the signal sent then, if it was, found no process.
  if (run.stage == PodStage::kEnding && run.asked) spawner_.signal(c.process, c.stop_signal);
  requeue(run);
}

// The last words first: the io loop may still be reading what the container wrote before it ended, and whoever is
// told of the end may ask for it at once. All writers are gone, so this takes a moment at most.
void Agent::on_exit(const std::string& uid, const std::string& name, netns::ExitInfo exit, int looks) {
  PodRun* run = nullptr;
  ContainerRun* c = find_container(uid, name, &run);
  if (c == nullptr) return;
  if (looks < kMaxLooksAtLog && !c->log->ended()) {
    later(std::chrono::milliseconds(1), *run, [this, uid, name, exit, looks](PodRun&) { on_exit(uid, name, exit, looks + 1); });
    return;
  }
  record_exit(*run, *c, exit);
}

bool Agent::is_main(const PodRun& run, const ContainerRun& c) const {
  return std::any_of(run.main.begin(), run.main.end(), [&](const ContainerRun& m) { return &m == &c; });
}

void Agent::record_exit(PodRun& run, ContainerRun& c, netns::ExitInfo exit) {
  end_probes(c);
  c.state = ContainerState::kTerminated;
  c.now = Termination{exit.code, exit.signal, exit.code == 0 ? "Completed" : "Error", read_termination_message(run, c, exit.code), c.started, loop_.clock().wall(), c.container_id};
  c.process = 0;
  c.std_in.reset();
  c.pty.reset();
  run.status_dirty = true;
  if (run.stage == PodStage::kInit && exit.code == 0 && !c.plan->sidecar) start_next_init(run);
  else if (run.stage != PodStage::kEnding) schedule_restart(run, c);
  directory_.publish(run);
  requeue(run);
}

// The first that is not done, unless it is under way; a sidecar is done when it has started.
void Agent::start_next_init(PodRun& run) {
  for (ContainerRun& c : run.init) {
    if (init_done(c)) continue;
    if (!c.tried) {
      c.tried = true;
      start_container(run, c);
    }
    return;
  }
  start_main(run);
}

// The first restart comes at once; then 10 s, doubling to 5 min, as the kubelet.
void Agent::schedule_restart(PodRun& run, ContainerRun& c) {
  bool replace = std::exchange(c.replace, false);
  bool failed_probe = std::exchange(c.failed_probe, false);
  if (!replace && !failed_probe && !will_restart(restart_policy(run, c), c.now->exit_code)) return;
  if (c.plan->sidecar && work_over(run)) return;  // There is nothing left to serve.
  c.restart_due = true;
  if (replace || (c.now->finished - c.now->started > kHealthyRun && c.now->reason != "StartError")) c.backoff = std::chrono::seconds(0);
  std::chrono::seconds wait = c.backoff;
  if (!replace) c.backoff = wait.count() == 0 ? kFirstBackoff : std::min(wait * 2, kMaxBackoff);
  if (wait.count() > 0) {
    const std::string pod = run.key.name + "_" + run.key.ns + "(" + run.spec.meta.uid + ")";
    c.last = c.now;
    c.state = ContainerState::kWaiting;
    c.waiting_reason = "CrashLoopBackOff";
    c.waiting_message = "back-off " + render_wait(wait) + " restarting failed container=" + c.plan->name + " pod=" + pod;
    event(run, &c, "Warning", "BackOff", "Back-off restarting failed container " + c.plan->name + " in pod " + pod);
  }
  later(wait, run, c, [this](PodRun& owner, ContainerRun& ended) {
    bool over = owner.stage != PodStage::kInit && owner.stage != PodStage::kRunning;
    ended.restart_due = false;
    if (over || ended.starting || ended.state == ContainerState::kRunning || (ended.plan->sidecar && work_over(owner))) return;
    if (ended.now.has_value()) ended.last = ended.now;
    ++ended.restarts;
    start_container(owner, ended);
    requeue(owner);
  });
}

}  // namespace server
