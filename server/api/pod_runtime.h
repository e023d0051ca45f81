// server/api/pod_runtime.h - what the API server needs of running pods, for the log, exec, attach and
// portforward subresources. Implemented by server/node_agent; thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "netns/ns/namespace.h"
#include "store/base/clock.h"
#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/result.h"

namespace server {

struct LogOptions {
  std::string container;                // "" = the only one (kBadRequest listing the choices otherwise)
  bool follow = false;
  bool previous = false;
  bool timestamps = false;
  std::optional<int64_t> tail_lines;
  std::optional<int64_t> limit_bytes;
  std::optional<int64_t> since_seconds;
  std::optional<base::WallTime> since_time;
};

struct ExecOptions {
  std::string container;
  std::vector<std::string> command;
  bool in = false, out = false, err = false, tty = false;
};

// One exec or attach session. Descriptors are blocking pipe/pty ends owned by the session (-1: not asked for).
class ExecSession {
 public:
  virtual ~ExecSession() = default;    // An exec'd process still running is killed.
  virtual int in() const = 0;          // write
  virtual void close_in() = 0;         // stdin EOF
  virtual int out() const = 0;         // read (with tty: everything)
  virtual int err() const = 0;         // read
  virtual void resize(int width, int height) = 0;
  virtual bool has_exit() const = 0;   // false for attach sessions
  // Blocks until the process ended; exec only. 128+n after signal n.
  virtual int wait() = 0;
};

// A running container for a part of the daemon that does its work (the ingress controller's engine).
struct ContainerStandIn {
  base::Fd net;  // The pod's network namespace.
  // Whole lines, each with its end, into the container's log as if it had printed them. Any thread; never calls back. It
  // may be kept longer than the container lives.
  std::function<void(std::string_view lines)> print;
};

class PodRuntime {
 public:
  virtual ~PodRuntime() = default;
  // Calls `sink` with chunks until the end (or, with follow, until the container ended); stops when sink
  // returns false. Blocks. Errors come before the first sink call, worded as the kubelet's. While following, sink
  // is called with an empty chunk about once a second, to learn whether the reader is still there.
  virtual base::Status logs(const std::string& ns, const std::string& pod, const LogOptions& options,
                            const std::function<bool(std::string_view)>& sink) = 0;
  virtual base::Result<std::unique_ptr<ExecSession>> exec(const std::string& ns, const std::string& pod, const ExecOptions& options) = 0;
  virtual base::Result<std::unique_ptr<ExecSession>> attach(const std::string& ns, const std::string& pod, const ExecOptions& options) = 0;
  // A TCP socket connected to 127.0.0.1:port inside the pod. Blocks up to a few seconds.
  virtual base::Result<base::Fd> dial(const std::string& ns, const std::string& pod, uint16_t port) = 0;
  // A TCP socket connected to an address of the cluster, as a node sees it; errors as Go's dialer words them. Blocks up to a few seconds.
  virtual base::Result<base::Fd> dial_address(const base::Ip& ip, uint16_t port) = 0;
  // For `kubelan enter pod/...`: the namespaces of the pod's first running container.
  virtual base::Result<netns::Place> place(const std::string& ns, const std::string& pod) = 0;
  // kNotFound, kUnavailable: it does not run (yet, or any more). Does not block.
  virtual base::Result<ContainerStandIn> stand_in(const std::string& ns, const std::string& pod, const std::string& container) = 0;
};

}  // namespace server
