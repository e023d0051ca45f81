#include "server/api/address_objects.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "server/api/meta.h"
#include "server/api/service_fields.h"
#include "server/api/status.h"
#include "store/base/log.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr std::string_view kAddresses = "ipaddresses.networking.k8s.io";
constexpr std::string_view kRanges = "servicecidrs.networking.k8s.io";
constexpr const char* kFinalizer = "networking.k8s.io/service-cidr-finalizer";
constexpr const char* kManagedBy = "ipaddress.kubernetes.io/managed-by";
constexpr const char* kAllocator = "ipallocator.k8s.io";
constexpr int kAttempts = 64;  // Somebody else wrote in between.

bool is_ours(const json& address) {
  const std::string* by = store::find_label(address, kManagedBy);
  return by && *by == kAllocator;
}

std::string client_holder(const json& address) { return "ipaddress/" + store::get_string(address, "metadata.uid"); }

std::vector<base::Cidr> cidrs_of(const json& range) {
  std::vector<base::Cidr> out;
  for (const json& text : store::get_array(range, "spec.cidrs")) {
    if (!text.is_string()) continue;
    if (auto cidr = base::Cidr::parse(text.get_ref<const std::string&>()); cidr.ok()) out.push_back(*cidr);
  }
  return out;
}

void set_ready(json& range, bool ready, base::WallTime now) {
  json condition = {{"type", "Ready"}, {"status", ready ? "True" : "False"}, {"lastTransitionTime", base::render_rfc3339(now)}};
  condition["reason"] = ready ? "" : "Terminating";
  condition["message"] = ready ? "Kubernetes Service CIDR is ready"
                               : "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";
  store::set(range, "status.conditions", json::array({std::move(condition)}));
}

bool drop_finalizer(json& range) {
  json kept = json::array();
  const json& finalizers = store::get_array(range, "metadata.finalizers");
  for (const json& f : finalizers) {
    if (f != kFinalizer) kept.push_back(f);
  }
  const bool dropped = kept.size() != finalizers.size();
  if (kept.empty()) store::erase(range, "metadata.finalizers");
  else store::set(range, "metadata.finalizers", std::move(kept));
  return dropped;
}

store::Key address_key(const base::Ip& ip) { return {std::string(kAddresses), "", ip.text()}; }

}  // namespace

bool AddressObjects::is_ip_address(std::string_view resource) { return resource == kAddresses; }

base::Status AddressObjects::load() {
  store::ListQuery query;
  query.resource = kRanges;
  auto ranges = TRY(store_.list(query));
  for (const store::Object& range : ranges.items) range_changed(nullptr, &range.tree());
  query.resource = kAddresses;
  auto addresses = TRY(store_.list(query));
  for (const store::Object& address : addresses.items) {
    if (is_ours(address.tree())) continue;
    if (auto ip = base::Ip::parse(address.name()); ip.ok()) services_.hold(*ip, client_holder(address.tree()));
  }
  finish_closing();
  return {};
}

void AddressObjects::show() {
  if (shown_) return;
  std::lock_guard lock(mutex_);
  if (shown_) return;
  // First: a Service that is written while this reads the list sees it, and waits for the mutex.
  shown_ = true;
  base::Status shown = show_all();
  if (shown.ok()) return;
  shown_ = false;
  base::log::error("api: IPAddress objects: {}", shown.error().message);
}

base::Status AddressObjects::show_all() {
  store::ListQuery query;
  query.resource = kAddresses;
  auto stored = TRY(store_.list(query));
  query.resource = "services";
  auto services = TRY(store_.list(query));
  std::map<std::string, store::Object> stale;  // From before a restart.
  for (const store::Object& address : stored.items) {
    if (is_ours(address.tree())) stale.emplace(address.name(), address);
  }
  for (const store::Object& service : services.items) {
    for (const base::Ip& ip : service_ips(service.tree())) {
      auto at = stale.find(ip.text());
      const json* parent = at == stale.end() ? nullptr : store::find(at->second.tree(), "spec.parentRef");
      if (parent && store::get_string(*parent, "name") == service.name() && store::get_string(*parent, "namespace") == service.ns()) {
        stale.erase(at);
        continue;
      }
      if (at != stale.end()) drop_address(ip);
      if (at != stale.end()) stale.erase(at);
      make_address(ip, service.tree());
    }
  }
  for (const auto& [name, address] : stale) base::ignore(store_.remove(address.key(), address.tree(), 0), "gone already is as good");
  return {};
}

void AddressObjects::make_address(const base::Ip& ip, const json& service) {
  if (!registry_.find_storage(kAddresses)) return;
  json tree = {{"apiVersion", "networking.k8s.io/v1"}, {"kind", "IPAddress"}};
  tree["metadata"] = {{"name", ip.text()},
                      {"uid", base::make_uid()},
                      {"creationTimestamp", store::get_string(service, "metadata.creationTimestamp")},
                      {"labels", {{"ipaddress.kubernetes.io/ip-family", base::family_name(ip.family())}, {kManagedBy, kAllocator}}}};
  tree["spec"]["parentRef"] = {{"resource", "services"},
                               {"namespace", store::get_string(service, "metadata.namespace")},
                               {"name", store::get_string(service, "metadata.name")}};
  auto made = store_.create(address_key(ip), std::move(tree));
  if (!made.ok() && made.error().code != base::Code::kAlreadyExists) base::log::warn("api: IPAddress {}: {}", ip.text(), made.error().message);
}

