#include "server/proxy/proxy.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "server/model/service_index.h"
#include "server/proxy/apply.h"
#include "server/proxy/compile.h"

namespace server {
namespace {

using model::ServiceKey;
using proxy::NodeApplier;
using proxy::ServicePlan;

class ProxyImpl final : public Proxy {
 public:
  ProxyImpl(ControlLoop& loop, netns::Fabric& fabric, const ProxyOptions& options) : loop_(loop), options_(options) {
    for (netns::Node* node : fabric.nodes()) {
      NodeApplier::Source source;
      source.plan = [this](const ServiceKey& key, const proxy::NodeView& view) { return plan(key, view); };
      source.keys = [this] { return index_.keys(); };
      source.on_synced = [this] { tell_synced(); };
      const proxy::NodeView view{node->plan().address.family(), node->plan().pod_cidr, node->plan().name, "", {node->plan().address}, {node->plan().address}};
      nodes_.push_back(
          std::make_unique<NodeApplier>(loop, *node, proxy::compile_ruleset(node->plan().address, options), view, std::move(source)));
    }
    loop.on_change("services",
                   [this](const store::Object& before, const store::Object& after) { changed(index_.change_service(before, after)); });
    loop.on_change("endpointslices.discovery.k8s.io",
                   [this](const store::Object& before, const store::Object& after) { changed(index_.change_slice(before, after)); });
  }

  base::Status load() override {
    for (auto& node : nodes_) TRY_STATUS(node->load());
    return {};
  }

  void when_synced(std::function<void()> done) override {
    waiting_.emplace(sequence_, std::move(done));
    schedule_flush();
  }

 private:
  void changed(const std::set<ServiceKey>& keys) {
    if (keys.empty()) return;
    ++sequence_;
    for (const ServiceKey& key : keys) {
      if (index_.find(key) == nullptr) ids_.forget(key);
      for (auto& node : nodes_) node->mark(key, sequence_);
    }
    schedule_flush();
  }

  // Once after all events that are due, not once an event.
  void schedule_flush() {
    if (std::exchange(flush_scheduled_, true)) return;
    loop_.post([this] {
      flush_scheduled_ = false;
      for (auto& node : nodes_) node->flush();
      tell_synced();
    });
  }

  ServicePlan plan(const ServiceKey& key, const proxy::NodeView& view) {
    const model::Service* service = index_.find(key);
    if (service == nullptr) return {};
    ServicePlan plan = proxy::compile_service(*service, index_.slices(key), view, options_);
    ids_.assign(key, plan);
    return plan;
  }

  void tell_synced() {
    uint64_t synced = sequence_;
    for (auto& node : nodes_) synced = std::min(synced, node->synced());
    while (!waiting_.empty() && waiting_.begin()->first <= synced) {
      auto node = waiting_.extract(waiting_.begin());
      node.mapped()();
    }
  }

  ControlLoop& loop_;
  const ProxyOptions options_;
  model::ServiceIndex index_;
  proxy::TargetIds ids_;
  std::vector<std::unique_ptr<NodeApplier>> nodes_;
  std::multimap<uint64_t, std::function<void()>> waiting_;
  uint64_t sequence_ = 0;
  bool flush_scheduled_ = false;
};

}  // namespace

std::unique_ptr<Proxy> make_proxy(ControlLoop& loop, netns::Fabric& fabric, const ProxyOptions& options) {
  return std::make_unique<ProxyImpl>(loop, fabric, options);
}

}  // namespace server
