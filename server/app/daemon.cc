#include "server/app/daemon.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "netns/process/isolate.h"
#include "server/app/cluster.h"
#include "server/app/control_server.h"
#include "server/app/host_sockets.h"
#include "server/app/pki_store.h"
#include "server/app/state_dir.h"
#include "server/images/images.h"
#include "store/base/log.h"
#include "store/object/access.h"

namespace server {
namespace {

// What the daemon inherits from the keeper by fork.
struct Inheritance {
  LaunchOptions options;
  base::Fd api_listener;
  uint16_t api_port = 0;
  base::Fd control_listener;
  base::Fd ready;  // One JSON line when ready, or {"error":...}.
  base::Fd lock;      // The keeper's; closed in the daemon.
  base::Fd lifetime;  // Read end; the keeper ends the cluster when it reaches end of file.
  base::SocketPair host_sockets;  // The daemon asks on the first for what the keeper answers on the second.
};

void report(const base::Fd& ready, const json& line) { base::ignore(base::write_all(ready.get(), (line.dump() + "\n").data(), line.dump().size() + 1), "the caller may be gone"); }

struct Listening {
  base::Fd fd;
  uint16_t port;
};

base::Result<Listening> listen_loopback(uint16_t port) {
  base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return base::os_error("create the API socket");
  int one = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd.get(), 512) != 0) {
    return base::os_error("--api-port " + std::to_string(port) + " on 127.0.0.1 (choose another, or 0 for any free one)");
  }
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return Listening{std::move(fd), ntohs(address.sin_port)};
}

// Without a wish of the user's: the port of last time, so that kubeconfigs handed out stay good; else any.
base::Result<Listening> open_api_listener(const ClusterOptions& options) {
  if (options.api_port != 0) return listen_loopback(options.api_port);
  base::Result<std::string> last = base::read_file(options.state_dir + "/port");
  int port = last.ok() ? std::atoi(last->c_str()) : 0;
  if (port > 0 && port < 65536) {
    base::Result<Listening> again = listen_loopback(static_cast<uint16_t>(port));
    if (again.ok()) return again;
  }
  return listen_loopback(0);
}

void raise_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;  // A pod costs about ten descriptors.
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void set_up_log(const LaunchOptions& options) {
  if (options.log_to_stderr) base::log::to_stderr(options.cluster.log_level);
  else base::log::to_file(options.cluster.state_dir + "/kubelan.log", options.cluster.log_level);
}

json info_json(const Inheritance& in) {
  return {{"name", in.options.cluster.name}, {"apiPort", in.api_port}, {"context", context_name(in.options.cluster.name)}, {"nodes", in.options.cluster.nodes}, {"ephemeral", in.options.cluster.ephemeral}};
}

// Ends on SIGTERM or SIGINT (from the keeper, or `down`), or when the spawner is gone. As pid 1 it also
// collects every orphan of its pid namespace.
int wait_for_end(const base::Fd& signals, pid_t spawner) {
  for (;;) {
    signalfd_siginfo info{};
    if (::read(signals.get(), &info, sizeof info) != sizeof info) continue;
    if (info.ssi_signo != SIGCHLD) return 0;
    for (pid_t pid; (pid = ::waitpid(-1, nullptr, WNOHANG)) > 0;) {
      if (pid != spawner) continue;
      base::log::critical("the spawner process ended unexpectedly; the cluster ends with it");
      return 1;
    }
  }
}

base::Result<base::Fd> block_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : {SIGTERM, SIGINT, SIGCHLD}) sigaddset(&set, number);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  base::Fd fd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!fd) return base::os_error("signalfd");
  return fd;
}

