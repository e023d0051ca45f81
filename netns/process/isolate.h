// netns/process/isolate.h - the two forks that `kubelan up` makes before any thread exists: the keeper, which
// stays in the host's namespaces, and the daemon, which lives in namespaces of its own.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "store/base/result.h"

namespace netns {

// Forks; the child runs fn and exits with what it returns. The child is in a session of its own, so that
// neither Ctrl-C nor a closed terminal reaches it. REQUIRES: the process is single-threaded.
base::Result<pid_t> fork_session(const std::function<int()>& fn);

// Forks a child into new user, net, mount, pid, ipc and uts namespaces, where it is pid 1 with every
// capability: when it ends, the kernel ends everything it started. Id maps: the whole range as root, else this
// user as 0. The child is killed when its parent dies. REQUIRES: the process is single-threaded.
// kForbidden with the remedy when the system does not allow it (see probe_user_namespaces).
base::Result<pid_t> fork_isolated(const std::function<int()>& fn);

// Inside: mounts become private and a tmpfs of ours is mounted on `scratch` (an existing directory), so that
// what is written there is seen by nobody outside and gone with the daemon.
base::Status mount_scratch(const std::string& scratch);

// Forks and executes argv (looked up in PATH) with `env`; the child keeps the terminal. Passes SIGINT, SIGTERM and SIGHUP on while it
// waits; returns the exit code (128+n after signal n; 127 not found, 126 not executable, with a line on stderr).
base::Result<int> run_command(const std::vector<std::string>& argv, const std::vector<std::string>& env);

}  // namespace netns