void AddressObjects::drop_address(const base::Ip& ip) {
  auto stored = store_.get(address_key(ip));
  if (!stored.ok() || !is_ours(stored->tree())) return;
  base::ignore(store_.remove(stored->key(), stored->tree(), 0), "gone already is as good");
}

base::Result<AddressObjects::Claim> AddressObjects::before_create(const store::Resource& r, const json& tree) {
  Claim claim;
  if (r.storage_name != kAddresses) return claim;
  const std::string name = store::get_string(tree, "metadata.name");
  auto ip = base::Ip::parse(name);
  if (!ip.ok()) return claim;  // Validation said so.
  claim.ip_ = *ip;
  claim.holder_ = client_holder(tree);
  if (!services_.hold(*ip, claim.holder_)) return already_exists(r, name);
  claim.services_ = &services_;
  return claim;
}

void AddressObjects::complete(const store::Resource& r, json& tree) const {
  if (r.storage_name != kRanges || is_deleting(tree)) return;
  json finalizers = store::get_array(tree, "metadata.finalizers");
  if (std::find(finalizers.begin(), finalizers.end(), kFinalizer) == finalizers.end()) finalizers.push_back(kFinalizer);
  store::set(tree, "metadata.finalizers", std::move(finalizers));
  if (store::get_array(tree, "status.conditions").empty()) set_ready(tree, true, clock_.wall());
}

void AddressObjects::changed(std::string_view resource, const json* before, const json* after) {
  if (resource == "services") {
    service_changed(before, after);
  } else if (resource == kRanges) {
    range_changed(before, after);
    finish_closing();
  } else if (resource == kAddresses && !after) {
    address_gone(*before);
  }
}

void AddressObjects::service_changed(const json* before, const json* after) {
  static const json kNone;
  const std::set<base::Ip> had = service_ips(before ? *before : kNone), has = service_ips(after ? *after : kNone);
  if (had == has) return;
  if (shown_) {
    std::lock_guard lock(mutex_);
    for (const base::Ip& ip : had) {
      if (!has.count(ip)) drop_address(ip);
    }
    for (const base::Ip& ip : has) {
      if (!had.count(ip)) make_address(ip, *after);
    }
  }
  if (!had.empty()) finish_closing();
}

// Nobody takes the address of a Service away by deleting its IPAddress: that comes back.
void AddressObjects::address_gone(const json& object) {
  auto ip = base::Ip::parse(store::get_string(object, "metadata.name"));
  if (!ip.ok()) return;
  if (!is_ours(object)) {
    services_.let_go(*ip, client_holder(object));
    return finish_closing();
  }
  const std::string ns = store::get_string(object, "spec.parentRef.namespace"), name = store::get_string(object, "spec.parentRef.name");
  std::lock_guard lock(mutex_);
  auto service = store_.get({"services", ns, name});
  if (service.ok() && service_ips(service->tree()).count(*ip)) make_address(*ip, service->tree());
}

void AddressObjects::range_changed(const json* before, const json* after) {
  const std::string name = store::get_string(after ? *after : *before, "metadata.name");
  const bool is_default = name == ServiceAllocator::kDefaultRange;
  if (!after && !is_default) return services_.remove_ranges(name);
  // The cluster's own range is there whatever its object says, and so is the object.
  std::vector<base::Cidr> cidrs = is_default ? default_cidrs_ : std::vector<base::Cidr>();
  for (const base::Cidr& cidr : cidrs_of(after ? *after : *before)) {
    if (std::find(cidrs.begin(), cidrs.end(), cidr) == cidrs.end()) cidrs.push_back(cidr);
  }
  services_.set_ranges(name, cidrs, !after || !is_deleting(*after));
  if (!after) restore_default(*before);
}

void AddressObjects::restore_default(const json& gone) {
  const store::Resource* r = registry_.find_storage(kRanges);
  json tree = {{"apiVersion", gone["apiVersion"]}, {"kind", gone["kind"]}, {"spec", gone["spec"]}};
  tree["metadata"] = {{"name", ServiceAllocator::kDefaultRange}, {"uid", base::make_uid()}, {"creationTimestamp", base::render_rfc3339(clock_.wall())}};
  complete(*r, tree);
  auto made = store_.create({std::string(kRanges), "", ServiceAllocator::kDefaultRange}, std::move(tree));
  if (!made.ok()) base::log::warn("api: the default ServiceCIDR: {}", made.error().message);
}

void AddressObjects::finish_closing() {
  for (const std::string& name : services_.closing_ranges()) finish_range(name);
}

// Takes our finalizer out of a ServiceCIDR that nobody needs any more; says in its status that somebody does.
void AddressObjects::finish_range(const std::string& name) {
  const store::Key key{std::string(kRanges), "", name};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto stored = store_.get(key);
    if (!stored.ok()) return services_.remove_ranges(name);
    json tree = stored->tree();
    if (services_.range_in_use(name)) {
      if (store::get_string(store::get_array(tree, "status.conditions").empty() ? json() : tree["status"]["conditions"][0], "status") == "False") return;
      set_ready(tree, false, clock_.wall());
    } else if (!drop_finalizer(tree)) {
      return;  // Others have theirs.
    }
    const bool gone = is_finished(tree);
    auto written = gone ? store_.remove(key, std::move(tree), stored->revision()) : store_.update(key, std::move(tree), stored->revision());
    if (written.ok() && gone) range_changed(&stored->tree(), nullptr);
    if (written.ok() || written.error().code != base::Code::kConflict) return;
  }
}

}  // namespace server
