// server/gateway/serving.h - the engines: one for every running pod of the ingress controller, inside that pod's network.
// Pods with equal settings make a group, which has one table.
//
// A pod with the readiness gate (objects.h) is Ready only while its engine works by a table. Control thread only; lives until
// the loop has stopped.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "server/api/pod_runtime.h"
#include "server/gateway/controller_pod.h"
#include "server/gateway/engine/engine.h"
#include "server/informer/control_loop.h"
#include "server/informer/events.h"

namespace server {

class Serving {
 public:
  using StartEngine = std::function<base::Result<std::unique_ptr<gateway::Engine>>(gateway::EngineOptions)>;
  // `on_groups` when the first pod of a group came or the last one went.
  Serving(ControlLoop& loop, PodRuntime& runtime, int threads, StartEngine start, std::function<void()> on_groups);
  ~Serving();
  Serving(const Serving&) = delete;
  Serving& operator=(const Serving&) = delete;

  std::set<ControllerSettings> groups() const;
  // `live` once every engine of the group works by it (at once when there is none); not when a newer one was published before.
  void publish(const ControllerSettings& group, gateway::TablePtr table, std::function<void()> live);
  // Of the group at least one engine works by a table.
  bool live(const ControllerSettings& group) const;
  // Lines for all logs of the group.
  void print(const ControllerSettings& group, const std::string& lines);
  // Called when everything known so far about pods has an engine; at once if so.
  bool settled() const { return waiting_.empty(); }

 private:
  struct Instance {
    store::Key key;
    ControllerPod pod;
    std::function<void(std::string_view)> print;
    std::unique_ptr<gateway::Engine> engine;
    uint64_t wanted = 0, has = 0;  // Tables, by the order in which they were published.
    bool draining = false;
  };
  struct Group {
    gateway::TablePtr table;
    uint64_t number = 0;
    std::function<void()> live;
  };
  void on_pod(const store::Object& before, const store::Object& after);
  base::Result<Requeue> reconcile(const store::Key& key);
  base::Status start(const store::Object& object, const ControllerPod& pod);
  void end(const store::Key& key);
  void hand_over(Instance& instance);
  void on_published(const store::Key& key, const std::string& container_id, uint64_t number, const std::vector<std::string>& problems);
  void check_live(const ControllerSettings& group);
  base::Status set_gate(const store::Object& object, const ControllerPod& pod, bool open);

  ControlLoop& loop_;
  PodRuntime& runtime_;
  const int threads_;
  const StartEngine start_engine_;
  const std::function<void()> on_groups_;
  EventRecorder events_;
  std::map<store::Key, Instance> instances_;
  std::map<ControllerSettings, Group> groups_;
  std::set<store::Key> waiting_;        // Pods to be looked at.
  uint64_t last_number_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  WorkQueue& queue_;
};

}  // namespace server
