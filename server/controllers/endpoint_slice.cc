#include "server/controllers/endpoint_slice.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "server/controllers/slice_names.h"
#include "server/informer/writes.h"
#include "server/model/meta.h"
#include "server/model/pod.h"
#include "server/model/service.h"
#include "store/object/access.h"
#include "store/object/selector.h"

namespace server {
namespace {

using store::get_array;
using store::get_bool;
using store::get_int;
using store::get_object;
using store::get_string;

constexpr const char* kEndpoints = "endpoints";
constexpr const char* kManager = "endpointslice-controller.k8s.io";
constexpr size_t kMaxAddresses = 1000;  // An Endpoints object.
constexpr auto kSliceInterval = std::chrono::milliseconds(2);  // A burst of pods costs one write, not one each.

bool has_selector(const json& service) { return !get_object(service, "spec.selector").empty() && get_string(service, "spec.type") != "ExternalName"; }
bool headless(const json& service) { return get_string(service, "spec.clusterIP") == "None"; }

struct PodState {
  bool ready = false;        // As the Service counts it.
  bool serving = false;
  bool terminating = false;
};

PodState state_of(const json& service, const json& pod) {
  PodState out;
  const json* condition = find_condition(pod, "Ready");
  out.serving = condition != nullptr && get_string(*condition, "status") == "True";
  out.terminating = store::find(pod, "metadata.deletionTimestamp") != nullptr;
  // Publishing makes an endpoint count as ready; whether the pod serves stays what the pod says.
  out.ready = get_bool(service, "spec.publishNotReadyAddresses") || (out.serving && !out.terminating);
  return out;
}

bool has_endpoint(const json& pod) {
  std::string phase = get_string(pod, "status.phase");
  return !get_string(pod, "status.podIP").empty() && phase != "Succeeded" && phase != "Failed";
}

// The number that a Service port means on this pod; 0: a name that the pod does not have.
int64_t resolve_port(const json& service_port, const json& pod) {
  const json* target = store::find_key(service_port, "targetPort");
  if (target == nullptr || target->is_null()) return get_int(service_port, "port");
  if (target->is_number_integer()) return target->get<int64_t>() != 0 ? target->get<int64_t>() : get_int(service_port, "port");
  std::string protocol = get_string(service_port, "protocol", "TCP");
  for (const json& container : get_array(pod, "spec.containers")) {
    for (const json& port : get_array(container, "ports")) {
      if (json(get_string(port, "name")) == *target && get_string(port, "protocol", "TCP") == protocol) return get_int(port, "containerPort");
    }
  }
  return 0;
}

json resolve_ports(const json& service, const json& pod) {
  json out = json::array();
  for (const json& p : get_array(service, "spec.ports")) {
    int64_t number = resolve_port(p, pod);
    if (number == 0) continue;
    json port = {{"name", get_string(p, "name")}, {"protocol", get_string(p, "protocol", "TCP")}, {"port", number}};
    std::string app = get_string(p, "appProtocol");
    if (!app.empty()) port["appProtocol"] = app;
    out.push_back(port);
  }
  return out;
}

json target_ref(const store::Object& pod) { return {{"kind", "Pod"}, {"namespace", pod.ns()}, {"name", pod.name()}, {"uid", pod.uid()}}; }

// A pod has a DNS name of its own when its subdomain is the Service.
std::string dns_hostname(const store::Object& service, const json& pod) {
  return get_string(pod, "spec.subdomain") == service.name() ? get_string(pod, "spec.hostname") : "";
}

// Whom the endpoint is meant for: its own zone, and before that its own node.
void put_hints(const std::string& distribution, json& endpoint) {
  const bool same_node = distribution == "PreferSameNode";
  if (!same_node && distribution != "PreferClose" && distribution != "PreferSameZone") return;
  const std::string zone = get_string(endpoint, "zone"), node = get_string(endpoint, "nodeName");
  if (!zone.empty()) endpoint["hints"]["forZones"] = {{{"name", zone}}};
  if (same_node && !node.empty()) endpoint["hints"]["forNodes"] = {{{"name", node}}};
}

json compile_endpoint(const store::Object& service, const store::Object& pod, const std::string& address, const NodeZones& zones) {
  const json& tree = pod.tree();
  PodState state = state_of(service.tree(), tree);
  json out = {{"addresses", {address}}, {"conditions", {{"ready", state.ready}, {"serving", state.serving}, {"terminating", state.terminating}}}, {"targetRef", target_ref(pod)}};
  std::string node = get_string(tree, "spec.nodeName"), hostname = dns_hostname(service, tree);
  if (!node.empty()) out["nodeName"] = node;
  if (auto zone = zones.find(node); zone != zones.end()) out["zone"] = zone->second;
  if (!hostname.empty()) out["hostname"] = hostname;
  if (state.ready) put_hints(get_string(service.tree(), "spec.trafficDistribution"), out);
  return out;
}

json compile_endpoints_labels(const store::Object& service) {
  json labels = get_object(service.tree(), "metadata.labels");
  labels["endpoints.kubernetes.io/managed-by"] = "endpoint-controller";
  if (headless(service.tree())) labels["service.kubernetes.io/headless"] = "";
  return labels;
}

// The Service of a slice that is ours; "" for anybody else's.
std::string service_of(const store::Object& slice) {
  const std::string* by = store::find_label(slice.tree(), kManagedBy);
  const std::string* service = store::find_label(slice.tree(), kServiceName);
  return by != nullptr && *by == kManager && service != nullptr ? *service : "";
}

class EndpointSliceController final : public Controller {
 public:
  explicit EndpointSliceController(ControlLoop& loop)
      : loop_(loop), queue_(loop.make_queue("endpointslice", [this](const store::Key& key) { return reconcile(key); }, {QueueOptions::Priority::kNormal, kSliceInterval})) {
    loop.on_change("services", [this](const store::Object& before, const store::Object& after) { service_changed(before, after); });
    loop.on_change("pods", [this](const store::Object& before, const store::Object& after) { pod_changed(before, after); });
    loop.on_change(kSlices, [this](const store::Object& before, const store::Object& after) { slice_changed(before, after); });
    loop.on_change(kEndpoints, [this](const store::Object& before, const store::Object& after) { endpoints_changed(before, after); });
    loop.on_change("nodes", [this](const store::Object& before, const store::Object& after) { node_changed(before, after); });
  }

