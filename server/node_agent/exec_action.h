// server/node_agent/exec_action.h - a command in a running container, for probes and hooks: its output and exit code.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "netns/process/spawner.h"
#include "store/base/loop.h"

namespace server {

struct ExecResult {
  bool started = false;
  std::string problem;  // Why it did not start.
  int code = 0;
  std::string output;   // Both streams, in the order written; its first kMaxOutput bytes.
};
inline constexpr size_t kMaxExecOutput = 10u << 10;

// `done` runs once, on any thread, unless the returned function was called before: that ends the command (from any
// thread, any number of times). `spawner` and `io` must outlive the command.
std::function<void()> run_exec_action(netns::Spawner& spawner, base::Loop& io, netns::ProcessId container, const netns::ContainerSpec& spec, std::function<void(ExecResult)> done);

}  // namespace server
