#include "server/announce/announce.h"

#include <algorithm>
#include <utility>

#include "store/base/log.h"

namespace server {
namespace announce {
namespace {

// The nodes with endpoints of the service, in the family; the second: those whose endpoints only terminate.
struct Holders {
  std::set<std::string> ready, leaving;
  bool any = false;  // An endpoint, wherever.
};

Holders find_holders(const std::vector<const model::EndpointSlice*>& slices, base::Family family) {
  Holders out;
  for (const model::EndpointSlice* slice : slices) {
    if (slice->family != family) continue;
    for (const model::Endpoint& endpoint : slice->endpoints) {
      const bool leaving = !endpoint.ready && endpoint.serving && endpoint.terminating;
      out.any = out.any || endpoint.ready || leaving;
      if (endpoint.node_name.empty()) continue;
      if (endpoint.ready) out.ready.insert(endpoint.node_name);
      if (leaving) out.leaving.insert(endpoint.node_name);
    }
  }
  return out;
}

}  // namespace

Announcements compile_announcements(const model::Service& service, const std::vector<const model::EndpointSlice*>& slices,
                                    const std::vector<std::string>& nodes) {
  Announcements out;
  if (nodes.empty() || !service.proxied || service.headless || service.type == model::ServiceType::kExternalName) return out;
  std::set<base::Ip> addresses(service.load_balancer_ips.begin(), service.load_balancer_ips.end());
  addresses.insert(service.external_ips.begin(), service.external_ips.end());
  for (const base::Ip& ip : addresses) {
    // Addresses are spread over the nodes by their last byte.
    const std::set<std::string> one = {nodes[ip.bytes()[ip.size() - 1] % nodes.size()]};
    const Holders holders = find_holders(slices, ip.family());
    if (!service.external_local || !holders.any) {
      out[ip] = one;
    } else {
      out[ip] = holders.ready.empty() ? holders.leaving : holders.ready;
    }
  }
  return out;
}

}  // namespace announce

namespace {

using model::ServiceKey;

class AnnouncerImpl final : public Announcer {
 public:
  AnnouncerImpl(ControlLoop& loop, ServiceFeed& services, netns::Fabric& fabric) : loop_(loop), index_(services.index()), fabric_(fabric), alive_(std::make_shared<bool>(true)) {
    for (const netns::NodePlan& node : fabric.plan().nodes) {
      names_.push_back(node.name);
      for (size_t i = 0; i < fabric.plan().families(); ++i) {
        addresses_[node.name].push_back(node.address_of(i));
        taken_.insert(node.address_of(i));
      }
    }
    for (size_t i = 0; i < fabric.plan().families(); ++i) taken_.insert({fabric.plan().family(i).gateway, fabric.plan().family(i).client_address});
    services.on_change([this](const std::set<ServiceKey>& keys) { changed(keys); });
  }
  ~AnnouncerImpl() override { *alive_ = false; }

  void when_synced(std::function<void()> done) override {
    if (!busy_ && !scheduled_) {
      done();
    } else {
      waiting_.push_back(std::move(done));
    }
  }

 private:
  // Most changes concern no address of these: nothing happens then.
  void changed(const std::set<ServiceKey>& keys) {
    for (const ServiceKey& key : keys) {
      const model::Service* service = index_.find(key);
      announce::Announcements now;
      if (service != nullptr) now = announce::compile_announcements(*service, index_.slices(key), names_);
      auto known = announced_.find(key);
      if (known == announced_.end() ? now.empty() : known->second == now) continue;
      if (now.empty()) {
        announced_.erase(key);
      } else {
        announced_[key] = std::move(now);
      }
      schedule();
    }
  }

  void schedule() {
    if (std::exchange(scheduled_, true)) return;
    loop_.post([this, alive = alive_] {
      if (*alive && !busy_) apply();
    });
  }

  void apply() {
    scheduled_ = false;
    busy_ = true;
    fabric_.set_outside_routes(compile_routes(), [this, loop = &loop_, alive = alive_](const base::Status& status) {
      loop->post([this, alive, status] {
        if (*alive) finished(status);
      });
    });
  }

  netns::Fabric::OutsideRoutes compile_routes() const {
    std::map<base::Ip, std::set<std::string>> merged;
    for (const auto& [key, list] : announced_) {
      for (const auto& [ip, nodes] : list) merged[ip].insert(nodes.begin(), nodes.end());
    }
    netns::Fabric::OutsideRoutes out;
    for (const auto& [ip, nodes] : merged) {
      if (taken_.contains(ip)) continue;  // A node's own address needs no way.
      for (const std::string& name : nodes) {
        auto node = addresses_.find(name);
        if (node == addresses_.end()) continue;
        for (const base::Ip& via : node->second) {
          if (via.family() == ip.family()) out[ip].push_back(via);
        }
      }
    }
    return out;
  }

  void finished(const base::Status& status) {
    busy_ = false;
    if (!status.ok()) base::log::error("cannot route to load balancer addresses: {}", status.error().message);
    if (scheduled_) {
      apply();
      return;
    }
    for (auto& done : std::exchange(waiting_, {})) done();
  }

  ControlLoop& loop_;
  const model::ServiceIndex& index_;
  netns::Fabric& fabric_;
  std::vector<std::string> names_;
  std::map<std::string, std::vector<base::Ip>> addresses_;
  std::set<base::Ip> taken_;
  std::map<ServiceKey, announce::Announcements> announced_;
  std::vector<std::function<void()>> waiting_;
  bool scheduled_ = false;
  bool busy_ = false;
  std::shared_ptr<bool> alive_;  // Control thread only.
};

}  // namespace

std::unique_ptr<Announcer> make_announcer(ControlLoop& loop, ServiceFeed& services, netns::Fabric& fabric) {
  return std::make_unique<AnnouncerImpl>(loop, services, fabric);
}

}  // namespace server
