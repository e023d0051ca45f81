#include "server/controllers/load_balancer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "server/model/service.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace server {
namespace {

using store::get_array;
using store::get_object;
using store::get_string;

constexpr const char* kFinalizer = "service.kubernetes.io/load-balancer-cleanup";
constexpr const char* kClass = "kubelan";
constexpr const char* kAddressAnnotation = "kubelan.dev/load-balancer-ip";

bool is_ours(const json& service) {
  const std::string of = get_string(service, "spec.loadBalancerClass");
  return get_string(service, "spec.type") == "LoadBalancer" && (of.empty() || of == kClass);
}
bool has_finalizer(const json& service) {
  const json& all = get_array(service, "metadata.finalizers");
  return std::find(all.begin(), all.end(), kFinalizer) != all.end();
}
std::vector<base::Ip> status_addresses(const json& service) {
  std::vector<base::Ip> out;
  for (const json& ingress : get_array(service, "status.loadBalancer.ingress")) {
    base::Result<base::Ip> ip = base::Ip::parse(get_string(ingress, "ip"));
    if (ip.ok()) out.push_back(*ip);
  }
  return out;
}

class LoadBalancerController final : public Controller {
 public:
  LoadBalancerController(ControlLoop& loop, std::vector<base::Cidr> pools)
      : loop_(loop),
        pools_(std::move(pools)),
        events_(loop, "service-controller"),
        queue_(loop.make_queue("load-balancer", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change("services", [this](const store::Object& before, const store::Object& after) {
      const store::Object& service = after ? after : before;
      if (!after) {
        failed_.erase(service.key());
        release(service.key(), {});
      } else if (is_ours(after.tree())) {
        for (const base::Ip& ip : status_addresses(after.tree())) owners_.emplace(ip, after.key());
      }
      if (after && (is_ours(after.tree()) || has_finalizer(after.tree()))) queue_.add(after.key());
    });
  }

 private:
  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* service = loop_.cache("services").find(key.ns, key.name);
    if (service == nullptr) return Requeue{};
    const bool going = store::find(service->tree(), "metadata.deletionTimestamp") != nullptr;
    if (going || !is_ours(service->tree())) return give_up(*service);
    if (!has_finalizer(service->tree())) {
      json tree = service->tree();
      tree["metadata"]["finalizers"].push_back(kFinalizer);
      TRY(update_object(loop_.client(), "services", std::move(tree)));
      return Requeue{};  // The change brings us back.
    }
    return provide(*service);
  }

  base::Result<Requeue> provide(const store::Object& service) {
    json ingress = json::array();
    std::set<base::Ip> kept;
    for (base::Family family : model::service_families(service.tree())) {
      base::Result<base::Ip> ip = choose(service, family);
      if (!ip.ok()) {
        if (failed_[service.key()] != ip.error().message) events_.warning(make_ref(service), "AllocationFailed", ip.error().message);
        failed_[service.key()] = ip.error().message;
        continue;
      }
      failed_.erase(service.key());
      kept.insert(*ip);
      owners_[*ip] = service.key();
      ingress.push_back({{"ip", ip->text()}, {"ipMode", "VIP"}});
    }
    release(service.key(), kept);
    if (get_array(service.tree(), "status.loadBalancer.ingress") == ingress) return Requeue{};
    events_.normal(make_ref(service), "EnsuringLoadBalancer", "Ensuring load balancer");
    TRY_STATUS(write_ingress(service, ingress));
    if (!ingress.empty()) events_.normal(make_ref(service), "EnsuredLoadBalancer", "Ensured load balancer");
    return Requeue{};
  }

