#include "server/proxy/proxy.h"

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "server/proxy/apply.h"
#include "server/proxy/compile.h"
#include "store/object/access.h"

namespace server {
namespace {

using model::ServiceKey;
using proxy::NodeApplier;
using proxy::NodeView;
using proxy::ServicePlan;

// A node's name and addresses are the fabric's; the zone and further addresses are its object's.
NodeView make_view(const netns::NodePlan& plan, size_t family, const store::Object& node, const ProxyOptions& options) {
  NodeView view;
  view.family = plan.address_of(family).family();
  view.pod_cidr = plan.pod_cidr_of(family);
  view.name = plan.name;
  view.addresses = {plan.address_of(family)};
  if (node) {
    if (const std::string* zone = store::find_label(node.tree(), "topology.kubernetes.io/zone")) view.zone = *zone;
    for (const json& address : store::get_array(node.tree(), "status.addresses")) {
      base::Result<base::Ip> ip = base::Ip::parse(store::get_string(address, "address"));
      if (!ip.ok() || ip->family() != view.family || store::get_string(address, "type") == "Hostname") continue;
      if (std::find(view.addresses.begin(), view.addresses.end(), *ip) == view.addresses.end()) view.addresses.push_back(*ip);
    }
  }
  view.node_port_ips = proxy::choose_node_port_ips(view.addresses, options);
  return view;
}

bool same(const NodeView& a, const NodeView& b) { return a.zone == b.zone && a.addresses == b.addresses && a.node_port_ips == b.node_port_ips; }

class ProxyImpl final : public Proxy {
 public:
  ProxyImpl(ControlLoop& loop, ServiceFeed& services, netns::Fabric& fabric, const ProxyOptions& options)
      : loop_(loop), index_(services.index()), configured_(options), options_(options) {
    for (netns::Node* node : fabric.nodes()) {
      for (size_t family = 0; family < fabric.plan().families(); ++family) add_node(*node, family);
    }
    services.on_change([this](const std::set<ServiceKey>& keys) { changed(keys); });
    loop.on_change("services", [this](const store::Object&, const store::Object&) { ++service_changes_; });
    loop.on_change("endpointslices.discovery.k8s.io", [this](const store::Object&, const store::Object&) { ++endpoint_changes_; });
    loop.on_change("nodes", [this](const store::Object& before, const store::Object& after) { change_node(before, after); });
    loop.on_change("servicecidrs.networking.k8s.io", [this](const store::Object& before, const store::Object& after) { change_range(before, after); });
  }

  base::Status load() override {
    for (auto& node : nodes_) TRY_STATUS(node.applier->load());
    return {};
  }

  void when_synced(std::function<void()> done) override {
    waiting_.emplace(sequence_, std::move(done));
    schedule_flush();
  }

  std::vector<proxy::NodeProxyStatus> status() const override {
    std::vector<proxy::NodeProxyStatus> out;
    for (const auto& node : nodes_) {
      if (node.family != 0) {
        out.back().merge(node.applier->status());
        continue;
      }
      out.push_back(node.applier->status());
      out.back().service_changes = service_changes_;
      out.back().endpoint_changes = endpoint_changes_;
    }
    return out;
  }

  void on_health_checks(std::function<void()> changed) override { health_changed_ = std::move(changed); }

  void verify(std::function<void(std::vector<std::string>)> done) override {
    struct Gathered {
      size_t missing;
      std::vector<std::string> lines;
    };
    auto all = std::make_shared<Gathered>(Gathered{nodes_.size(), {}});
    for (auto& node : nodes_) {
      node.applier->verify([all, done](const std::vector<std::string>& lines) {
        all->lines.insert(all->lines.end(), lines.begin(), lines.end());
        if (--all->missing == 0) done(std::move(all->lines));
      });
    }
  }

 private:
  struct OnNode {  // In one address family.
    netns::Node* node;
    size_t family;
    std::unique_ptr<NodeApplier> applier;
  };

