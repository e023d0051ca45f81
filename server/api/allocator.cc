#include "server/api/allocator.h"

#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr int kFirstPort = 30000;
constexpr int kLastPort = 32767;

std::string holder_of(const json& service) {
  return store::get_string(service, "metadata.namespace") + "/" + store::get_string(service, "metadata.name");
}

bool wants_ip(const json& service) {
  return store::get_string(service, "spec.type", "ClusterIP") != "ExternalName" && store::get_string(service, "spec.clusterIP") != "None";
}

bool wants_ports(const json& service) {
  std::string type = store::get_string(service, "spec.type", "ClusterIP");
  return type == "NodePort" || (type == "LoadBalancer" && store::get_bool(service, "spec.allocateLoadBalancerNodePorts", true));
}

bool may_have_ports(const json& service) {
  std::string type = store::get_string(service, "spec.type", "ClusterIP");
  return type == "NodePort" || type == "LoadBalancer";
}

std::set<base::Ip> ips_of(const json& service) {
  std::set<base::Ip> out;
  if (!service.is_object() || !wants_ip(service)) return out;
  auto add = [&](const std::string& text) {
    if (auto ip = base::Ip::parse(text); ip.ok()) out.insert(*ip);
  };
  add(store::get_string(service, "spec.clusterIP"));
  for (const json& ip : store::get_array(service, "spec.clusterIPs")) add(ip.is_string() ? ip.get<std::string>() : "");
  return out;
}

std::set<int> ports_of(const json& service) {
  std::set<int> out;
  if (!service.is_object() || !may_have_ports(service)) return out;
  for (const json& port : store::get_array(service, "spec.ports")) {
    if (int64_t n = store::get_int(port, "nodePort")) out.insert(static_cast<int>(n));
  }
  if (int64_t n = store::get_int(service, "spec.healthCheckNodePort")) out.insert(static_cast<int>(n));
  return out;
}

uint64_t cidr_size(const base::Cidr& cidr) {
  int bits = (cidr.address().is_v4() ? 32 : 128) - cidr.prefix_length();
  return bits >= 20 ? (uint64_t{1} << 20) : (uint64_t{1} << bits);  // Enough; bounds the search.
}

base::Cause ip_cause(const std::string& ip, const std::string& why) {
  return {"FieldValueInvalid", "Invalid value: []string{\"" + ip + "\"}: failed to allocate IP " + ip + ": " + why, "spec.clusterIPs"};
}

base::Error with_causes(std::vector<base::Cause> causes) {
  base::Error e(base::Code::kInvalid, "");
  e.causes = std::move(causes);
  return e;
}

// Values that the server allocated earlier are kept when an update leaves them out (as a client does that
// applies its original manifest with PUT).
void carry_over(const json& old, json& service) {
  if (!old.is_object()) return;
  if (wants_ip(old) && wants_ip(service) && store::get_string(service, "spec.clusterIP").empty()) {
    for (const char* key : {"spec.clusterIP", "spec.clusterIPs"}) {
      if (const json* value = store::find(old, key)) store::set(service, key, *value);
    }
  }
  // Fields that a new type does not have go with the old type, unless the client says otherwise.
  auto drop_unchanged = [&](const char* path, bool needed) {
    const json *has = store::find(service, path), *had = store::find(old, path);
    if (!needed && has && had && *has == *had) store::erase(service, path);
  };
  const bool balanced = store::get_string(service, "spec.type") == "LoadBalancer";
  drop_unchanged("spec.externalTrafficPolicy", may_have_ports(service));
  drop_unchanged("spec.healthCheckNodePort", balanced && store::get_string(service, "spec.externalTrafficPolicy") == "Local");
  drop_unchanged("spec.allocateLoadBalancerNodePorts", balanced);
  drop_unchanged("spec.loadBalancerClass", balanced);
  json& ports = store::ensure(service, "spec.ports");
  if (!ports.is_array()) return;
  for (json& port : ports) {
    for (const json& before : store::get_array(old, "spec.ports")) {
      bool same = store::get_int(port, "port") == store::get_int(before, "port") &&
                  store::get_string(port, "protocol", "TCP") == store::get_string(before, "protocol", "TCP");
      if (!same) continue;
      int64_t had = store::get_int(before, "nodePort"), has = store::get_int(port, "nodePort");
      if (wants_ports(service) && wants_ports(old) && has == 0 && had != 0) port["nodePort"] = had;
      if (!may_have_ports(service) && has != 0 && has == had) store::erase(port, "nodePort");
    }
  }
}

}  // namespace

struct ServiceAllocator::Plan {
  std::string holder;
  std::vector<base::Ip> ips;    // Newly taken.
  std::vector<int> ports;
};

