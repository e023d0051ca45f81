// The command-line side of `kubelan enter`: joins namespaces from outside and runs a program there in the foreground.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "netns/process/child.h"

namespace netns {
namespace {

volatile sig_atomic_t g_child = 0;

// What the terminal sends (si_code SI_KERNEL) goes to the whole foreground group, so the child has it already.
void pass_on(int number, siginfo_t* info, void*) {
  if (g_child > 0 && info->si_code != SI_KERNEL) ::kill(static_cast<pid_t>(g_child), number);
}

// Passes signals on while it exists.
class SignalPasser {
 public:
  explicit SignalPasser(pid_t child) {
    g_child = child;
    struct sigaction action {};
    action.sa_sigaction = pass_on;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    for (size_t i = 0; i < kCount; ++i) ::sigaction(kSignals[i], &action, &before_[i]);
  }
  ~SignalPasser() {
    for (size_t i = 0; i < kCount; ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
    g_child = 0;
  }
  SignalPasser(const SignalPasser&) = delete;
  SignalPasser& operator=(const SignalPasser&) = delete;

 private:
  static constexpr int kSignals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
  static constexpr size_t kCount = std::size(kSignals);
  struct sigaction before_[kCount];
};

base::Status join(const Place& place) {
  struct Join {
    const base::Fd& fd;
    int flag;
    const char* name;
  };
  // The user namespace first: it brings the right to join the others.
  const Join joins[] = {{place.user, CLONE_NEWUSER, "user"}, {place.mnt, CLONE_NEWNS, "mount"}, {place.pid, CLONE_NEWPID, "pid"},
                        {place.net, CLONE_NEWNET, "network"}, {place.uts, CLONE_NEWUTS, "uts"}, {place.ipc, CLONE_NEWIPC, "ipc"}};
  for (const Join& each : joins) {
    if (!each.fd.valid()) continue;
    base::Status joined = enter(each.fd, each.flag);
    if (!joined.ok()) return std::move(joined).error().context(std::string(each.name) + " namespace");
  }
  return {};
}

std::vector<char*> argument_pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& each : strings) out.push_back(const_cast<char*>(each.c_str()));
  out.push_back(nullptr);
  return out;
}

[[noreturn]] void run_child_program(const std::vector<std::string>& argv, const std::vector<std::string>& env, const base::Fd& report) {
  reset_signals();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  base::Result<std::string> program = find_program(argv.empty() ? "" : argv[0], env);
  std::string failure;
  if (program.ok()) {
    ::execve(program->c_str(), argument_pointers(argv).data(), argument_pointers(env).data());
    failure = "exec " + *program + ": " + std::strerror(errno);
  } else {
    failure = program.error().message;
  }
  base::ignore(base::write_all(report.get(), failure.data(), failure.size()), "the exit code says so too");
  ::_exit(127);
}

}  // namespace

base::Result<int> run_in_place(const Place& place, const std::vector<std::string>& argv, const std::vector<std::string>& env,
                               const std::string& cwd) {
  TRY_STATUS(join(place));
  // Joining a mount namespace leaves us at its root. A directory that is not there is no reason to stop.
  if (cwd.empty() || ::chdir(cwd.c_str()) != 0) {
    if (::chdir("/") != 0) return base::os_error("enter /");
  }
  base::Pipe report = TRY(base::make_pipe());
  pid_t pid = ::fork();
  if (pid < 0) return base::os_error("fork");
  if (pid == 0) run_child_program(argv, env, report.write);
  SignalPasser passer(pid);
  report.write.reset();
  std::string failure;
  char buffer[512];
  ssize_t n;
  // Ends at exec, which closes the other end.
  while ((n = ::read(report.read.get(), buffer, sizeof buffer)) != 0) {
    if (n < 0 && errno != EINTR) break;
    if (n > 0) failure.append(buffer, static_cast<size_t>(n));
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return base::os_error("wait for " + argv[0]);
  }
  if (!failure.empty()) return base::Error(base::Code::kNotFound, failure);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace netns