base::Result<std::unique_ptr<netns::SpawnerProcess>> start_spawner(const ClusterOptions& options) {
  std::string run_dir = options.state_dir + "/run";
  TRY_STATUS(netns::mount_scratch(run_dir));
  netns::SpawnerOptions spawner_options;
  spawner_options.builtins = builtin_programs();
  spawner_options.scratch = run_dir + "/spawner";
  spawner_options.hidden = {options.state_dir};  // Keys and objects are not for pods.
  if (::mkdir(spawner_options.scratch.c_str(), 0755) != 0) return base::os_error("create " + spawner_options.scratch);
  return netns::SpawnerProcess::fork(spawner_options);
}

base::Result<int> run_daemon(Inheritance& in) {
  const ClusterOptions& options = in.options.cluster;
  ::prctl(PR_SET_NAME, "kubelan");
  // One arena for the many short threads: idle memory matters more here than allocation under contention.
  ::mallopt(M_ARENA_MAX, 2);
  Cluster::Inputs inputs;
  pid_t spawner = -1;
  if (!options.api_only) {
    inputs.spawner = TRY(start_spawner(options));
    spawner = inputs.spawner->pid();
  }
  base::Fd signals = TRY(block_signals());  // After the fork: the spawner and its containers have their own.
  set_up_log(in.options);
  inputs.api_listener = std::move(in.api_listener);
  inputs.api_port = in.api_port;
  inputs.host_ports = make_host_ports(std::move(in.host_sockets.first));
  std::unique_ptr<Cluster> cluster = TRY(Cluster::start(options, std::move(inputs)));
  std::unique_ptr<ControlServer> control = ControlServer::start(std::move(in.control_listener), *cluster, [] { ::kill(::getpid(), SIGTERM); });
  ClusterPki pki = TRY(load_or_make_pki(options.state_dir, AddressPlan{}));
  std::string kubeconfig = render_kubeconfig(pki, context_name(options.name), in.api_port);
  TRY_STATUS(base::write_file_atomic(options.state_dir + "/kubeconfig", kubeconfig, 0600));
  TRY_STATUS(base::write_file_atomic(options.state_dir + "/port", std::to_string(in.api_port) + "\n", 0600));
  TRY_STATUS(base::write_file_atomic(options.state_dir + "/info.json", info_json(in).dump() + "\n", 0600));
  report(in.ready, {{"port", in.api_port}, {"kubeconfig", kubeconfig}});
  in.ready.reset();
  base::log::info("cluster {} is ready: API on 127.0.0.1:{}", options.name, in.api_port);
  int code = wait_for_end(signals, spawner);
  control.reset();
  cluster.reset();
  base::log::info("cluster {} ended", options.name);
  return code;
}

int daemon_main(Inheritance& in) {
  in.lock.reset();
  in.host_sockets.second.reset();
  base::Result<int> code = run_daemon(in);
  if (code.ok()) return *code;
  report(in.ready, {{"error", code.error().message}});
  base::log::error("{}", code.error().message);
  return 1;
}

// An API alone starts no programs and has no network: it needs no namespaces, and so runs where those are not allowed.
base::Result<pid_t> fork_daemon(Inheritance& in) {
  if (!in.options.cluster.api_only) return netns::fork_isolated([&in] { return daemon_main(in); });
  const pid_t keeper = ::getpid();
  return netns::fork_session([&in, keeper] {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    return ::getppid() == keeper ? daemon_main(in) : 125;  // The keeper may have ended before that.
  });
}

// Waits for the daemon, opening sockets on the host for it; ends it when the caller's lifetime pipe closes or a signal
// asks for it.
int keep(pid_t daemon, const base::Fd& lifetime, const base::Fd& signals, HostSocketServer& host_sockets) {
  int grace_ms = -1;
  for (;;) {
    pollfd fds[3] = {{signals.get(), POLLIN, 0}, {grace_ms < 0 ? lifetime.get() : -1, POLLIN, 0}, {host_sockets.fd(), POLLIN, 0}};
    int n = ::poll(fds, 3, grace_ms);
    if (n == 0) ::kill(daemon, SIGKILL);  // It had its grace.
    if (n > 0 && fds[2].revents != 0) host_sockets.serve();
    signalfd_siginfo info{};
    bool asked = false;
    if (fds[0].revents != 0 && ::read(signals.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGCHLD && ::waitpid(daemon, nullptr, WNOHANG) == daemon) return 0;
      asked = info.ssi_signo != SIGCHLD;
    }
    if (asked || (fds[1].revents & (POLLHUP | POLLERR | POLLIN)) != 0) {
      ::kill(daemon, SIGTERM);
      grace_ms = 10000;
    }
  }
}

