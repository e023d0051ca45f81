// netns/process/spawner.h - starts container processes. A small single-threaded process (the spawner), forked
// before the daemon has any thread, does every fork, mount and exec, so that none of it happens beside
// threads and a fork copies little. The daemon's end, Spawner, talks to it over a socket.
//
// A container is a process with its own pid and mount namespaces inside a Sandbox's net, uts and ipc. Its
// root is made from the recipe below; it is pid 1 of its pid namespace, so its end ends all it started.
//
// Thread rule: methods are thread-safe. Callbacks run on the spawner's reader thread: post them on.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "netns/ns/namespace.h"
#include "store/base/fd.h"
#include "store/base/result.h"

namespace netns {

// A file or directory placed into the container's root.
struct Mount {
  enum class Kind {
    kBind,      // `source` shows at `target`.
    kTmpfs,     // An empty file system in memory.
    kContent,   // A file with the text in `source`, the container's own.
    kWritable,  // The directory as it is in the root, made if missing; what is written stays the container's own.
  };
  Kind kind = Kind::kBind;
  std::string source;       // kBind: path as the daemon sees it. kContent: the text.
  std::string target;       // Absolute, inside; made if missing.
  bool read_only = false;
  uint64_t size_limit = 0;  // kTmpfs, bytes; 0: none.
};

struct ContainerSpec {
  std::vector<std::string> argv;  // argv[0] looked up in PATH of `env`. Ignored when `builtin` is set, except as arguments.
  std::string builtin;            // Name of a built-in program (server/images): runs inside the binary, no exec.
  std::vector<std::string> env;   // "A=b"
  std::string cwd = "/";
  std::vector<Mount> mounts;      // After the root; in order.
  bool tty = false;               // stdio is a new pty; `pty` comes back in Started.
  // Added to the usual set of a container (no mounting, no network administration): "NET_ADMIN", ..., or "ALL".
  std::vector<std::string> capabilities;
};

struct Stdio {                    // Invalid: /dev/null. Ignored with tty.
  int in = -1;
  int out = -1;
  int err = -1;
};

struct ExitInfo {
  int code = 0;     // 128 + signal when killed
  int signal = 0;
};

using ProcessId = uint64_t;       // Ours; never reused.

struct Started {
  ProcessId id = 0;
  pid_t pid = 0;                  // In the daemon's pid namespace.
  base::Fd pty;                   // With tty.
};

class Spawner {
 public:
  virtual ~Spawner() = default;
  // `on_started` first (an error such as "exec: \"nosuch\": executable file not found in $PATH" ends it), then
  // `on_exit` exactly once if it started. `sandbox` descriptors are only read during the call.
  virtual void start(const ContainerSpec& spec, const Sandbox& sandbox, const Stdio& stdio,
                     std::function<void(base::Result<Started>)> on_started, std::function<void(ExitInfo)> on_exit) = 0;
  // Runs another process inside a running container (kubectl exec): joins its namespaces and root.
  virtual void exec_in(ProcessId container, const ContainerSpec& spec, const Stdio& stdio,
                       std::function<void(base::Result<Started>)> on_started, std::function<void(ExitInfo)> on_exit) = 0;
  virtual void signal(ProcessId id, int signal_number) = 0;  // Unknown or ended: no-op.
  // "mnt" or "pid" of a started container; kNotFound once it ended. Blocks for a round trip: not from a callback.
  virtual base::Result<base::Fd> open_namespace(ProcessId id, const std::string& which) = 0;
};

// A built-in program: runs in the freshly forked child in place of exec; returns the exit code. SIGTERM, SIGINT and
// SIGQUIT are blocked from before Started is reported: it takes them with sigwait or signalfd, and none is lost.
using BuiltinMain = int (*)(const std::vector<std::string>& argv);

struct SpawnerOptions {
  std::map<std::string, BuiltinMain> builtins;
  std::string scratch;     // A directory of ours (tmpfs) for mount points.
  std::vector<std::string> hidden;  // Directories of ours that containers see empty (state, keys); scratch is one of them anyway.
};
// Forks the spawner process. Call before any thread exists. The daemon's side starts its reader thread on
// activate(), which must come after all forks.
class SpawnerProcess {
 public:
  static base::Result<std::unique_ptr<SpawnerProcess>> fork(const SpawnerOptions& options);
  virtual ~SpawnerProcess() = default;  // Ends the spawner process and with it every container.
  virtual std::unique_ptr<Spawner> activate() = 0;
  virtual pid_t pid() const = 0;
};

}  // namespace netns
