// server/node_agent/agent.h - the state machine that runs pods. Internal to the folder; control thread only.
//
//   bound pod -> attach (address, sandbox) -> prepare (files, volumes) -> init containers, one by one
//             -> containers, all at once -> status; exits and restarts -> status; all ended -> network given back
//   all ended for good -> sidecars, the last one first
//   deletion  -> drain, signals, exits -> the same for sidecars -> last status -> gone
//
// Every answer of the kernel's side (attached, started, exited) is posted back and carries the pod's uid, so that
// an answer to a pod that is gone finds nobody.
#pragma once

#include <map>
#include <memory>
#include <set>
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
  void attach_to_node(PodRun& run);
  void on_attached(PodRun& run, base::Result<netns::Sandbox> sandbox);
  void follow_changes(PodRun& run, const store::Object& pod);
  void follow_guests(PodRun& run, std::map<std::string, ContainerRun> known);
  void replace_container(PodRun& run, ContainerRun& c);
  base::Result<Requeue> advance(PodRun& run);
  void start_main(PodRun& run);
  base::Status write_status(PodRun& run);

  // end.cc
  base::Result<Requeue> end(PodRun& run, const store::Object* pod);
  void begin_ending(PodRun& run, std::chrono::seconds grace);
  void set_kill_time(PodRun& run, std::chrono::seconds grace);
  enum class Urgency { kAsk, kKill, kForce };  // kKill: those that were asked too late get a moment.
  void signal_all(PodRun& run, Urgency urgency);
  void end_sidecars(PodRun& run);
  base::Result<Requeue> finish_deletion(const store::Object& pod);
  void release_network(PodRun& run);
  void forget(PodRun& run);

  // probes.cc
  void begin_probes(PodRun& run, ContainerRun& c);
  void plan_look(PodRun& run, ContainerRun& c, ProbeKind kind, std::chrono::milliseconds delay);
  void look(PodRun& run, ContainerRun& c, ProbeKind kind);
  void on_looked(PodRun& run, ContainerRun& c, ProbeKind kind, base::MonoTime begun, const Outcome& outcome);
  void on_verdict(PodRun& run, ContainerRun& c, ProbeKind kind, bool passed);
  static void end_probes(ContainerRun& c);
  using Answer = std::function<void(PodRun&, ContainerRun&, const Outcome&)>;
  struct ActionOptions {
    std::chrono::milliseconds timeout{0};  // 0: none.
    bool patient = false;                  // See NetAction.
    bool hook = false;
  };
  // The answer comes on the control thread while the same process runs, and not after the returned function was called.
  std::function<void()> run_action(PodRun& run, ContainerRun& c, const Action& action, const ActionOptions& options, const Answer& answer);
  std::function<void()> run_exec(PodRun& run, ContainerRun& c, const Action& action, const ActionOptions& options, const Answer& answer);
  std::function<void()> run_net(PodRun& run, ContainerRun& c, const Action& action, const ActionOptions& options, const Answer& answer);

  // hooks.cc
  void start_further(PodRun& run);
  void move_guests(PodRun& run);
  void begin_post_start(PodRun& run, ContainerRun& c);
  void begin_pre_stop(PodRun& run, ContainerRun& c);
  void end_pre_stop(PodRun& run, ContainerRun& c);
  void stop_sidecars(PodRun& run);
  void stop_container(PodRun& run, ContainerRun& c, std::chrono::seconds grace, const std::string& why);
  void ask(PodRun& run, ContainerRun& c);

  // start.cc
  base::Status prepare(PodRun& run);
  base::Status show_claim(PodRun& run, const std::string& claim, const std::string& link);
  void drop_claim(const std::string& claim);
  Lookups lookups_for(PodRun& run);
  void start_container(PodRun& run, ContainerRun& c);
  base::Result<netns::ContainerSpec> compile_container(PodRun& run, ContainerRun& c, const ResolvedImage& image);
  base::Status hand_to_spawner(PodRun& run, ContainerRun& c, const netns::ContainerSpec& spec);
  void wait_for_config(PodRun& run, ContainerRun& c, const std::string& message);
  void wait_for_image(PodRun& run, ContainerRun& c);
  void on_started(PodRun& run, ContainerRun& c, base::Result<netns::Started> started);
  void on_exit(const std::string& uid, const std::string& name, netns::ExitInfo exit, int looks);
  bool is_main(const PodRun& run, const ContainerRun& c) const;
  void record_exit(PodRun& run, ContainerRun& c, netns::ExitInfo exit);
  void start_next_init(PodRun& run);
  void schedule_restart(PodRun& run, ContainerRun& c);
  ContainerRun* find_container(const std::string& uid, const std::string& name, PodRun** run);

  // tokens.cc
  base::Result<std::string> token_for(PodRun& run, const std::string& audience, int64_t seconds);
  void plan_token_refresh(PodRun& run);
  void refresh_tokens(PodRun& run);

  ObjectRef ref(const PodRun& run, const ContainerRun* c = nullptr) const;
  void event(const PodRun& run, const ContainerRun* c, const char* type, const char* reason, const std::string& message);
  void requeue(const PodRun& run) { queue_.add(run.key); }
  PodAddressPool& pool(const std::string& node) { return pools_.at(node); }
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
  std::map<std::string, PodAddressPool> pools_;
  std::map<std::string, std::unique_ptr<PodRun>> runs_;       // By uid.
  std::map<store::Key, std::string> by_key_;                  // The uid that runs under a name.
  std::set<std::string> claims_;                              // That exist, by uid.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  uint64_t last_ticket_ = 0;
  WorkQueue& queue_;
};

}  // namespace server