  void add_node(netns::Node& node, size_t family) {
    NodeApplier::Source source;
    source.plan = [this](const ServiceKey& key, const NodeView& view) { return plan(key, view); };
    source.keys = [this] { return index_.keys(); };
    source.on_synced = [this] { tell_synced(); };
    source.on_health_checks = [this] {
      if (health_changed_) health_changed_();
    };
    nodes_.push_back({&node, family, std::make_unique<NodeApplier>(loop_, node, options_, make_view(node.plan(), family, {}, options_), std::move(source))});
  }

  void changed(const std::set<ServiceKey>& keys) {
    ++sequence_;
    for (const ServiceKey& key : keys) {
      if (index_.find(key) == nullptr) ids_.forget(key);
      for (auto& node : nodes_) node.applier->mark(key, sequence_);
    }
    schedule_flush();
  }

  void change_node(const store::Object& before, const store::Object& after) {
    const std::string name = !after ? before.name() : after.name();
    for (auto& [node, family, applier] : nodes_) {
      if (node->plan().name != name) continue;
      NodeView view = make_view(node->plan(), family, after, options_);
      if (same(view, applier->view())) continue;
      applier->set_view(std::move(view), ++sequence_);
      for (auto& other : nodes_) {
        if (other.applier != applier) other.applier->skip_to(sequence_);
      }
      schedule_flush();
    }
  }

  // The configured ranges come first; objects may name them again.
  void change_range(const store::Object& before, const store::Object& after) {
    ranges_.erase(!before ? "" : before.name());
    if (after) {
      for (const json& text : store::get_array(after.tree(), "spec.cidrs")) {
        base::Result<base::Cidr> range = text.is_string() ? base::Cidr::parse(text.get<std::string>()) : base::Error();
        if (range.ok()) ranges_[after.name()].push_back(*range);
      }
    }
    ProxyOptions wanted = configured_;
    for (const auto& [name, list] : ranges_) {
      for (const base::Cidr& range : list) add_range(wanted, range);
    }
    if (wanted.more_service_cidrs == options_.more_service_cidrs) return;
    options_ = wanted;
    ++sequence_;
    for (auto& node : nodes_) node.applier->set_options(options_, sequence_);
    schedule_flush();
  }
  // A set of ranges takes none that overlaps another.
  static void add_range(ProxyOptions& options, const base::Cidr& range) {
    if (options.service_cidr.contains(range)) return;
    for (const base::Cidr& known : options.more_service_cidrs) {
      if (known.contains(range)) return;
    }
    std::erase_if(options.more_service_cidrs, [&](const base::Cidr& known) { return range.contains(known); });
    options.more_service_cidrs.push_back(range);
  }

  // Once after all events that are due, not once an event.
  void schedule_flush() {
    if (std::exchange(flush_scheduled_, true)) return;
    loop_.post([this] {
      flush_scheduled_ = false;
      for (auto& node : nodes_) node.applier->flush();
      tell_synced();
    });
  }

  ServicePlan plan(const ServiceKey& key, const NodeView& view) {
    const model::Service* service = index_.find(key);
    if (service == nullptr) return {};
    ServicePlan plan = proxy::compile_service(*service, index_.slices(key), view, options_);
    ids_.assign(key, plan);
    return plan;
  }

  void tell_synced() {
    uint64_t synced = sequence_;
    for (auto& node : nodes_) synced = std::min(synced, node.applier->synced());
    while (!waiting_.empty() && waiting_.begin()->first <= synced) {
      auto node = waiting_.extract(waiting_.begin());
      node.mapped()();
    }
  }

  ControlLoop& loop_;
  const model::ServiceIndex& index_;
  const ProxyOptions configured_;
  ProxyOptions options_;
  std::map<std::string, std::vector<base::Cidr>> ranges_;  // Of ServiceCIDR objects.
  proxy::TargetIds ids_;
  std::vector<OnNode> nodes_;
  std::multimap<uint64_t, std::function<void()>> waiting_;
  uint64_t sequence_ = 0;
  uint64_t service_changes_ = 0, endpoint_changes_ = 0;
  bool flush_scheduled_ = false;
  std::function<void()> health_changed_;
};

}  // namespace

std::unique_ptr<Proxy> make_proxy(ControlLoop& loop, ServiceFeed& services, netns::Fabric& fabric, const ProxyOptions& options) {
  return std::make_unique<ProxyImpl>(loop, services, fabric, options);
}

}  // namespace server
