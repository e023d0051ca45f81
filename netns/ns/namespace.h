// netns/ns/namespace.h - namespaces as owned descriptors, and the only callers of setns() and unshare().
// A namespace lives as long as a descriptor or a process holds it: closing the last one tears it down, links included.
#pragma once

#include <sched.h>

#include <functional>
#include <string>
#include <vector>

#include "store/base/fd.h"
#include "store/base/result.h"

namespace netns {

// The namespaces a pod's processes share. Descriptors of /proc/*/ns/{net,uts,ipc}.
struct Sandbox {
  base::Fd net;
  base::Fd uts;
  base::Fd ipc;
};

// A fresh network namespace (lo still down). The calling thread is in its old namespace again afterwards.
base::Result<base::Fd> make_network_namespace();
// A fresh net+uts+ipc set with the host name set. As above, for a dedicated thread only (see Worker).
base::Result<Sandbox> make_sandbox(const std::string& hostname);
// As above; `inside` runs on the calling thread while it is in the new namespaces (to open sockets, write sysctls).
base::Result<Sandbox> make_sandbox(const std::string& hostname, const std::function<base::Status()>& inside);
// Moves the calling *thread* into a namespace for good. For threads that own a namespace (Worker) and for
// freshly forked children only, never for a shared thread.
base::Status enter(const base::Fd& ns, int clone_flag);
inline base::Status enter_network(const base::Fd& net) { return enter(net, CLONE_NEWNET); }
// The same by a process' pidfd, several namespaces at once (CLONE_NEW* flags).
base::Status enter_of_process(const base::Fd& pidfd, int clone_flags);
// unshare() of the calling process or thread. For freshly forked children, and for a process without threads
// that is about to become a world of its own.
base::Status leave_namespaces(int clone_flags);
// One namespace of the calling thread: "net", "mnt", "pid", "uts", "ipc", "user", "pid_for_children".
base::Result<base::Fd> open_own_namespace(const char* which);

// What `kubelan enter` needs to join a place from outside; made by the daemon, passed by SCM_RIGHTS.
// Order: user, mnt, pid, net, uts, ipc; an invalid Fd = stay.
struct Place {
  base::Fd user, mnt, pid, net, uts, ipc;
};
// Implemented in netns/process, which owns fork and exec.
// Joins all of them in the calling single-threaded process, then forks and runs argv there (pid namespaces
// apply to children only). Passes signals on; returns the exit code (128+n after signal n).
base::Result<int> run_in_place(const Place& place, const std::vector<std::string>& argv, const std::vector<std::string>& env,
                               const std::string& cwd);

// Can this user make user+net namespaces and use them? Forks a child that tries (in netns/process). On failure the message holds the exact remedy
// (Debian's kernel.unprivileged_userns_clone, Ubuntu's AppArmor restriction, user.max_user_namespaces, seccomp in containers).
base::Status probe_user_namespaces();

}  // namespace netns
