#include "netns/process/isolate.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <sstream>

#include "netns/ns/namespace.h"
#include "store/base/fd.h"

namespace netns {
namespace {

base::Status write_proc(pid_t pid, const char* file, const std::string& text) {
  std::string path = "/proc/" + std::to_string(pid) + "/" + file;
  base::Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return base::os_error("open " + path);
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return base::os_error("write " + path);
  return {};
}

// The lines of /proc/self/uid_map are "inside outside count"; a child's map names ids of this namespace.
std::string identity_map(const std::string& own) {
  std::istringstream lines(own);
  std::string out;
  unsigned long long inside = 0, outside = 0, count = 0;
  while (lines >> inside >> outside >> count) out += std::to_string(inside) + " " + std::to_string(inside) + " " + std::to_string(count) + "\n";
  return out;
}

base::Status write_id_maps(pid_t pid) {
  uid_t uid = ::geteuid();
  gid_t gid = ::getegid();
  if (uid == 0) {
    // As root the same path, with every id of this namespace mapped to itself (all of them on a host, fewer in a container).
    for (const char* file : {"uid_map", "gid_map"}) TRY_STATUS(write_proc(pid, file, identity_map(TRY(base::read_file(std::string("/proc/self/") + file)))));
    return {};
  }
  // An unprivileged writer must give up setgroups first (user_namespaces(7)).
  TRY_STATUS(write_proc(pid, "setgroups", "deny"));
  TRY_STATUS(write_proc(pid, "uid_map", "0 " + std::to_string(uid) + " 1\n"));
  return write_proc(pid, "gid_map", "0 " + std::to_string(gid) + " 1\n");
}

base::Error refused(const base::Error& cause) {
  base::Status probed = probe_user_namespaces();
  if (!probed.ok()) return base::Error(base::Code::kForbidden, probed.error().message);
  return cause;
}

}  // namespace

base::Result<pid_t> fork_session(const std::function<int()>& fn) {
  pid_t pid = ::fork();
  if (pid < 0) return base::os_error("fork");
  if (pid == 0) {
    ::setsid();
    // The caller's handlers, and what a shell ignores for its background jobs, are not the child's.
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    ::_exit(fn());
  }
  return pid;
}

base::Result<pid_t> fork_isolated(const std::function<int()>& fn) {
  base::Pipe go = TRY(base::make_pipe());
  // clone(2) with fork's semantics: the child is inside from its first instruction, and pid 1 there.
  long flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | SIGCHLD;
  pid_t pid = static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, nullptr, nullptr, nullptr));
  if (pid < 0) return refused(base::os_error("create the cluster's namespaces"));
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    go.write.reset();
    char byte = 0;
    // getppid() is 0 across pid namespaces, so a parent that died before prctl shows as end of file here.
    if (::read(go.read.get(), &byte, 1) != 1) ::_exit(125);
    go.read.reset();
    // Ids change from the overflow id to 0; a dumpable process is needed to open our own /proc/self/*.
    if (::setresgid(0, 0, 0) != 0 || ::setresuid(0, 0, 0) != 0) ::_exit(125);
    ::prctl(PR_SET_DUMPABLE, 1);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // Cleared by the change of ids (prctl(2)).
    ::_exit(fn());
  }
  go.read.reset();
  base::Status mapped = write_id_maps(pid);
  if (!mapped.ok()) {
    go.write.reset();
    ::waitpid(pid, nullptr, 0);
    return refused(std::move(mapped).error().context("set up the cluster's user namespace"));
  }
  TRY_STATUS(base::write_all(go.write.get(), "g", 1));
  return pid;
}

base::Status mount_scratch(const std::string& scratch) {
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return base::os_error("make mounts private");
  if (::mount("kubelan", scratch.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") != 0) return base::os_error("mount a tmpfs on " + scratch);
  return {};
}

namespace {
volatile sig_atomic_t g_child = 0;
void pass_on(int number) {
  if (g_child > 0) ::kill(static_cast<pid_t>(g_child), number);
}
}  // namespace

base::Result<int> run_command(const std::vector<std::string>& argv, const std::vector<std::string>& env) {
  std::vector<char*> args;
  for (const std::string& a : argv) args.push_back(const_cast<char*>(a.c_str()));
  args.push_back(nullptr);
  std::vector<char*> vars;
  for (const std::string& e : env) vars.push_back(const_cast<char*>(e.c_str()));
  vars.push_back(nullptr);
  // The terminal sends Ctrl-C to the child as well (one process group); a signal sent to us alone is passed on.
  struct sigaction action {};
  action.sa_handler = pass_on;
  struct sigaction ignore_it {};
  ignore_it.sa_handler = SIG_IGN;
  struct sigaction old_int {}, old_term {}, old_hup {};
  pid_t pid = ::fork();
  if (pid < 0) return base::os_error("fork");
  if (pid == 0) {
    ::execvpe(args[0], args.data(), vars.data());
    int code = errno == ENOENT ? 127 : 126;
    ::fprintf(stderr, "kubelan: cannot run %s: %s\n", args[0], ::strerror(errno));
    ::_exit(code);
  }
  g_child = pid;
  ::sigaction(SIGINT, ::isatty(0) ? &ignore_it : &action, &old_int);
  ::sigaction(SIGTERM, &action, &old_term);
  ::sigaction(SIGHUP, &action, &old_hup);
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  g_child = 0;
  ::sigaction(SIGINT, &old_int, nullptr);
  ::sigaction(SIGTERM, &old_term, nullptr);
  ::sigaction(SIGHUP, &old_hup, nullptr);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace netns
