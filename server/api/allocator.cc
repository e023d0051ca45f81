#include "server/api/allocator.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "server/api/service_fields.h"
#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

// The uid, not the name: a Service that is being deleted and its successor of the same name are two.
std::string holder_of(const json& service) { return store::get_string(service, "metadata.uid"); }

base::Error with_cause(base::Cause cause) {
  base::Error e(base::Code::kInvalid, "");
  e.causes.push_back(std::move(cause));
  return e;
}

bool is_headless(const json& service) {
  const json& ips = store::get_array(service, "spec.clusterIPs");
  return !ips.empty() && ips[0] == "None";
}

// What `before` has and `after` has not.
template <class T>
std::vector<T> without(const std::set<T>& before, const std::set<T>& after) {
  std::vector<T> out;
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(), std::back_inserter(out));
  return out;
}

std::string port_field(size_t index) { return "spec.ports[" + std::to_string(index) + "].nodePort"; }

}  // namespace

struct ServiceAllocator::Plan {
  std::string holder;
  std::vector<base::Ip> ips;  // Newly taken.
  std::vector<int> ports;
};

ServiceAllocator::ServiceAllocator(const std::vector<base::Cidr>& cidrs, const std::vector<base::Ip>& reserved) : addresses_(reserved) {
  for (const base::Cidr& cidr : cidrs) families_.push_back(cidr.address().family());
  addresses_.set_ranges(kDefaultRange, cidrs, true);
}

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
  for (const base::Ip& ip : ips_) owner_->addresses_.release(ip, holder_);
  for (int port : ports_) owner_->ports_.release(port, holder_);
  owner_.release();
}

void ServiceAllocator::Reservation::keep() {
  if (!owner_) return;
  std::lock_guard lock(owner_->mutex_);
  for (const base::Ip& ip : stale_ips_) owner_->addresses_.release(ip, holder_);
  for (int port : stale_ports_) owner_->ports_.release(port, holder_);
  owner_.release();
}

base::Status ServiceAllocator::load(const store::Store& store) {
  store::ListQuery query;
  query.resource = "services";
  auto page = TRY(store.list(query));
  std::lock_guard lock(mutex_);
  for (const store::Object& service : page.items) {
    const std::string holder = holder_of(service.tree());
    for (const base::Ip& ip : service_ips(service.tree())) addresses_.restore(ip, holder);
    for (int port : service_node_ports(service.tree())) ports_.restore(port, holder);
  }
  return {};
}

// Fills clusterIPs from `first` on, one a family; those that are named are taken as they are.
base::Status ServiceAllocator::take_missing_ips(json& service, size_t first, Plan* plan) {
  const json families = store::get_array(service, "spec.ipFamilies");
  json list = store::get_array(service, "spec.clusterIPs");
  const json asked = list;
  for (size_t i = first; i < families.size(); ++i) {
    const std::string text = i < list.size() && list[i].is_string() ? list[i].get<std::string>() : "";
    if (text.empty()) {
      auto ip = addresses_.take_next(families[i] == "IPv4" ? base::Family::kIpv4 : base::Family::kIpv6, plan->holder);
      if (!ip) return internal("failed to allocate a serviceIP: range is full");
      plan->ips.push_back(*ip);
      if (i < list.size()) list[i] = ip->text();
      else list.push_back(ip->text());
      continue;
    }
    auto ip = base::Ip::parse(text);
    if (!ip.ok()) continue;  // init_families refused it.
    if (auto problem = addresses_.take(*ip, plan->holder)) {
      return with_cause(cause_invalid("spec.clusterIPs", asked, "failed to allocate IP " + text + ": " + *problem));
    }
    plan->ips.push_back(*ip);
  }
  if (list.empty()) return {};
  store::set(service, "spec.clusterIP", list[0]);
  store::set(service, "spec.clusterIPs", std::move(list));
  return {};
}

base::Status ServiceAllocator::plan_ips(const json& old, json& service, Plan* plan) {
  if (!service_has_addresses(service) || is_headless(service)) return {};
  if (!old.is_object() || !service_has_addresses(old)) return take_missing_ips(service, 0, plan);
  if (is_headless(old)) return {};
  // A second family was added. One that was taken away is released when the write is kept.
  const bool added = store::get_array(old, "spec.ipFamilies").size() == 1 && store::get_array(service, "spec.ipFamilies").size() == 2;
  return added ? take_missing_ips(service, 1, plan) : base::Status();
}

base::Status ServiceAllocator::take_port(int64_t port, size_t index, Plan* plan) {
  if (auto problem = ports_.take(port, plan->holder)) return with_cause(cause_invalid(port_field(index), port, *problem));
  plan->ports.push_back(static_cast<int>(port));
  return {};
}

base::Result<int> ServiceAllocator::next_port(Plan* plan) {
  auto port = ports_.take_next(plan->holder);
  if (!port) return internal("failed to allocate a nodePort: range is full");
  plan->ports.push_back(*port);
  return *port;
}

// One port number for several protocols (DNS) has one node port.
base::Status ServiceAllocator::create_ports(json& ports, bool allocate, Plan* plan) {
  std::map<int64_t, int64_t> given;  // port -> nodePort
  auto asked_for = [&](int64_t number) -> int64_t {
    for (const json& port : ports) {
      if (int64_t wanted = store::get_int(port, "nodePort"); wanted != 0 && store::get_int(port, "port") == number) return wanted;
    }
    return 0;
  };
  for (size_t i = 0; i < ports.size(); ++i) {
    if (!ports[i].is_object()) continue;
    const int64_t number = store::get_int(ports[i], "port"), wanted = store::get_int(ports[i], "nodePort");
    if (wanted == 0 && !allocate) continue;
    int64_t& node_port = given[number];
    if (node_port == 0) {
      node_port = asked_for(number);
      if (node_port == 0) {
        node_port = TRY(next_port(plan));
      } else {
        TRY_STATUS(take_port(node_port, i, plan));
      }
      ports[i]["nodePort"] = node_port;
    } else if (wanted == 0) {
      ports[i]["nodePort"] = node_port;
    } else if (wanted != node_port) {
      TRY_STATUS(take_port(wanted, i, plan));
    }
  }
  return {};
}

