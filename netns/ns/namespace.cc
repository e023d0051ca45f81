#include "netns/ns/namespace.h"

#include <fcntl.h>
#include <unistd.h>

namespace netns {
namespace {

// "thread-self", not "self": a worker thread's namespaces differ from those of the process' first thread.
// It resolves in any /proc that shows an ancestor pid namespace too, so the daemon needs no /proc of its own.
base::Result<base::Fd> open_namespace_file(const char* which) {
  std::string path = std::string("/proc/thread-self/ns/") + which;
  base::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return base::os_error("open " + path);
  return fd;
}

base::Status set_namespace(int fd, int flags, const char* what) {
  if (::setns(fd, flags) != 0) return base::os_error(what);
  return {};
}

struct Home {
  base::Fd net, uts, ipc;
};

base::Status return_home(const Home& home) {
  // All three even if one fails, so that as much as possible is right again.
  base::Status net = set_namespace(home.net.get(), CLONE_NEWNET, "return to the network namespace");
  base::Status uts = set_namespace(home.uts.get(), CLONE_NEWUTS, "return to the uts namespace");
  base::Status ipc = set_namespace(home.ipc.get(), CLONE_NEWIPC, "return to the ipc namespace");
  if (!net.ok()) return net;
  if (!uts.ok()) return uts;
  return ipc;
}

// Runs in the fresh namespaces.
base::Result<Sandbox> furnish(const std::string& hostname, const std::function<base::Status()>& inside) {
  if (::sethostname(hostname.data(), hostname.size()) != 0) return base::os_error("set host name " + hostname);
  Sandbox sandbox;
  sandbox.net = TRY(open_namespace_file("net"));
  sandbox.uts = TRY(open_namespace_file("uts"));
  sandbox.ipc = TRY(open_namespace_file("ipc"));
  if (inside) TRY_STATUS(inside());
  return sandbox;
}

}  // namespace

base::Result<base::Fd> open_own_namespace(const char* which) { return open_namespace_file(which); }

base::Result<base::Fd> make_network_namespace() {
  base::Fd home = TRY(open_namespace_file("net"));
  if (::unshare(CLONE_NEWNET) != 0) return base::os_error("create a network namespace");
  base::Result<base::Fd> fresh = open_namespace_file("net");
  TRY_STATUS(set_namespace(home.get(), CLONE_NEWNET, "return to the network namespace"));
  return fresh;
}

base::Result<Sandbox> make_sandbox(const std::string& hostname) { return make_sandbox(hostname, nullptr); }

base::Result<Sandbox> make_sandbox(const std::string& hostname, const std::function<base::Status()>& inside) {
  Home home;
  home.net = TRY(open_namespace_file("net"));
  home.uts = TRY(open_namespace_file("uts"));
  home.ipc = TRY(open_namespace_file("ipc"));
  if (::unshare(CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) != 0) return base::os_error("create the namespaces of " + hostname);
  base::Result<Sandbox> sandbox = furnish(hostname, inside);
  TRY_STATUS(return_home(home));
  return sandbox;
}

base::Status enter(const base::Fd& ns, int clone_flag) { return set_namespace(ns.get(), clone_flag, "enter a namespace"); }

base::Status enter_of_process(const base::Fd& pidfd, int clone_flags) {
  return set_namespace(pidfd.get(), clone_flags, "enter the namespaces of a process");
}

base::Status leave_namespaces(int clone_flags) {
  if (::unshare(clone_flags) != 0) return base::os_error("create namespaces");
  return {};
}

}  // namespace netns
