// server/node_agent/agent.h - the state machine that runs pods. Internal to the folder; control thread only.
//
//   bound pod -> attach (address, sandbox) -> prepare (files, volumes) -> init containers, one by one
//             -> containers, all at once -> status; exits and restarts -> status; all ended -> network given back
//   deletion  -> drain, signals, exits -> last status -> gone
//
// Every answer of the kernel's side (attached, started, exited) is posted back and carries the pod's uid, so that
// an answer to a pod that is gone finds nobody.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "server/images/images.h"
#include "server/informer/events.h"
#include "server/node_agent/address_pool.h"
#include "server/node_agent/node_agent.h"
#include "server/node_agent/pod_files.h"
#include "server/node_agent/pod_run.h"
#include "server/node_agent/registration.h"
#include "server/node_agent/runtime.h"

namespace server {

class Agent final : public NodeAgent {
 public:
  Agent(ControlLoop& loop, netns::Fabric& fabric, netns::Spawner& spawner, base::Loop& io, const NodeAgentOptions& options);
  ~Agent() override;
  PodRuntime& runtime() override { return directory_; }

 private:
  // reconcile.cc
  void on_pod(const store::Object& before, const store::Object& after);
  void on_config(const store::Object& object);
  base::Result<Requeue> reconcile(const store::Key& key);
  base::Result<Requeue> begin(const store::Object& pod);
  void attach(PodRun& run);
  void on_attached(PodRun& run, base::Result<netns::Sandbox> sandbox);
  void follow_changes(PodRun& run, const store::Object& pod);
  void replace_container(PodRun& run, ContainerRun& c);
  base::Result<Requeue> advance(PodRun& run);
  void start_main(PodRun& run);
  base::Status write_status(PodRun& run);

  // end.cc
  base::Result<Requeue> end(PodRun& run, const store::Object* pod);
  void begin_ending(PodRun& run);
  void set_kill_time(PodRun& run, std::chrono::seconds grace);
  void signal_all(PodRun& run, bool kill);
  base::Result<Requeue> finish_deletion(const store::Object& pod);
  void release_network(PodRun& run);
  void forget(PodRun& run);

  // start.cc
  base::Status prepare(PodRun& run);
  Lookups lookups_for(const PodRun& run);
  void start_container(PodRun& run, ContainerRun& c);
  base::Result<netns::ContainerSpec> compile_container(PodRun& run, ContainerRun& c, const ResolvedImage& image);
  base::Status hand_to_spawner(PodRun& run, ContainerRun& c, const netns::ContainerSpec& spec);
  void wait_for_config(PodRun& run, ContainerRun& c, const std::string& message);
  void wait_for_image(PodRun& run, ContainerRun& c);
  void on_started(PodRun& run, ContainerRun& c, base::Result<netns::Started> started);
  void on_exit(const std::string& uid, const std::string& name, netns::ExitInfo exit, int looks);
  void record_exit(PodRun& run, ContainerRun& c, netns::ExitInfo exit);
  void start_next_init(PodRun& run);
  void schedule_restart(PodRun& run, ContainerRun& c);
  ContainerRun* find_container(const std::string& uid, const std::string& name, PodRun** run);

  ObjectRef ref(const PodRun& run, const ContainerRun* c = nullptr) const;
  void event(const PodRun& run, const ContainerRun* c, const char* type, const char* reason, const std::string& message);
  void requeue(const PodRun& run) { queue_.add(run.key); }
  AddressPool& pool(const std::string& node) { return pools_.at(node); }
  PodRun* find_run(const std::string& uid);
  // Runs fn later, unless this agent or the run is gone by then.
  void later(std::chrono::milliseconds delay, const PodRun& run, std::function<void(PodRun&)> fn);
  void later(std::chrono::milliseconds delay, const PodRun& run, const ContainerRun& c, std::function<void(PodRun&, ContainerRun&)> fn);
  // Runs fn on the control thread, unless this agent is gone by then.
  std::function<void(std::function<void()>)> poster();

  ControlLoop& loop_;
  netns::Fabric& fabric_;
  netns::Spawner& spawner_;
  base::Loop& io_;
  const NodeAgentOptions options_;
  std::string host_resolv_;
  RuntimeDirectory directory_;
  EventRecorder events_;
  NodeRegistration registration_;
  std::map<std::string, AddressPool> pools_;
  std::map<std::string, std::unique_ptr<PodRun>> runs_;       // By uid.
  std::map<store::Key, std::string> by_key_;                  // The uid that runs under a name.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  WorkQueue& queue_;
};

}  // namespace server