  // The status first: once the finalizer is gone the Service may be, too. What another class wrote is not ours to clear.
  base::Result<Requeue> give_up(const store::Object& service) {
    if (!has_finalizer(service.tree())) return Requeue{};
    const bool other_class = get_string(service.tree(), "spec.type") == "LoadBalancer" && !is_ours(service.tree());
    if (!other_class && !get_array(service.tree(), "status.loadBalancer.ingress").empty()) {
      TRY_STATUS(write_ingress(service, json::array()));
      return Requeue{};
    }
    failed_.erase(service.key());
    release(service.key(), {});
    json tree = service.tree();
    json left = json::array();
    for (const json& finalizer : get_array(service.tree(), "metadata.finalizers")) {
      if (finalizer != kFinalizer) left.push_back(finalizer);
    }
    tree["metadata"]["finalizers"] = std::move(left);
    base::Result<store::Object> written = update_object(loop_.client(), "services", std::move(tree));
    if (!written.ok() && written.error().code != base::Code::kNotFound) return std::move(written).error();
    return Requeue{};
  }

  base::Status write_ingress(const store::Object& service, const json& ingress) {
    json status = get_object(service.tree(), "status");
    status["loadBalancer"] = ingress.empty() ? json::object() : json{{"ingress", ingress}};
    TRY(write_status(loop_.client(), service, std::move(status)));
    return {};
  }

  // The wanted one, else the one it has, else the first free one.
  base::Result<base::Ip> choose(const store::Object& service, base::Family family) const {
    const base::Cidr* pool = nullptr;
    for (const base::Cidr& candidate : pools_) {
      if (candidate.address().family() == family) pool = &candidate;
    }
    if (pool == nullptr) return base::Error(base::Code::kInvalid, "there is no load balancer pool of this address family");
    auto is_free = [&](const base::Ip& ip) {
      auto owner = owners_.find(ip);
      return owner == owners_.end() || owner->second == service.key();
    };
    for (const std::string& text : wanted_addresses(service.tree())) {
      base::Result<base::Ip> wanted = base::Ip::parse(text);
      if (!wanted.ok()) return base::Error(base::Code::kInvalid, "\"" + text + "\" is not an IP address");
      if (wanted->family() == family) {
        if (!pool->contains(*wanted)) return base::Error(base::Code::kInvalid, text + " is not in the load balancer pool " + pool->text());
        if (is_free(*wanted)) return *wanted;
        return base::Error(base::Code::kConflict, text + " belongs to Service " + owners_.at(*wanted).ns + "/" + owners_.at(*wanted).name + " already");
      }
    }
    for (const auto& [ip, owner] : owners_) {
      if (owner == service.key() && pool->contains(ip)) return ip;
    }
    constexpr uint64_t kMost = 65536;
    for (uint64_t i = 1; i < kMost; ++i) {
      const base::Ip ip = pool->address().plus(i);
      if (!pool->contains(ip) || !pool->contains(ip.plus(1))) break;  // The last address is a broadcast address.
      if (is_free(ip)) return ip;
    }
    return base::Error(base::Code::kConflict, "the load balancer pool " + pool->text() + " has no free address left");
  }

  // One, or one of each family with a comma between them.
  static std::vector<std::string> wanted_addresses(const json& service) {
    std::string text = get_string(service, "spec.loadBalancerIP");
    const std::string* annotation = store::find_annotation(service, kAddressAnnotation);
    if (text.empty() && annotation != nullptr) text = *annotation;
    return base::split_by_comma(text);
  }

  void release(const store::Key& service, const std::set<base::Ip>& kept) {
    const size_t freed = std::erase_if(owners_, [&](const auto& entry) { return entry.second == service && !kept.contains(entry.first); });
    if (freed == 0) return;
    for (const auto& [waiting, why] : failed_) queue_.add(waiting);  // One of them may have wanted it.
  }

  ControlLoop& loop_;
  const std::vector<base::Cidr> pools_;
  EventRecorder events_;
  std::map<base::Ip, store::Key> owners_;
  std::map<store::Key, std::string> failed_;  // Without an address, and why.
  WorkQueue& queue_;
};

}  // namespace

std::unique_ptr<Controller> make_load_balancer_controller(ControlLoop& loop, std::vector<base::Cidr> pools) {
  return std::make_unique<LoadBalancerController>(loop, std::move(pools));
}

}  // namespace server
