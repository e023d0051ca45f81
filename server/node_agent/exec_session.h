// server/node_agent/exec_session.h - the two kinds of ExecSession: a new process in a container, and a look at one
// that runs. Any thread; start_exec blocks until the process runs or failed to.
#pragma once

#include <memory>

#include "netns/process/spawner.h"
#include "server/api/pod_runtime.h"
#include "server/node_agent/container_log.h"
#include "server/node_agent/standard_input.h"

namespace server {

base::Result<std::unique_ptr<ExecSession>> start_exec(netns::Spawner& spawner, netns::ProcessId container, const netns::ContainerSpec& spec, const ExecOptions& options);
// `std_in` and `pty` may be nullptr: the container has none.
base::Result<std::unique_ptr<ExecSession>> start_attach(ContainerLog& log, const std::shared_ptr<StandardInput>& std_in, const std::shared_ptr<base::Fd>& pty, const ExecOptions& options);

}  // namespace server