ServiceAllocator::Reservation& ServiceAllocator::Reservation::operator=(Reservation&& other) noexcept {
  undo();
  owner_ = std::move(other.owner_);
  ips_ = std::move(other.ips_);
  stale_ips_ = std::move(other.stale_ips_);
  ports_ = std::move(other.ports_);
  stale_ports_ = std::move(other.stale_ports_);
  holder_ = std::move(other.holder_);
  return *this;
}

void ServiceAllocator::Reservation::undo() {
  if (!owner_) return;
  std::lock_guard lock(owner_->mutex_);
  for (const base::Ip& ip : ips_) owner_->ips_.erase(ip);
  for (int port : ports_) owner_->ports_.erase(port);
  owner_.release();
}

void ServiceAllocator::Reservation::keep() {
  if (!owner_) return;
  std::lock_guard lock(owner_->mutex_);
  for (const base::Ip& ip : stale_ips_) {
    if (auto it = owner_->ips_.find(ip); it != owner_->ips_.end() && it->second == holder_) owner_->ips_.erase(it);
  }
  for (int port : stale_ports_) {
    if (auto it = owner_->ports_.find(port); it != owner_->ports_.end() && it->second == holder_) owner_->ports_.erase(it);
  }
  owner_.release();
}

base::Status ServiceAllocator::load(const store::Store& store) {
  store::ListQuery query;
  query.resource = "services";
  auto page = TRY(store.list(query));
  std::lock_guard lock(mutex_);
  for (const store::Object& service : page.items) {
    std::string holder = holder_of(service.tree());
    for (const base::Ip& ip : ips_of(service.tree())) ips_[ip] = holder;
    for (int port : ports_of(service.tree())) ports_[port] = holder;
  }
  return {};
}

// Goes round the range, so that a deleted Service's address is not met again at once.
std::optional<base::Ip> ServiceAllocator::free_ip() {
  const uint64_t size = cidr_size(cidr_);
  if (size < 4) return std::nullopt;
  for (uint64_t i = 0; i < size - 2; ++i) {
    uint64_t offset = 1 + (next_ip_ + i) % (size - 2);  // Neither the network's nor the broadcast address.
    base::Ip ip = cidr_.address().plus(offset);
    if (ips_.count(ip) || reserved_.count(ip)) continue;
    next_ip_ = offset;
    return ip;
  }
  return std::nullopt;
}

std::optional<int> ServiceAllocator::free_port() {
  const int size = kLastPort - kFirstPort + 1;
  for (int i = 0; i < size; ++i) {
    int port = kFirstPort + (next_port_ + i) % size;
    if (ports_.count(port)) continue;
    next_port_ = port - kFirstPort + 1;
    return port;
  }
  return std::nullopt;
}

base::Status ServiceAllocator::plan_ips(const json& old, json& service, Plan* plan) {
  if (store::get_string(service, "spec.type", "ClusterIP") == "ExternalName") {
    // Moving to ExternalName gives the address up.
    if (old.is_object() && store::get_string(service, "spec.clusterIP") == store::get_string(old, "spec.clusterIP")) {
      for (const char* key : {"spec.clusterIP", "spec.clusterIPs", "spec.ipFamilies", "spec.ipFamilyPolicy"}) store::erase(service, key);
    }
    return {};
  }
  if (const json* list = store::find(service, "spec.clusterIPs"); list && list->is_array() && !list->empty() && (*list)[0].is_string()) {
    if (store::get_string(service, "spec.clusterIP").empty()) store::set(service, "spec.clusterIP", (*list)[0]);
  }
  std::string wanted = store::get_string(service, "spec.clusterIP");
  if (old.is_object()) {
    std::string had = store::get_string(old, "spec.clusterIP");
    if (!had.empty() && had != wanted && store::get_string(old, "spec.type") != "ExternalName") {
      return with_causes({{"FieldValueInvalid", "Invalid value: [\"" + wanted + "\"]: may not change once set", "spec.clusterIPs[0]"}});
    }
  }
  if (!store::find(service, "spec.ipFamilyPolicy")) store::set(service, "spec.ipFamilyPolicy", "SingleStack");
  if (wanted.empty()) {
    auto ip = free_ip();
    if (!ip) return internal("failed to allocate a serviceIP: range is full");
    ips_[*ip] = plan->holder;
    plan->ips.push_back(*ip);
    wanted = ip->text();
  } else if (wanted != "None") {
    auto ip = base::Ip::parse(wanted);
    if (!ip.ok()) return with_causes({ip_cause(wanted, "must be a valid IP address")});
    auto it = ips_.find(*ip);
    if (it != ips_.end() && it->second != plan->holder) return with_causes({ip_cause(wanted, "provided IP is already allocated")});
    if (it == ips_.end()) {
      if (!cidr_.contains(*ip)) {
        return with_causes({ip_cause(wanted, "the provided IP (" + wanted + ") is not in the valid range. The range of valid IPs is " + cidr_.text())});
      }
      ips_[*ip] = plan->holder;
      plan->ips.push_back(*ip);
    }
  }
  store::set(service, "spec.clusterIP", wanted);
  store::set(service, "spec.clusterIPs", json::array({wanted}));
  if (!store::find(service, "spec.ipFamilies")) {
    auto ip = base::Ip::parse(wanted);
    bool v6 = ip.ok() ? !ip->is_v4() : !cidr_.address().is_v4();
    store::set(service, "spec.ipFamilies", json::array({v6 ? "IPv6" : "IPv4"}));
  }
  return {};
}

