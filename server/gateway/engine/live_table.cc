#include "server/gateway/engine/live_table.h"

namespace server::gateway {

std::shared_ptr<UpstreamState> SharedState::state_of(const Upstream& upstream) {
  std::lock_guard lock(mutex_);
  std::weak_ptr<UpstreamState>& known = upstreams_[upstream.name];
  std::shared_ptr<UpstreamState> state = known.lock();
  if (!state) known = state = std::make_shared<UpstreamState>();
  return state;
}

std::shared_ptr<WeightedTurns> SharedState::turns_of(const std::string& name) {
  std::lock_guard lock(mutex_);
  std::weak_ptr<WeightedTurns>& known = turns_[name];
  std::shared_ptr<WeightedTurns> turns = known.lock();
  if (!turns) known = turns = std::make_shared<WeightedTurns>();
  return turns;
}

std::shared_ptr<const LiveTable> LiveTable::make(TablePtr table, const LiveTable* before, SharedState& shared, std::vector<std::string>* problems) {
  auto live = std::make_shared<LiveTable>();
  live->table_ = std::move(table);
  for (const std::shared_ptr<const Listener>& listener : live->table_->listeners) {
    auto made = std::make_shared<LiveListener>();
    made->matcher = std::make_unique<ListenerMatcher>(listener);
    if (listener->protocol == Listener::Protocol::kHttps) {
      const ServerTls* tls_before = nullptr;
      for (size_t i = 0; before != nullptr && i < before->listeners_.size(); ++i) {
        if (before->listeners_[i]->listener().name == listener->name) tls_before = before->listeners_[i]->tls.get();
      }
      made->tls = ServerTls::make(*listener, tls_before, problems);
    }
    made->turns = shared.turns_of("listener " + listener->name);
    live->add_action(listener->otherwise, shared);
    for (const VirtualHost& host : listener->hosts) {
      if (host.passthrough) {
        made->has_passthrough = true;
        live->add_upstream(host.passthrough, shared);
      }
      live->add_action(host.otherwise, shared);
      for (const Route& route : host.routes) live->add_route(route, listener->name + "/" + host.name, shared);
    }
    for (const Backend& backend : listener->backends) live->add_upstream(backend.upstream, shared);
    live->listeners_.push_back(std::move(made));
  }
  return live;
}

void LiveTable::add_upstream(const UpstreamPtr& upstream, SharedState& shared) {
  if (!upstream || upstreams_.contains(upstream.get())) return;
  upstreams_.emplace(upstream.get(), shared.state_of(*upstream));
  upstreams_by_name_.emplace(upstream->name, upstream);
}

UpstreamPtr LiveTable::find_upstream(std::string_view name) const {
  auto it = upstreams_by_name_.find(name);
  return it == upstreams_by_name_.end() ? nullptr : it->second;
}

void LiveTable::add_forward(const Forward& forward, SharedState& shared) {
  for (const Backend& backend : forward.backends) add_upstream(backend.upstream, shared);
  for (const Canary& canary : forward.canaries) add_upstream(canary.backend.upstream, shared);
  for (const Mirror& mirror : forward.mirrors) add_upstream(mirror.upstream, shared);
  add_upstream(forward.fallback, shared);
  if (forward.error_pages) add_upstream(forward.error_pages->backend, shared);
}

void LiveTable::add_action(const Action& action, SharedState& shared) {
  if (const auto* forward = std::get_if<Forward>(&action)) add_forward(*forward, shared);
}

// Turns are counted by what the route is for, so that they go on where they were when a table is replaced.
void LiveTable::add_route(const Route& route, const std::string& host, SharedState& shared) {
  add_action(route.action, shared);
  if (route.policy->external) add_upstream(route.policy->external->upstream, shared);
  const auto* forward = std::get_if<Forward>(&route.action);
  if (forward == nullptr || (forward->backends.size() < 2 && forward->canaries.empty())) return;
  std::string name = host + route.location_path + "|" + route.origin.ns + "/" + route.origin.name + "/" + route.origin.field;
  routes_.emplace(&route, RouteState{shared.turns_of(name), shared.turns_of(name + "|canary")});
}

const RouteState& LiveTable::state_of(const Route& route) const {
  auto it = routes_.find(&route);
  return it == routes_.end() ? no_state_ : it->second;
}

}  // namespace server::gateway
