#include "server/api/boot.h"

#include <nlohmann/json.hpp>

#include "server/api/allocator.h"
#include "server/auth/default_roles.h"
#include "store/object/access.h"

namespace server {
namespace {

base::Status ensure(Client& client, json object, bool follow) {
  const store::Resource* r = client.registry().find_kind(store::get_string(object, "apiVersion"), store::get_string(object, "kind"));
  if (!r) return {};  // A registry without the kind (tests with few kinds).
  std::string ns = store::get_string(object, "metadata.namespace"), name = store::get_string(object, "metadata.name");
  auto found = client.get(*r, ns, name);
  if (!found.ok()) {
    if (found.error().code != base::Code::kNotFound) return std::move(found).error();
    auto created = client.create(*r, std::move(object));
    if (!created.ok() && created.error().code != base::Code::kAlreadyExists) return std::move(created).error().context("create " + ns + "/" + name);
    return {};
  }
  if (!follow) return {};
  auto updated = client.update(*r, std::move(object));
  if (!updated.ok()) return std::move(updated).error().context("update " + ns + "/" + name);
  return {};
}

json named(const char* version, const char* kind, const char* ns, const char* name) {
  json out = {{"apiVersion", version}, {"kind", kind}, {"metadata", {{"name", name}}}};
  if (*ns) out["metadata"]["namespace"] = ns;
  return out;
}

json dns_service(const ApiOptions& options) {
  json out = named("v1", "Service", "kube-system", "kube-dns");
  out["metadata"]["labels"] = {{"k8s-app", "kube-dns"}, {"kubernetes.io/cluster-service", "true"}, {"kubernetes.io/name", "CoreDNS"}};
  out["spec"] = {{"clusterIP", options.dns_address.text()},
                 {"clusterIPs", json::array({options.dns_address.text()})},
                 {"ports", json::array({{{"name", "dns"}, {"port", 53}, {"protocol", "UDP"}, {"targetPort", 53}},
                                        {{"name", "dns-tcp"}, {"port", 53}, {"protocol", "TCP"}, {"targetPort", 53}}})}};
  return out;
}

json default_range(const ApiOptions& options) {
  json out = named("networking.k8s.io/v1", "ServiceCIDR", "", ServiceAllocator::kDefaultRange);
  for (const base::Cidr& cidr : options.all_service_cidrs()) out["spec"]["cidrs"].push_back(cidr.text());
  return out;
}

// A cluster that got its second family after it was made.
base::Status widen_default_range(Client& client, const ApiOptions& options) {
  const store::Resource* r = client.registry().find_kind("networking.k8s.io/v1", "ServiceCIDR");
  if (!r) return {};
  store::Object stored = TRY(client.get(*r, "", ServiceAllocator::kDefaultRange));
  const json wanted = default_range(options)["spec"]["cidrs"];
  const json& has = store::get_array(stored.tree(), "spec.cidrs");
  if (has.size() != 1 || wanted.size() != 2 || has[0] != wanted[0]) return {};
  auto widened = client.patch(*r, "", ServiceAllocator::kDefaultRange, PatchType::kMerge, {{"spec", {{"cidrs", wanted}}}}, "");
  if (!widened.ok()) return std::move(widened).error().context("widen ServiceCIDR kubernetes");
  return {};
}

json api_service(const ApiOptions& options) {
  json out = named("v1", "Service", "default", "kubernetes");
  std::string ip = options.all_service_cidrs()[0].address().plus(1).text();
  out["metadata"]["labels"] = {{"component", "apiserver"}, {"provider", "kubernetes"}};
  out["spec"] = {{"clusterIP", ip},
                 {"clusterIPs", json::array({ip})},
                 {"ports", json::array({{{"name", "https"}, {"port", 443}, {"protocol", "TCP"}, {"targetPort", options.api_port}}})}};
  return out;
}

json api_endpoints(const ApiOptions& options) {
  json out = named("v1", "Endpoints", "default", "kubernetes");
  // The mark keeps the endpoints controllers' hands off: this Service has no selector, and its slice is ours.
  out["metadata"]["labels"] = {{"endpointslice.kubernetes.io/skip-mirror", "true"}};
  out["subsets"] = json::array({{{"addresses", json::array({{{"ip", options.api_ip.text()}}})},
                                 {"ports", json::array({{{"name", "https"}, {"port", options.api_port}, {"protocol", "TCP"}}})}}});
  return out;
}

json api_slice(const ApiOptions& options) {
  json out = named("discovery.k8s.io/v1", "EndpointSlice", "default", "kubernetes");
  out["metadata"]["labels"] = {{"kubernetes.io/service-name", "kubernetes"}};
  out["addressType"] = base::family_name(options.api_ip.family());
  out["endpoints"] = json::array({{{"addresses", json::array({options.api_ip.text()})}, {"conditions", {{"ready", true}}}}});
  out["ports"] = json::array({{{"name", "https"}, {"port", options.api_port}, {"protocol", "TCP"}}});
  return out;
}

json priority_class(const char* name, int64_t value, const char* description) {
  json out = named("scheduling.k8s.io/v1", "PriorityClass", "", name);
  out["value"] = value;
  out["description"] = description;
  return out;
}

// New ones of a newer kubelan come in; what somebody took away or added stays as it is.
base::Status ensure_role(Client& client, json wanted) {
  const store::Resource* r = client.registry().find_kind(store::get_string(wanted, "apiVersion"), store::get_string(wanted, "kind"));
  if (!r) return {};
  const std::string name = store::get_string(wanted, "metadata.name");
  auto found = client.get(*r, store::get_string(wanted, "metadata.namespace"), name);
  if (!found.ok()) return ensure(client, std::move(wanted), false);
  std::optional<json> changed = auth::reconciled(found->tree(), wanted);
  if (!changed) return {};
  auto updated = client.update(*r, std::move(*changed));
  if (!updated.ok() && updated.error().code != base::Code::kConflict) return std::move(updated).error().context("update " + name);
  return {};
}

}  // namespace

base::Status ensure_boot_objects(Client& client, const ApiOptions& options) {
  for (const char* name : {"default", "kube-system", "kube-public", "kube-node-lease"}) {
    TRY_STATUS(ensure(client, named("v1", "Namespace", "", name), false));
  }
  TRY_STATUS(ensure(client, priority_class("system-node-critical", 2'000'001'000, "For pods of the system that must stay on their node."), false));
  TRY_STATUS(ensure(client, priority_class("system-cluster-critical", 2'000'000'000, "For pods of the system that must run, on whichever node."), false));
  TRY_STATUS(ensure(client, default_range(options), false));
  TRY_STATUS(widen_default_range(client, options));
  TRY_STATUS(ensure(client, api_service(options), false));
  if (!options.has_network) return {};
  TRY_STATUS(ensure(client, api_endpoints(options), true));
  TRY_STATUS(ensure(client, api_slice(options), true));
  return ensure(client, dns_service(options), false);
}

base::Status ensure_default_roles(Client& client) {
  std::vector<json> roles = auth::default_objects();
  for (json& role : roles) TRY_STATUS(ensure_role(client, std::move(role)));
  return {};
}

}  // namespace server