base::Status ServiceAllocator::take_port(int port, const std::string& field, Plan* plan) {
  auto it = ports_.find(port);
  // One Service may use a port number for TCP and for UDP.
  if (it != ports_.end() && it->second == plan->holder) return {};
  if (it != ports_.end()) return with_causes({cause_invalid(field, port, "provided port is already allocated")});
  if (port < kFirstPort || port > kLastPort) {
    return with_causes({cause_invalid(field, port, "provided port is not in the valid range. The range of valid ports is " + std::to_string(kFirstPort) +
                                                       "-" + std::to_string(kLastPort))});
  }
  ports_[port] = plan->holder;
  plan->ports.push_back(port);
  return {};
}

base::Status ServiceAllocator::plan_ports(const json&, json& service, Plan* plan) {
  if (!may_have_ports(service)) return {};
  json& ports = store::ensure(service, "spec.ports");
  if (!ports.is_array()) return {};
  for (size_t i = 0; i < ports.size(); ++i) {
    if (int64_t wanted = store::get_int(ports[i], "nodePort")) {
      TRY_STATUS(take_port(static_cast<int>(wanted), "spec.ports[" + std::to_string(i) + "].nodePort", plan));
    }
  }
  for (json& port : ports) {
    if (!port.is_object() || store::get_int(port, "nodePort") != 0 || !wants_ports(service)) continue;
    auto free = free_port();
    if (!free) return internal("failed to allocate a nodePort: range is full");
    TRY_STATUS(take_port(*free, "spec.ports.nodePort", plan));
    port["nodePort"] = *free;
  }
  bool needs_health = store::get_string(service, "spec.type") == "LoadBalancer" && store::get_string(service, "spec.externalTrafficPolicy") == "Local";
  if (!needs_health) return {};
  int64_t health = store::get_int(service, "spec.healthCheckNodePort");
  if (health == 0) {
    auto free = free_port();
    if (!free) return internal("failed to allocate a nodePort: range is full");
    health = *free;
    store::set(service, "spec.healthCheckNodePort", health);
  }
  return take_port(static_cast<int>(health), "spec.healthCheckNodePort", plan);
}

base::Result<ServiceAllocator::Reservation> ServiceAllocator::allocate(const json& old, json& service, const store::Resource& r) {
  carry_over(old, service);
  Plan plan;
  plan.holder = holder_of(service);
  std::lock_guard lock(mutex_);
  base::Status done = plan_ips(old, service, &plan);
  if (done.ok()) done = plan_ports(old, service, &plan);
  if (!done.ok()) {
    for (const base::Ip& ip : plan.ips) ips_.erase(ip);
    for (int port : plan.ports) ports_.erase(port);
    base::Error error = std::move(done).error();
    if (error.code != base::Code::kInvalid) return error;
    return invalid(r, store::get_string(service, "metadata.name"), std::move(error.causes));
  }
  Reservation out;
  out.owner_.reset(this);
  out.holder_ = plan.holder;
  out.ips_ = std::move(plan.ips);
  out.ports_ = std::move(plan.ports);
  std::set<base::Ip> ips = ips_of(service);
  std::set<int> ports = ports_of(service);
  for (const base::Ip& ip : ips_of(old)) {
    if (!ips.count(ip)) out.stale_ips_.push_back(ip);
  }
  for (int port : ports_of(old)) {
    if (!ports.count(port)) out.stale_ports_.push_back(port);
  }
  return out;
}

void ServiceAllocator::release(const json& service) {
  std::string holder = holder_of(service);
  std::lock_guard lock(mutex_);
  for (const base::Ip& ip : ips_of(service)) {
    if (auto it = ips_.find(ip); it != ips_.end() && it->second == holder) ips_.erase(it);
  }
  for (int port : ports_of(service)) {
    if (auto it = ports_.find(port); it != ports_.end() && it->second == holder) ports_.erase(it);
  }
}

}  // namespace server
