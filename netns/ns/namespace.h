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
// Moves the calling *thread* into a namespace for good. For threads that own a namespace (Worker) and for
// freshly forked children only, never for a shared thread.
base::Status enter(const base::Fd& ns, int clone_flag);

// What `kubelan enter` needs to join a place from outside; made by the daemon, passed by SCM_RIGHTS.
// Order: user, mnt, pid, net, uts, ipc; an invalid Fd = stay.
struct Place {
  base::Fd user, mnt, pid, net, uts, ipc;
};
// Joins all of them in the calling single-threaded process, then forks and runs argv there (pid namespaces
// apply to children only). Passes signals on; returns the exit code (128+n after signal n).
base::Result<int> run_in_place(const Place& place, const std::vector<std::string>& argv, const std::vector<std::string>& env,
                               const std::string& cwd);

// Can this user make user+net namespaces and use them? On failure the message holds the exact remedy
// (Debian's kernel.unprivileged_userns_clone, Ubuntu's AppArmor restriction, user.max_user_namespaces, seccomp in containers).
base::Status probe_user_namespaces();

}  // namespace netns
