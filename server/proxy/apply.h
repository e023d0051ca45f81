// server/proxy/apply.h - keeps one node's kernel at what is wanted, level-triggered: while one change is on its
// way, any number of others wait as a set of names and become one change.
//
// Thread rule: everything on the control thread; the node's worker runs the transactions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "netns/fabric.h"
#include "server/informer/control_loop.h"
#include "server/proxy/table.h"

namespace server::proxy {

class NodeApplier {
 public:
  // What the node should have for one service now; empty: nothing.
  using PlanFn = std::function<ServicePlan(const ServiceKey& key, const NodeView& view)>;
  using KeysFn = std::function<std::set<ServiceKey>()>;
  struct Source {
    PlanFn plan;
    KeysFn keys;                      // All services: for a reload.
    std::function<void()> on_synced;  // After each change that reached the kernel.
  };

  NodeApplier(ControlLoop& loop, netns::Node& node, std::string ruleset, const NodeView& view, Source source);
  ~NodeApplier();

  // Replaces the table by the bare ruleset. Blocks.
  base::Status load();
  // Something about this service may have changed. `sequence` grows with every call.
  void mark(const ServiceKey& key, uint64_t sequence);
  // Sends what was marked, unless a change is on its way already; that one's end sends it.
  void flush();
  // All marks up to this one are in the kernel.
  uint64_t synced() const { return synced_; }

 private:
  struct Shared;
  void send(std::vector<std::string> transactions, std::function<void(base::Status)> done);
  void finished(const base::Status& status, uint64_t sequence);
  void schedule_retired();

  ControlLoop& loop_;
  netns::Node& node_;
  const std::string ruleset_;
  const NodeView view_;
  const Source source_;
  NodeTable table_;
  std::set<ServiceKey> dirty_;
  uint64_t marked_ = 0;
  uint64_t synced_ = 0;
  bool busy_ = false;
  bool reload_ = false;  // The kernel's state is unknown: start from the bare ruleset.
  bool retired_scheduled_ = false;
  int failures_ = 0;                // In a row.
  std::shared_ptr<Shared> shared_;  // Outlives this object in callbacks that are still on their way.
};

}  // namespace server::proxy