base::Status ServiceAllocator::update_ports(const json& old, json& ports, bool allocate, Plan* plan) {
  std::set<int64_t> had, taken;
  if (service_has_node_ports(old)) {
    for (const json& port : store::get_array(old, "spec.ports")) had.insert(store::get_int(port, "nodePort"));
  }
  std::set<std::pair<std::string, int64_t>> seen;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (!ports[i].is_object()) continue;
    int64_t node_port = store::get_int(ports[i], "nodePort");
    if (node_port == 0 && !allocate) continue;
    if (node_port == 0) {
      node_port = TRY(next_port(plan));
      ports[i]["nodePort"] = node_port;
    } else if (!had.count(node_port) && taken.insert(node_port).second) {
      TRY_STATUS(take_port(node_port, i, plan));
    }
    const std::string protocol = store::get_string(ports[i], "protocol", "TCP");
    if (!seen.emplace(protocol, node_port).second) {
      return base::Error(base::Code::kInternal, "duplicate nodePort: {" + protocol + " " + std::to_string(node_port) + "}");
    }
  }
  return {};
}

base::Status ServiceAllocator::take_health_port(json& service, Plan* plan) {
  const int64_t wanted = store::get_int(service, "spec.healthCheckNodePort");
  if (wanted == 0) {
    auto port = ports_.take_next(plan->holder);
    if (!port) return internal("failed to allocate a HealthCheck NodePort 0: range is full");
    plan->ports.push_back(*port);
    store::set(service, "spec.healthCheckNodePort", *port);
    return {};
  }
  if (auto problem = ports_.take(wanted, plan->holder)) {
    return internal("failed to allocate requested HealthCheck NodePort " + std::to_string(wanted) + ": " + *problem);
  }
  plan->ports.push_back(static_cast<int>(wanted));
  return {};
}

base::Status ServiceAllocator::plan_ports(const json& old, json& service, Plan* plan) {
  if (service_has_node_ports(service) && !store::get_array(service, "spec.ports").empty()) {
    json& ports = service["spec"]["ports"];
    const bool allocate = service_allocates_node_ports(service);
    base::Status done = old.is_object() ? update_ports(old, ports, allocate, plan) : create_ports(ports, allocate, plan);
    if (!done.ok()) return done;
  }
  const bool needed = old.is_object() && service_needs_health_port(old);
  if (service_needs_health_port(service) && !needed) return take_health_port(service, plan);
  return {};
}

void ServiceAllocator::give_back(const Plan& plan) {
  for (const base::Ip& ip : plan.ips) addresses_.release(ip, plan.holder);
  for (int port : plan.ports) ports_.release(port, plan.holder);
}

base::Result<ServiceAllocator::Reservation> ServiceAllocator::allocate(const json& old, json& service, const store::Resource& r) {
  auto refused = [&](base::Error error) {
    if (error.code != base::Code::kInvalid) return error;
    return invalid(r, store::get_string(service, "metadata.name"), std::move(error.causes));
  };
  if (old.is_object()) keep_allocated(old, service);
  normalize_cluster_ips(old, service);
  if (base::Status done = init_families(families_, old, service); !done.ok()) return refused(std::move(done).error());
  Plan plan;
  plan.holder = holder_of(service);
  std::lock_guard lock(mutex_);
  base::Status done = plan_ips(old, service, &plan);
  if (done.ok()) done = plan_ports(old, service, &plan);
  if (!done.ok()) {
    give_back(plan);
    return refused(std::move(done).error());
  }
  drop_inapplicable(old, service);
  Reservation out;
  out.owner_.reset(this);
  out.holder_ = plan.holder;
  out.ips_ = std::move(plan.ips);
  out.ports_ = std::move(plan.ports);
  out.stale_ips_ = without(service_ips(old), service_ips(service));
  out.stale_ports_ = without(service_node_ports(old), service_node_ports(service));
  return out;
}

void ServiceAllocator::release(const json& service) {
  const std::string holder = holder_of(service);
  std::lock_guard lock(mutex_);
  for (const base::Ip& ip : service_ips(service)) addresses_.release(ip, holder);
  for (int port : service_node_ports(service)) ports_.release(port, holder);
}

void ServiceAllocator::set_ranges(const std::string& name, const std::vector<base::Cidr>& cidrs, bool ready) {
  std::lock_guard lock(mutex_);
  addresses_.set_ranges(name, cidrs, ready);
}
void ServiceAllocator::remove_ranges(const std::string& name) {
  std::lock_guard lock(mutex_);
  addresses_.remove_ranges(name);
}
std::vector<std::string> ServiceAllocator::closing_ranges() const {
  std::lock_guard lock(mutex_);
  return addresses_.closing();
}
bool ServiceAllocator::range_in_use(const std::string& name) const {
  std::lock_guard lock(mutex_);
  return addresses_.in_use(name);
}
bool ServiceAllocator::hold(const base::Ip& ip, const std::string& holder) {
  std::lock_guard lock(mutex_);
  if (addresses_.holder_of(ip)) return false;
  addresses_.restore(ip, holder);
  return true;
}
void ServiceAllocator::let_go(const base::Ip& ip, const std::string& holder) {
  std::lock_guard lock(mutex_);
  addresses_.release(ip, holder);
}

}  // namespace server