 private:
  void service_changed(const store::Object& before, const store::Object& after) {
    const store::Object& service = after ? after : before;
    selectors_[service.ns()].erase(service.name());
    if (after && has_selector(after.tree())) selectors_[service.ns()][service.name()] = store::LabelSelector::from_map(store::get_string_map(after.tree(), "spec.selector"));
    queue_.add({"services", service.ns(), service.name()});
  }

  void pod_changed(const store::Object& before, const store::Object& after) {
    const store::Object& pod = after ? after : before;
    auto found = selectors_.find(pod.ns());
    if (found == selectors_.end()) return;
    for (const auto& [name, selector] : found->second) {
      if ((before && selector.matches_object(before.tree())) || (after && selector.matches_object(after.tree()))) queue_.add({"services", pod.ns(), name});
    }
  }

  // Whatever somebody else does to an object of ours is undone; our own writes are not looked at twice.
  void slice_changed(const store::Object& before, const store::Object& after) {
    const std::string was = before ? service_of(before) : "", is = after ? service_of(after) : "";
    const bool foreign = written_by_others(before, after);
    if (!was.empty() && was != is) slices_[before.ns()][was].erase(before.name());
    if (!is.empty()) slices_[after.ns()][is].insert(after.name());
    if (!foreign) return;
    for (const std::string& service : {was, is}) {
      if (!service.empty()) queue_.add({"services", (after ? after : before).ns(), service});
    }
  }

  void endpoints_changed(const store::Object& before, const store::Object& after) {
    const store::Object& endpoints = after ? after : before;
    if (!written_by_others(before, after)) return;
    // Only where a selector makes them ours: a user's Endpoints may well have no Service.
    auto found = selectors_.find(endpoints.ns());
    if (found != selectors_.end() && found->second.count(endpoints.name()) > 0) queue_.add({"services", endpoints.ns(), endpoints.name()});
  }

  bool written_by_others(const store::Object& before, const store::Object& after) {
    if (!after) {
      written_.erase(before.key());
      return true;
    }
    auto ours = written_.find(after.key());
    return ours == written_.end() || after.revision() > ours->second;
  }

  void node_changed(const store::Object& before, const store::Object& after) {
    const std::string& node = (after ? after : before).name();
    const std::string* label = after ? store::find_label(after.tree(), "topology.kubernetes.io/zone") : nullptr;
    const std::string zone = label != nullptr ? *label : "";
    auto known = zones_.find(node);
    if ((known == zones_.end() ? "" : known->second) == zone) return;  // Heartbeats come by here too.
    if (zone.empty()) zones_.erase(node);
    else zones_[node] = zone;
    for (const auto& [ns, services] : selectors_) {
      for (const auto& [name, selector] : services) queue_.add({"services", ns, name});
    }
  }

