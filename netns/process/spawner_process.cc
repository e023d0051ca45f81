// The spawner process: a loop over the daemon's requests, children that are being set up, and children that end.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <optional>

#include "netns/process/child.h"
#include "netns/process/spawner_client.h"

namespace netns {
namespace {

struct Child {
  pid_t pid = 0;
  base::Fd status;    // While it is being set up.
  bool ready = false;  // kChildReady came.
  bool started = false;
  base::Fd pidfd, mnt, pid_ns, pty;
};

class Server {
 public:
  Server(base::Fd socket, const SpawnerOptions& options) : socket_(std::move(socket)), options_(options) {}
  int run();

 private:
  base::Status prepare();
  bool serve_request();
  void start(Request request);
  base::Result<base::Fd> fork_child(const Request& request, Child& child);
  void read_status(ProcessId id, Child& child);
  void drain_statuses(pid_t pid);
  void reap();
  void open_namespace(const Request& request);
  void fail(ProcessId id, const std::string& text);
  void end_all();
  void reply(Reply message) { base::ignore(send_reply(socket_.get(), message), "the daemon is gone; its end of file comes next"); }

  base::Fd socket_;
  const SpawnerOptions& options_;
  base::Fd signals_;
  base::Fd home_pid_ns_;
  std::optional<RootTemplate> root_;  // Made when first needed.
  std::map<ProcessId, Child> children_;
};

base::Status Server::prepare() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return base::os_error("block SIGCHLD");
  signals_ = base::Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return base::os_error("signalfd");
  home_pid_ns_ = TRY(open_own_namespace("pid"));
  // Three descriptors a container.
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  return leave_namespaces(CLONE_NEWNS);
}

int Server::run() {
  base::Status prepared = prepare();
  for (;;) {
    std::vector<pollfd> polls = {{socket_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
    std::vector<ProcessId> ids;
    for (auto& [id, child] : children_) {
      if (!child.status.valid()) continue;
      polls.push_back({child.status.get(), POLLIN, 0});
      ids.push_back(id);
    }
    if (::poll(polls.data(), polls.size(), -1) < 0 && errno != EINTR) break;
    // In this order: a child's own account of its end comes before the fact.
    for (size_t i = 0; i < ids.size(); ++i) {
      if (polls[i + 2].revents == 0) continue;
      auto it = children_.find(ids[i]);
      if (it != children_.end()) read_status(ids[i], it->second);
    }
    if (polls[1].revents != 0) reap();
    if (polls[0].revents != 0) {
      if (!prepared.ok()) {
        base::Result<Request> request = receive_request(socket_.get());
        if (!request.ok()) break;
        fail(request->id, prepared.error().message);
      } else if (!serve_request()) {
        break;
      }
    }
  }
  end_all();
  return 0;
}

bool Server::serve_request() {
  base::Result<Request> request = receive_request(socket_.get());
  if (!request.ok()) return request.error().code != base::Code::kNotFound;
  switch (request->op) {
    case Request::Op::kStart:
    case Request::Op::kExec: start(std::move(*request)); break;
    case Request::Op::kOpenNamespace: open_namespace(*request); break;
    case Request::Op::kSignal: {
      auto it = children_.find(request->id);
      // A pid in the map is not reaped yet, so it is still that process.
      if (it != children_.end()) ::kill(it->second.pid, request->signal);
      break;
    }
  }
  return true;
}

void Server::fail(ProcessId id, const std::string& text) {
  Reply message;
  message.kind = Reply::Kind::kFailed;
  message.id = id;
  message.text = text;
  reply(std::move(message));
}

base::Result<base::Fd> Server::fork_child(const Request& request, Child& child) {
  ChildTask task;
  task.request = &request;
  if (request.op == Request::Op::kStart && !root_) root_ = TRY(RootTemplate::build(options_.scratch, options_.hidden));
  if (root_) task.root = &*root_;
  if (!request.spec.builtin.empty()) {
    auto it = options_.builtins.find(request.spec.builtin);
    if (it == options_.builtins.end()) return base::Error(base::Code::kNotFound, "no built-in program " + request.spec.builtin);
    task.builtin = it->second;
  }
  base::SocketPair status = TRY(base::make_socket_pair(SOCK_SEQPACKET));
  // The pid namespace for children is this process' setting; it is put back right after the fork. It has to be put
  // back in any case: a second unshare from a changed state is refused.
  if (request.op == Request::Op::kStart) {
    TRY_STATUS(leave_namespaces(CLONE_NEWPID));
  } else {
    auto container = children_.find(request.container);
    if (container == children_.end() || !container->second.started) return base::Error(base::Code::kNotFound, "container not running");
    task.join_mnt = &container->second.mnt;
    task.join_pidfd = &container->second.pidfd;
    TRY_STATUS(enter(container->second.pid_ns, CLONE_NEWPID));
  }
  child.pid = ::fork();
  int err = errno;
  if (child.pid == 0) {
    status.first.reset();
    task.status = std::move(status.second);
    run_child(std::move(task));
  }
  TRY_STATUS(enter(home_pid_ns_, CLONE_NEWPID));
  if (child.pid < 0) return base::os_error("fork a container process", err);
  child.pidfd = base::Fd(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
  return std::move(status.first);
}

void Server::start(Request request) {
  Child child;
  base::Result<base::Fd> status = fork_child(request, child);
  if (!status.ok()) {
    fail(request.id, status.error().message);
    return;
  }
  child.status = std::move(*status);
  children_[request.id] = std::move(child);
}

void Server::read_status(ProcessId id, Child& child) {
  base::Result<base::Received> received = base::receive_with_fds(child.status.get(), 4096);
  if (received.ok() && !received->data.empty() && received->data[0] == kChildReady && received->fds.size() >= 2) {
    child.ready = true;
    child.mnt = std::move(received->fds[0]);
    child.pid_ns = std::move(received->fds[1]);
    if (received->fds.size() > 2) child.pty = std::move(received->fds[2]);
    return;
  }
  child.status.reset();
  if (received.ok() && received->data.empty() && child.ready) {
    child.started = true;
    Reply message;
    message.kind = Reply::Kind::kStarted;
    message.id = id;
    message.pid = child.pid;
    message.fd = std::move(child.pty);
    reply(std::move(message));
    return;
  }
  bool told = received.ok() && !received->data.empty() && received->data[0] == kChildFailed;
  fail(id, told ? received->data.substr(1) : "container process ended while it was set up");
}

void Server::reap() {
  signalfd_siginfo info[8];
  while (::read(signals_.get(), info, sizeof info) > 0) {
  }
  int wait_status = 0;
  pid_t pid;
  while ((pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0) {
    for (auto it = children_.begin(); it != children_.end(); ++it) {
      if (it->second.pid != pid) continue;
      // It may have ended before its last words were read.
      while (it->second.status.valid()) read_status(it->first, it->second);
      if (it->second.started) {
        Reply message;
        message.kind = Reply::Kind::kExited;
        message.id = it->first;
        message.exit.signal = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
        message.exit.code = WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
        reply(std::move(message));
      }
      children_.erase(it);
      break;
    }
  }
}

void Server::open_namespace(const Request& request) {
  Reply message;
  message.kind = Reply::Kind::kNamespace;
  message.id = request.container;  // Of the question.
  auto it = children_.find(request.id);
  if (it == children_.end() || !it->second.started) {
    message.text = "container not running";
  } else {
    const base::Fd& fd = request.which == "mnt" ? it->second.mnt : it->second.pid_ns;
    base::Result<base::Fd> copy = fd.duplicate();
    if (copy.ok()) message.fd = std::move(*copy);
    if (!copy.ok()) message.text = copy.error().message;
  }
  reply(std::move(message));
}

void Server::end_all() {
  for (auto& [id, child] : children_) ::kill(child.pid, SIGKILL);
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
}

class ProcessImpl final : public SpawnerProcess {
 public:
  ProcessImpl(pid_t pid, base::Fd socket) : pid_(pid), socket_(std::move(socket)) {}
  ~ProcessImpl() override {
    // End of file makes it end its containers and wait for them.
    ::shutdown(socket_.get(), SHUT_RDWR);
    socket_.reset();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  std::unique_ptr<Spawner> activate() override { return make_spawner_client(socket_); }
  pid_t pid() const override { return pid_; }

 private:
  pid_t pid_;
  base::Fd socket_;
};

}  // namespace

base::Result<std::unique_ptr<SpawnerProcess>> SpawnerProcess::fork(const SpawnerOptions& options) {
  base::SocketPair sockets = TRY(base::make_socket_pair(SOCK_SEQPACKET));
  pid_t daemon = ::getpid();
  pid_t pid = ::fork();
  if (pid < 0) return base::os_error("fork the spawner");
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != daemon) ::_exit(0);
    ::prctl(PR_SET_NAME, "kubelan-spawn");
    ::setsid();  // Ctrl-C is the daemon's to handle.
    reset_signals();
    sockets.first.reset();
    int kept = ::fcntl(sockets.second.get(), F_DUPFD_CLOEXEC, 3);
    // The daemon's other descriptors are none of a container's business.
    if (kept > 3) ::syscall(SYS_close_range, 3, static_cast<unsigned>(kept - 1), 0);
    ::syscall(SYS_close_range, static_cast<unsigned>(kept + 1), UINT_MAX, 0);
    sockets.second.release();
    Server server{base::Fd(kept), options};
    ::_exit(server.run());
  }
  return std::unique_ptr<SpawnerProcess>(std::make_unique<ProcessImpl>(pid, std::move(sockets.first)));
}

}  // namespace netns
