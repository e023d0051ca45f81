// server/node_agent/runtime.h - the thread-safe half: a directory of running containers that the control thread
// keeps up to date, and PodRuntime over it for connection threads (logs, exec, attach, port-forward, enter).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "netns/fabric.h"
#include "netns/process/spawner.h"
#include "server/api/pod_runtime.h"
#include "server/node_agent/pod_run.h"
#include "store/base/clock.h"

namespace server {

// What other threads may know of a container. Copied whole; immutable once published.
struct ContainerHandle {
  std::string name;
  ContainerState state = ContainerState::kWaiting;
  std::string waiting_reason;
  netns::ProcessId process = 0;
  std::string cwd;
  std::vector<std::string> env;
  std::vector<std::string> capabilities;
  std::shared_ptr<ContainerLog> log, previous_log;
  std::shared_ptr<StandardInput> std_in;
  std::shared_ptr<base::Fd> pty;
};
struct PodHandle {
  std::string ns, name;
  std::shared_ptr<netns::Sandbox> sandbox;  // nullptr before it is attached, and when the pod has finished.
  std::vector<ContainerHandle> containers;  // Regular ones, init containers, ephemeral ones.
  size_t regular = 0, init = 0;              // How many.
};

class RuntimeDirectory final : public PodRuntime {
 public:
  // Calls from outside pods come from the namespace of the first node.
  RuntimeDirectory(netns::Spawner& spawner, const base::Clock& clock, netns::Fabric& fabric);

  // Control thread.
  void publish(const PodRun& run);
  void forget(const store::Key& key);

  base::Status logs(const std::string& ns, const std::string& pod, const LogOptions& options, const std::function<bool(std::string_view)>& sink) override;
  base::Result<std::unique_ptr<ExecSession>> exec(const std::string& ns, const std::string& pod, const ExecOptions& options) override;
  base::Result<std::unique_ptr<ExecSession>> attach(const std::string& ns, const std::string& pod, const ExecOptions& options) override;
  base::Result<base::Fd> dial(const std::string& ns, const std::string& pod, uint16_t port) override;
  base::Result<base::Fd> dial_address(const base::Ip& ip, uint16_t port) override;
  base::Result<netns::Place> place(const std::string& ns, const std::string& pod) override;
  base::Result<ContainerStandIn> stand_in(const std::string& ns, const std::string& pod, const std::string& container) override;

 private:
  base::Result<std::shared_ptr<const PodHandle>> find(const std::string& ns, const std::string& pod) const;
  base::Result<ContainerHandle> find_container(const std::string& ns, const std::string& pod, const std::string& container) const;
  base::Result<ContainerHandle> find_running(const std::string& ns, const std::string& pod, const std::string& container) const;

  netns::Spawner& spawner_;
  const base::Clock& clock_;
  base::Fd node_net_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::shared_ptr<const PodHandle>> pods_;
};

}  // namespace server
