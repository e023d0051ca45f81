#include "netns/process/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "netns/process/capabilities.h"

namespace netns {
namespace {

// How container runtimes number a command that could not be started.
constexpr int kCannotStart = 128;

bool has_variable(const std::vector<std::string>& env, const std::string& name) {
  for (const std::string& entry : env) {
    if (entry.compare(0, name.size() + 1, name + "=") == 0) return true;
  }
  return false;
}

std::vector<std::string> complete_environment(const ContainerSpec& spec) {
  std::vector<std::string> env = spec.env;
  if (!has_variable(env, "PATH")) env.push_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  if (!has_variable(env, "HOME")) env.push_back("HOME=/root");
  if (spec.tty && !has_variable(env, "TERM")) env.push_back("TERM=xterm");
  return env;
}

base::Status die_with_spawner(const base::Fd& status) {
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return base::os_error("tie to the spawner");
  // It may have died before that. getppid() is 0 across pid namespaces; the socket tells instead.
  pollfd poll_status{status.get(), 0, 0};
  if (::poll(&poll_status, 1, 0) > 0 && (poll_status.revents & (POLLHUP | POLLERR)) != 0) ::_exit(kCannotStart);
  return {};
}

base::Status join_namespaces(const ChildTask& task) {
  const Request& request = *task.request;
  if (request.op == Request::Op::kExec) {
    TRY_STATUS(enter_of_process(*task.join_pidfd, CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC));
    return enter(*task.join_mnt, CLONE_NEWNS);
  }
  TRY_STATUS(leave_namespaces(CLONE_NEWNS));
  struct Join {
    int fd;
    int flag;
  };
  for (const Join& join : {Join{request.net, CLONE_NEWNET}, Join{request.uts, CLONE_NEWUTS}, Join{request.ipc, CLONE_NEWIPC}}) {
    if (join.fd < 0) continue;
    base::Fd ns(join.fd);
    base::Status joined = enter(ns, join.flag);
    ns.release();  // The request's.
    TRY_STATUS(joined);
  }
  return {};
}

struct Terminal {
  base::Fd master;
  base::Fd slave;
};

base::Result<Terminal> open_terminal() {
  Terminal terminal;
  terminal.master = base::Fd(::open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.master) return base::os_error("open /dev/ptmx");
  int unlock = 0;
  if (::ioctl(terminal.master.get(), TIOCSPTLCK, &unlock) != 0) return base::os_error("unlock a terminal");
  // By the master, not by name: the name would be looked up in whatever /dev/pts the container has.
  terminal.slave = base::Fd(::ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.slave) return base::os_error("open a terminal");
  return terminal;
}

base::Status use_stdio(const Request& request, const Terminal& terminal) {
  base::Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return base::os_error("open /dev/null");
  int from[3] = {request.in, request.out, request.err};
  if (terminal.slave.valid()) {
    if (::ioctl(terminal.slave.get(), TIOCSCTTY, 0) != 0) return base::os_error("take the terminal");
    for (int& fd : from) fd = terminal.slave.get();
  }
  for (int target = 0; target < 3; ++target) {
    int source = from[target] >= 0 ? from[target] : null.get();
    if (::dup2(source, target) < 0) return base::os_error("set up standard input and output");
  }
  return {};
}

base::Status enter_directory(const std::string& cwd) {
  const std::string path = cwd.empty() ? "/" : cwd;
  if (::chdir(path.c_str()) == 0) return {};
  // Runtimes make a missing working directory.
  if (errno == ENOENT) {
    for (size_t at = 1; at != std::string::npos;) {
      at = path.find('/', at + 1);
      ::mkdir(path.substr(0, at).c_str(), 0755);
    }
    if (::chdir(path.c_str()) == 0) return {};
  }
  int err = errno;
  std::string text = std::strerror(err);
  text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return base::Error(base::Code::kInvalid, "chdir to cwd (\"" + path + "\") set in config.json failed: " + text);
}

base::Status report_ready(const ChildTask& task, const Terminal& terminal) {
  base::Fd mnt = TRY(open_own_namespace("mnt"));
  base::Fd pid = TRY(open_own_namespace("pid"));
  std::vector<int> fds = {mnt.get(), pid.get()};
  if (terminal.master.valid()) fds.push_back(terminal.master.get());
  return base::send_with_fds(task.status.get(), std::string(1, kChildReady), fds);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& each : strings) out.push_back(const_cast<char*>(each.c_str()));
  out.push_back(nullptr);
  return out;
}

// Returns only on failure, except for a built-in program, whose return value is the exit code.
base::Result<int> become(ChildTask& task, const std::vector<std::string>& env) {
  const ContainerSpec& spec = task.request->spec;
  std::vector<char*> variables = pointers(env);
  if (task.builtin != nullptr) {
    std::vector<std::string> argv = spec.argv;
    if (argv.empty()) argv.push_back(spec.builtin);
    ::prctl(PR_SET_NAME, spec.builtin.c_str());
    ::environ = variables.data();
    task.status.reset();
    // Everything else of the spawner's: a program that execs would lose these by itself.
    ::syscall(SYS_close_range, 3, UINT_MAX, 0);
    return task.builtin(argv);
  }
  if (spec.argv.empty()) return base::Error(base::Code::kInvalid, "exec: no command");
  std::string program = TRY(find_program(spec.argv[0], env));
  std::vector<char*> arguments = pointers(spec.argv);
  ::execve(program.c_str(), arguments.data(), variables.data());
  int err = errno;
  const char* text = err == ENOEXEC ? "exec format error" : err == ENOENT ? "no such file or directory" : std::strerror(err);
  return base::Error(base::Code::kInternal, "exec " + program + ": " + text);
}

// As pid 1 of its namespace a built-in would never see a signal that comes before it is ready for one: the kernel
// drops what would have its default action there. Blocked signals are kept.
void keep_stop_signals() {
  sigset_t stops;
  sigemptyset(&stops);
  for (int number : {SIGTERM, SIGINT, SIGQUIT}) sigaddset(&stops, number);
  ::sigprocmask(SIG_BLOCK, &stops, nullptr);
}

base::Result<int> live(ChildTask& task) {
  const Request& request = *task.request;
  reset_signals();
  if (task.builtin != nullptr) keep_stop_signals();
  TRY_STATUS(die_with_spawner(task.status));
  ::setsid();
  TRY_STATUS(join_namespaces(task));
  if (request.op == Request::Op::kStart) TRY_STATUS(task.root->enter_root(request.spec.mounts));
  Terminal terminal;
  if (request.spec.tty) terminal = TRY(open_terminal());
  TRY_STATUS(report_ready(task, terminal));
  terminal.master.reset();
  TRY_STATUS(use_stdio(request, terminal));
  terminal.slave.reset();
  TRY_STATUS(limit_capabilities(request.spec.capabilities));
  TRY_STATUS(enter_directory(request.spec.cwd));
  return become(task, complete_environment(request.spec));
}

}  // namespace

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);  // Refused for KILL, STOP and libc's own.
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void run_child(ChildTask task) {
  base::Result<int> result = live(task);
  if (result.ok()) {
    ::fflush(nullptr);
    ::_exit(*result);
  }
  base::ignore(base::send_with_fds(task.status.get(), kChildFailed + result.error().message, {}), "without the spawner nobody wants to know");
  ::_exit(kCannotStart);
}

}  // namespace netns
