// server/gateway/engine/live_table.h - a table with what the loops need to work by it: look-ups, TLS contexts, counters.
// Built once a publication, on the publisher's thread, then only read.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/gateway/engine/engine.h"
#include "server/gateway/policy/balance.h"
#include "server/gateway/policy/external.h"
#include "server/gateway/policy/limits.h"
#include "server/gateway/table/matcher.h"
#include "server/gateway/table/table.h"
#include "server/gateway/tls/client_tls.h"
#include "server/gateway/tls/server_tls.h"

namespace server::gateway {

// What outlives tables, shared by all loops. Every member is thread-safe.
struct SharedState {
  LimitStates limits;
  AuthCache auth_cache;
  EngineStats stats;
  ClientTls client_tls;

  // The same for the same name as long as anyone uses it.
  std::shared_ptr<UpstreamState> state_of(const Upstream& upstream);
  std::shared_ptr<WeightedTurns> turns_of(const std::string& name);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::weak_ptr<UpstreamState>> upstreams_;
  std::unordered_map<std::string, std::weak_ptr<WeightedTurns>> turns_;
};

// What a route with several backends or canaries counts.
struct RouteState {
  std::shared_ptr<WeightedTurns> backends;
  std::shared_ptr<WeightedTurns> canaries;
};

struct LiveListener {
  std::unique_ptr<ListenerMatcher> matcher;
  std::shared_ptr<const ServerTls> tls;   // kHttps
  bool has_passthrough = false;
  std::shared_ptr<WeightedTurns> turns;   // kTcp: among the backends.
  const Listener& listener() const { return matcher->listener(); }
};

class LiveTable {
 public:
  static std::shared_ptr<const LiveTable> make(TablePtr table, const LiveTable* before, SharedState& shared, std::vector<std::string>* problems);

  const Table& table() const { return *table_; }
  const std::vector<std::shared_ptr<const LiveListener>>& listeners() const { return listeners_; }
  UpstreamState& state_of(const Upstream& upstream) const { return *upstreams_.at(&upstream); }
  const RouteState& state_of(const Route& route) const;
  UpstreamPtr find_upstream(std::string_view name) const;  // nullptr: none.

 private:
  void add_upstream(const UpstreamPtr& upstream, SharedState& shared);
  void add_forward(const Forward& forward, SharedState& shared);
  void add_route(const Route& route, const std::string& host, SharedState& shared);
  void add_action(const Action& action, SharedState& shared);

  TablePtr table_;
  std::vector<std::shared_ptr<const LiveListener>> listeners_;
  std::unordered_map<const Upstream*, std::shared_ptr<UpstreamState>> upstreams_;
  std::unordered_map<std::string_view, UpstreamPtr> upstreams_by_name_;
  std::unordered_map<const Route*, RouteState> routes_;
  RouteState no_state_;
};

}  // namespace server::gateway