  base::Result<Requeue> reconcile(const store::Key& key) {
    const store::Object* service = loop_.cache("services").find(key.ns, key.name);
    if (service == nullptr || store::find(service->tree(), "metadata.deletionTimestamp") != nullptr) {
      TRY_STATUS(remove_all(key, {}));
      const store::Object* endpoints = loop_.cache(kEndpoints).find(key.ns, key.name);
      if (service == nullptr && endpoints != nullptr && endpoints->name() != "kubernetes") return remove(*endpoints);
      return Requeue{};
    }
    if (!has_selector(service->tree())) return Requeue{};  // Hand-made slices are their maker's.
    std::vector<store::Object> pods;
    const store::LabelSelector& selector = selectors_[key.ns][key.name];
    for (store::Object& pod : loop_.cache("pods").list(key.ns)) {
      if (has_endpoint(pod.tree()) && selector.matches_object(pod.tree())) pods.push_back(std::move(pod));
    }
    TRY_STATUS(write_slices(*service, compile_slice_groups(*service, pods, zones_)));
    TRY_STATUS(write_endpoints(*service, compile_subsets(*service, pods)));
    return Requeue{};
  }

  base::Result<Requeue> remove(const store::Object& object) {
    TRY_STATUS(remove_object(loop_.client(), object));
    return Requeue{};
  }

  std::vector<store::Object> existing(const store::Key& service) {
    std::vector<store::Object> out;
    for (const std::string& name : slices_[service.ns][service.name]) {
      const store::Object* slice = loop_.cache(kSlices).find(service.ns, name);
      if (slice != nullptr) out.push_back(*slice);
    }
    return out;
  }

  base::Status remove_all(const store::Key& service, const std::set<std::string>& except) {
    for (const store::Object& slice : existing(service)) {
      if (except.count(slice.name()) == 0) TRY_STATUS(remove_object(loop_.client(), slice));
    }
    return {};
  }

  // Slices that exist are rewritten in order, and only where they differ; the rest is made or removed.
  base::Status write_slices(const store::Object& service, const json& groups) {
    store::Key key{"services", service.ns(), service.name()};
    std::vector<store::Object> have = existing(key);
    std::set<std::string> used;
    for (const json& group : groups) {
      const json& ports = get_array(group, "ports");
      const std::string type = get_string(group, "addressType");  // Of a slice that exists it cannot change.
      const json& all = get_array(group, "endpoints");
      for (size_t at = 0; at == 0 || at < all.size(); at += kMaxEndpoints) {
        json endpoints = json::array();
        for (size_t i = at; i < std::min(all.size(), at + kMaxEndpoints); ++i) endpoints.push_back(all[i]);
        auto reuse = std::find_if(have.begin(), have.end(), [&](const store::Object& s) { return used.count(s.name()) == 0 && get_string(s.tree(), "addressType") == type && get_array(s.tree(), "ports") == ports; });
        if (reuse == have.end()) reuse = std::find_if(have.begin(), have.end(), [&](const store::Object& s) { return used.count(s.name()) == 0 && get_string(s.tree(), "addressType") == type; });
        used.insert(TRY(write_slice(service, reuse == have.end() ? nullptr : &*reuse, type, ports, endpoints)));
      }
    }
    return remove_all(key, used);
  }

  base::Result<std::string> write_slice(const store::Object& service, const store::Object* old, const std::string& type, const json& ports, const json& endpoints) {
    json labels = compile_slice_labels(service);
    if (old != nullptr) {
      if (get_array(old->tree(), "ports") == ports && get_array(old->tree(), "endpoints") == endpoints && get_object(old->tree(), "metadata.labels") == labels) return old->name();
      json tree = old->tree();
      tree["ports"] = ports;
      tree["endpoints"] = endpoints;
      tree["metadata"]["labels"] = labels;
      return note(TRY(update_object(loop_.client(), kSlices, tree))).name();
    }
    json tree = {{"apiVersion", "discovery.k8s.io/v1"}, {"kind", "EndpointSlice"}, {"addressType", type}, {"ports", ports}, {"endpoints", endpoints},
                 {"metadata", {{"generateName", service.name() + "-"}, {"namespace", service.ns()}, {"labels", labels}, {"ownerReferences", {render_controller_ref(service)}}}}};
    return note(TRY(create_object(loop_.client(), kSlices, tree))).name();
  }

