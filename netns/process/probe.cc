// Can this user make namespaces? A child tries each step that the daemon needs; the parent explains a failure.
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "netns/link/messages.h"
#include "netns/link/rtnl.h"
#include "netns/ns/namespace.h"

namespace netns {
namespace {

enum class Step : int { kUser, kMap, kNetwork, kUseNetwork, kMount };

struct Outcome {
  int failed = 0;
  Step step = Step::kUser;
  int err = 0;
};

bool write_text(const char* path, const std::string& text) {
  base::Fd fd(::open(path, O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

Outcome try_steps(uid_t uid, gid_t gid) {
  if (!leave_namespaces(CLONE_NEWUSER).ok()) return {1, Step::kUser, errno};
  if (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1") ||
      !write_text("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1")) {
    return {1, Step::kMap, errno};
  }
  if (!leave_namespaces(CLONE_NEWNET | CLONE_NEWNS).ok()) return {1, Step::kNetwork, errno};
  // Under Ubuntu's restriction everything up to here works, and then no capability does.
  base::Result<Rtnl> rtnl = Rtnl::open();
  if (!rtnl.ok()) return {1, Step::kUseNetwork, errno};
  Batch batch;
  set_link_up(batch, kLoIndex);
  base::Result<std::vector<int>> done = rtnl->transact(batch);
  if (!done.ok() || (*done)[0] != 0) return {1, Step::kUseNetwork, done.ok() ? (*done)[0] : errno};
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return {1, Step::kMount, errno};
  return {};
}

std::string setting(const char* path) {
  base::Result<std::string> text = base::read_file(path);
  if (!text.ok()) return "";
  std::string value = *text;
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

bool under_seccomp() {
  base::Result<std::string> status = base::read_file("/proc/self/status");
  return status.ok() && status->find("Seccomp:\t2") != std::string::npos;
}

std::string explain(const Outcome& outcome) {
  const std::string cannot = "cannot create user and network namespaces (" + std::string(std::strerror(outcome.err)) + "): ";
  if (setting("/proc/sys/kernel/unprivileged_userns_clone") == "0") {
    return cannot + "this system reserves them for root; allow them with: sudo sysctl -w kernel.unprivileged_userns_clone=1";
  }
  if (setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" && outcome.step != Step::kUser) {
    return cannot +
           "AppArmor takes away their rights on this system; allow them with: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 "
           "(or install an AppArmor profile with a `userns,` rule for this program)";
  }
  if (outcome.err == ENOSPC || outcome.err == EUSERS) {
    const char* limit = outcome.step == Step::kNetwork ? "user.max_net_namespaces" : "user.max_user_namespaces";
    return cannot + "the limit is reached; raise it with: sudo sysctl -w " + limit + "=15000";
  }
  if (outcome.err == EINVAL && outcome.step == Step::kUser) return cannot + "this kernel is built without user namespaces (CONFIG_USER_NS)";
  if (under_seccomp()) {
    return cannot + "this process runs in a container whose seccomp profile forbids them; start that container with "
                    "--security-opt seccomp=unconfined --security-opt apparmor=unconfined, or --privileged";
  }
  return cannot + "not permitted here; a chroot, a security module or a container runtime can be the cause (as root this works on most hosts)";
}

}  // namespace

base::Status probe_user_namespaces() {
  base::Pipe pipe = TRY(base::make_pipe());
  uid_t uid = ::geteuid();
  gid_t gid = ::getegid();
  pid_t pid = ::fork();
  if (pid < 0) return base::os_error("fork");
  if (pid == 0) {
    Outcome outcome = try_steps(uid, gid);
    base::ignore(base::write_all(pipe.write.get(), &outcome, sizeof outcome), "the parent takes silence for failure");
    ::_exit(0);
  }
  pipe.write.reset();
  Outcome outcome{1, Step::kUser, EPERM};
  ssize_t n;
  do {
    n = ::read(pipe.read.get(), &outcome, sizeof outcome);
  } while (n < 0 && errno == EINTR);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (n == static_cast<ssize_t>(sizeof outcome) && outcome.failed == 0) return {};
  return base::Error(base::Code::kForbidden, explain(outcome));
}

}  // namespace netns
