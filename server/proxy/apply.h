// server/proxy/apply.h - keeps one node's kernel at what is wanted, in one address family, level-triggered: while one change
// is on its way, any number of others wait as a set of names and become one change.
//
// Thread rule: everything on the control thread; the node's worker runs the transactions.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "netns/fabric.h"
#include "server/informer/control_loop.h"
#include "server/proxy/proxy.h"
#include "server/proxy/stale.h"
#include "server/proxy/status.h"
#include "server/proxy/table.h"

namespace server::proxy {

class NodeKernel;

class NodeApplier {
 public:
  // What the node should have for one service now; empty: nothing.
  using PlanFn = std::function<ServicePlan(const ServiceKey& key, const NodeView& view)>;
  using KeysFn = std::function<std::set<ServiceKey>()>;
  struct Source {
    PlanFn plan;
    KeysFn keys;                             // All services: for a reload.
    std::function<void()> on_synced;         // After each change that reached the kernel.
    std::function<void()> on_health_checks;  // After a change of status().health_checks.
  };

  NodeApplier(ControlLoop& loop, netns::Node& node, const ProxyOptions& options, NodeView view, Source source);
  ~NodeApplier();

  // Replaces the table by the bare ruleset. Blocks.
  base::Status load();
  const NodeView& view() const { return view_; }
  // Another zone or other addresses: all services are looked at again. `sequence` as for mark().
  void set_view(NodeView view, uint64_t sequence);
  // The ranges of ProxyOptions have changed.
  void set_options(const ProxyOptions& options, uint64_t sequence);
  // Something about this service may have changed. `sequence` grows with every call.
  void mark(const ServiceKey& key, uint64_t sequence);
  // The change with this number concerns other nodes only.
  void skip_to(uint64_t sequence) { marked_ = sequence; }
  // Sends what was marked, unless a change is on its way already; that one's end sends it.
  void flush();
  // All marks up to this one are in the kernel.
  uint64_t synced() const { return synced_; }

  // But for the counts of changes, which are not a node's.
  NodeProxyStatus status() const;
  // Compares the kernel with the table as soon as nothing is on its way; a line a difference.
  void verify(std::function<void(std::vector<std::string>)> done);

 private:
  struct Shared;
  struct Notes {  // Of a service's plan, what is asked for afterwards.
    std::vector<UdpPort> udp_ports;
    std::optional<HealthCheck> health_check;
    size_t missing_internal = 0, missing_external = 0;  // Ports whose policy is Local, with endpoints elsewhere only.
    bool operator==(const Notes&) const = default;
  };
  struct Work {
    std::vector<Transaction> transactions;
    std::vector<netns::Conntrack::Stale> stale;
    std::string ruleset;  // Not empty: the table is replaced first.
  };
  Work compile();
  void note(const ServiceKey& key, const ServicePlan& plan, bool anew, Work& work);
  void send(Work work, std::function<void(base::Status)> done);
  void finished(const base::Status& status, uint64_t sequence);
  void schedule_retired();
  void verify_now();
  std::string set_commands(const std::string& set, const std::vector<std::string>& elements) const;

  ControlLoop& loop_;
  netns::Node& node_;
  ProxyOptions options_;
  NodeView view_;
  const Source source_;
  std::shared_ptr<NodeKernel> kernel_;
  NodeTable table_;
  std::set<ServiceKey> dirty_;
  std::map<ServiceKey, Notes> notes_;  // Services that have any.
  std::string pending_commands_;       // Of set_view() and set_options().
  uint64_t marked_ = 0;
  uint64_t synced_ = 0;
  bool busy_ = false;
  bool reload_ = false;  // The kernel's state is unknown: start from the bare ruleset.
  bool retired_scheduled_ = false;
  bool health_changed_ = false;
  int failures_ = 0;                // In a row.
  NodeProxyStatus status_;
  std::chrono::steady_clock::time_point queued_at_{}, sent_at_{}, oldest_sent_{};
  std::vector<std::function<void(std::vector<std::string>)>> verifying_;
  std::shared_ptr<Shared> shared_;  // Outlives this object in callbacks that are still on their way.
};

}  // namespace server::proxy