  base::Status write_endpoints(const store::Object& service, const json& subsets) {
    const store::Object* old = loop_.cache(kEndpoints).find(service.ns(), service.name());
    json labels = compile_endpoints_labels(service);
    if (old != nullptr) {
      if (get_array(old->tree(), "subsets") == subsets && get_object(old->tree(), "metadata.labels") == labels) return {};
      json tree = old->tree();
      tree["subsets"] = subsets;
      tree["metadata"]["labels"] = std::move(labels);
      note(TRY(update_object(loop_.client(), kEndpoints, tree)));
      return {};
    }
    json tree = {{"apiVersion", "v1"}, {"kind", "Endpoints"}, {"metadata", {{"name", service.name()}, {"namespace", service.ns()}, {"labels", std::move(labels)}}}, {"subsets", subsets}};
    note(TRY(create_object(loop_.client(), kEndpoints, tree)));
    return {};
  }

  store::Object note(store::Object written) {
    written_[written.key()] = written.revision();
    return written;
  }

  ControlLoop& loop_;
  WorkQueue& queue_;
  std::map<std::string, std::map<std::string, store::LabelSelector>> selectors_;       // Namespace -> Service.
  std::map<std::string, std::map<std::string, std::set<std::string>>> slices_;  // Namespace -> Service -> slices of ours.
  std::map<store::Key, store::Revision> written_;                                // Our last write of each slice and Endpoints.
  NodeZones zones_;
};

}  // namespace

json compile_slice_groups(const store::Object& service, const std::vector<store::Object>& pods, const NodeZones& zones) {
  json out = json::array();
  for (base::Family family : model::service_families(service.tree())) {
    const size_t before = out.size();
    for (const store::Object& pod : pods) {
      const std::string address = pod_address(pod.tree(), family);
      if (address.empty()) continue;
      json ports = resolve_ports(service.tree(), pod.tree());
      auto group = std::find_if(out.begin() + static_cast<std::ptrdiff_t>(before), out.end(), [&](const json& g) { return get_array(g, "ports") == ports; });
      if (group == out.end()) {
        out.push_back({{"addressType", base::family_name(family)}, {"ports", ports}, {"endpoints", json::array()}});
        group = out.end() - 1;
      }
      (*group)["endpoints"].push_back(compile_endpoint(service, pod, address, zones));
    }
    if (out.size() == before) out.push_back({{"addressType", base::family_name(family)}, {"ports", json::array()}, {"endpoints", json::array()}});
  }
  return out;
}

json compile_slice_labels(const store::Object& service) {
  json labels = get_object(service.tree(), "metadata.labels");
  labels[kServiceName] = service.name();
  labels[kManagedBy] = kManager;
  if (headless(service.tree())) labels["service.kubernetes.io/headless"] = "";
  return labels;
}

json compile_subsets(const store::Object& service, const std::vector<store::Object>& pods) {
  json subsets = json::array();
  size_t count = 0;
  for (const store::Object& pod : pods) {
    PodState state = state_of(service.tree(), pod.tree());
    if (state.terminating && !state.ready) continue;  // Endpoints know no terminating addresses.
    if (++count > kMaxAddresses) break;
    json ports = resolve_ports(service.tree(), pod.tree());
    if (ports.empty() && !headless(service.tree())) continue;
    const std::string ip = pod_address(pod.tree(), model::service_families(service.tree()).front());
    if (ip.empty()) continue;
    json address = {{"ip", ip}, {"targetRef", target_ref(pod)}};
    std::string node = get_string(pod.tree(), "spec.nodeName"), hostname = dns_hostname(service, pod.tree());
    if (!node.empty()) address["nodeName"] = node;
    if (!hostname.empty()) address["hostname"] = hostname;
    for (json& p : ports) {
      if (p["name"] == "") p.erase("name");
    }
    auto subset = std::find_if(subsets.begin(), subsets.end(), [&](const json& s) { return get_array(s, "ports") == ports; });
    if (subset == subsets.end()) {
      subsets.push_back(ports.empty() ? json::object() : json{{"ports", ports}});
      subset = subsets.end() - 1;
    }
    (*subset)[state.ready ? "addresses" : "notReadyAddresses"].push_back(address);
  }
  return subsets;
}

std::unique_ptr<Controller> make_endpoint_slice_controller(ControlLoop& loop) { return std::make_unique<EndpointSliceController>(loop); }

}  // namespace server