void redirect_stdio(bool keep_stderr) {
  base::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  ::dup2(null.get(), 0);
  ::dup2(null.get(), 1);
  if (!keep_stderr) ::dup2(null.get(), 2);
}

int keeper_main(Inheritance& in) {
  ::prctl(PR_SET_NAME, "kubelan-keeper");
  redirect_stdio(in.options.log_to_stderr);
  raise_file_limit();
  base::Result<pid_t> daemon = fork_daemon(in);
  if (!daemon.ok()) {
    report(in.ready, {{"error", daemon.error().message}});
    return 1;
  }
  in.ready.reset();
  in.api_listener.reset();
  in.control_listener.reset();
  in.host_sockets.first.reset();
  HostSocketServer host_sockets(std::move(in.host_sockets.second));
  base::Result<base::Fd> signals = block_signals();
  int code = signals.ok() ? keep(*daemon, in.lifetime, *signals, host_sockets) : 1;
  for (const char* file : {"/control.sock", "/info.json"}) ::unlink((in.options.cluster.state_dir + file).c_str());
  return code;
}

base::Result<Launched> wait_ready(base::Fd ready, pid_t keeper, const std::string& state_dir) {
  std::string text;
  char buffer[65536];
  // To the end of the line, not of the file: the spawner inherits the other end.
  for (ssize_t n; text.find('\n') == std::string::npos && (n = ::read(ready.get(), buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<size_t>(n));
  json line = json::parse(text.substr(0, text.find('\n')), nullptr, false);
  if (line.is_object() && line.contains("port")) {
    return Launched{static_cast<uint16_t>(store::get_int(line, "port")), store::get_string(line, "kubeconfig"), keeper, {}};
  }
  if (line.is_object() && line.contains("error")) return base::Error(base::Code::kInternal, store::get_string(line, "error"));
  return base::Error(base::Code::kInternal, "the cluster ended before it was ready; its log is " + state_dir + "/kubelan.log");
}

}  // namespace

base::Result<Launched> launch(LaunchOptions options) {
  Inheritance in;
  in.lock = TRY(claim_state_dir(options.cluster.state_dir, options.cluster.name));
  options.cluster.ip_family = TRY(settle_ip_family(options.cluster.state_dir, options.cluster.ip_family));
  Listening api = TRY(open_api_listener(options.cluster));
  in.api_listener = std::move(api.fd);
  in.api_port = api.port;
  in.control_listener = TRY(listen_unix(options.cluster.state_dir, "control.sock"));
  in.host_sockets = TRY(base::make_socket_pair(SOCK_SEQPACKET));
  base::Pipe ready = TRY(base::make_pipe());
  in.ready = std::move(ready.write);
  base::Fd lifetime_write;
  if (options.tie_to_caller) {
    base::Pipe lifetime = TRY(base::make_pipe());
    in.lifetime = std::move(lifetime.read);
    lifetime_write = std::move(lifetime.write);
  }
  std::string state_dir = options.cluster.state_dir;
  in.options = std::move(options);
  base::Fd read_end = std::move(ready.read);
  pid_t keeper = TRY(netns::fork_session([&] {
    read_end.reset();
    lifetime_write.reset();
    return keeper_main(in);
  }));
  in = Inheritance{};  // Our copies of what is the keeper's now, the lock among them.
  Launched launched = TRY(wait_ready(std::move(read_end), keeper, state_dir));
  launched.lifetime = std::move(lifetime_write);
  return launched;
}

}  // namespace server
