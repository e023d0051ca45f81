#include "server/app/settle.h"

#include <nlohmann/json.hpp>
#include <set>

#include "server/model/pod.h"
#include "server/model/service.h"
#include "store/object/access.h"
#include "store/object/selector.h"

namespace server {
namespace {

using store::get_int;
using store::get_string;
using store::json;

bool condition_true(const json& object, const char* type) {
  for (const json& c : store::get_array(object, "status.conditions")) {
    if (get_string(c, "type") == type) return get_string(c, "status") == "True";
  }
  return false;
}

std::string label(const char* kind, const store::Object& o) { return std::string(kind) + " " + o.ns() + "/" + o.name(); }

bool terminating(const json& tree) { return store::find(tree, "metadata.deletionTimestamp") != nullptr; }

Settled waiting(std::string what) { return Settled{false, false, std::move(what)}; }

// Why a pod is not ready, from the first container that waits.
Settled pod_missing(const store::Object& pod) {
  for (const json& c : store::get_array(pod.tree(), "status.containerStatuses")) {
    std::string reason = get_string(c, "state.waiting.reason");
    if (reason.empty()) continue;
    bool hopeless = reason == "ErrImagePull" || reason == "ImagePullBackOff" || reason == "InvalidImageName";
    std::string message = get_string(c, "state.waiting.message");
    return Settled{false, hopeless, label("pod", pod) + ": container " + get_string(c, "name") + ": " + reason + (message.empty() ? "" : ": " + message)};
  }
  return waiting(label("pod", pod) + " is not ready (phase " + get_string(pod.tree(), "status.phase", "Pending") + ")");
}

Settled check_replicas(const char* kind, const std::vector<store::Object>& objects) {
  for (const store::Object& o : objects) {
    const json& t = o.tree();
    int64_t want = get_int(t, "spec.replicas", 1);
    int64_t have = get_int(t, "status.availableReplicas");
    bool seen = get_int(t, "status.observedGeneration") >= get_int(t, "metadata.generation", 1);
    if (!seen || have < want) return waiting(label(kind, o) + ": " + std::to_string(have) + " of " + std::to_string(want) + " replicas available");
  }
  return Settled{true, false, ""};
}

Settled check_pods(const std::vector<store::Object>& pods) {
  for (const store::Object& pod : pods) {
    if (terminating(pod.tree()) || get_string(pod.tree(), "status.phase") == "Succeeded") continue;
    if (!condition_true(pod.tree(), "Ready")) return pod_missing(pod);
  }
  return Settled{true, false, ""};
}

std::set<std::string> ready_pod_addresses(const Workloads& w, const store::Object& service) {
  std::set<std::string> out;
  const std::vector<base::Family> families = model::service_families(service.tree());
  auto selector = store::LabelSelector::from_map(store::get_string_map(service.tree(), "spec.selector"));
  for (const store::Object& pod : w.pods) {
    if (pod.ns() == service.ns() && !terminating(pod.tree()) && condition_true(pod.tree(), "Ready") && selector.matches_object(pod.tree())) {
      for (base::Family family : families) {
        const std::string address = pod_address(pod.tree(), family);
        if (!address.empty()) out.insert(address);
      }
    }
  }
  return out;
}

std::set<std::string> slice_addresses(const Workloads& w, const store::Object& service) {
  std::set<std::string> out;
  for (const store::Object& slice : w.endpoint_slices) {
    const std::string* owner = store::find_label(slice.tree(), "kubernetes.io/service-name");
    if (slice.ns() != service.ns() || owner == nullptr || *owner != service.name()) continue;
    for (const json& endpoint : store::get_array(slice.tree(), "endpoints")) {
      if (!store::get_bool(endpoint, "conditions.ready", true)) continue;
      for (const json& address : store::get_array(endpoint, "addresses")) out.insert(address.get<std::string>());
    }
  }
  return out;
}

}  // namespace

Settled check_settled(const Workloads& w) {
  Settled pods = check_pods(w.pods);  // First: it says why.
  if (pods.hopeless) return pods;
  for (Settled s : {check_replicas("deployment", w.deployments), check_replicas("replicaset", w.replica_sets), pods}) {
    if (!s.yes) return s.missing.find("replicas") != std::string::npos && !pods.yes ? pods : s;
  }
  for (const store::Object& service : w.services) {
    if (store::get_object(service.tree(), "spec.selector").empty()) continue;
    if (ready_pod_addresses(w, service) != slice_addresses(w, service)) return waiting(label("service", service) + ": endpoints are behind the pods");
  }
  return Settled{true, false, ""};
}

}  // namespace server
