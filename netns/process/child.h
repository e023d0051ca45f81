// netns/process/child.h - what a freshly forked child does until it is the container's program. Internal to
// netns/process; runs in a process of one thread and never returns.
#pragma once

#include <string>

#include "netns/process/protocol.h"
#include "netns/process/root.h"

namespace netns {

// What the child tells the spawner over `status`, a SOCK_SEQPACKET. Then end of file: the program runs.
inline constexpr char kChildReady = 'R';   // With descriptors: mnt and pid namespace, and the pty if asked for.
inline constexpr char kChildFailed = 'E';  // Followed by the reason.

struct ChildTask {
  const Request* request = nullptr;
  const RootTemplate* root = nullptr;    // kStart
  BuiltinMain builtin = nullptr;         // Null: exec.
  const base::Fd* join_mnt = nullptr;    // kExec: the container's.
  const base::Fd* join_pidfd = nullptr;  // kExec: its first process, for net, uts and ipc.
  base::Fd status;
};
[[noreturn]] void run_child(ChildTask task);

// Finds `program` as a container runtime does, in the PATH of `env` unless it has a slash. The error's text is what
// kubectl users know: exec: "nosuch": executable file not found in $PATH
base::Result<std::string> find_program(const std::string& program, const std::vector<std::string>& env);

// Ends the calling process' hold on every signal disposition and mask it inherited.
void reset_signals();

}  // namespace netns
