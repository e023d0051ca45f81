// Defaults of pods and pod templates that depend on more than one field.
#include <nlohmann/json.hpp>

#include "store/schema/rules.h"

namespace store {
namespace {

// Upstream pulls ":latest" always, for such a tag moves; an image named by digest cannot change.
const char* pull_policy(const std::string& image) {
  if (image.find('@') != std::string::npos) return "IfNotPresent";
  const size_t slash = image.rfind('/');
  const size_t colon = image.find(':', slash == std::string::npos ? 0 : slash);
  return colon == std::string::npos || image.substr(colon + 1) == "latest" ? "Always" : "IfNotPresent";
}

template <class Visit>
void each_container(json& spec, const Visit& visit) {
  for (const char* list : {"initContainers", "containers", "ephemeralContainers"}) {
    const auto at = spec.find(list);
    if (at == spec.end() || !at->is_array()) continue;
    for (json& container : *at) {
      if (container.is_object()) visit(container);
    }
  }
}

void prepare_spec(json& spec) {
  each_container(spec, [](json& container) {
    if (string_at(container, "imagePullPolicy").empty()) container["imagePullPolicy"] = pull_policy(string_at(container, "image"));
  });
  // serviceAccount is the old name of serviceAccountName; both are always shown.
  const std::string name = string_at(spec, "serviceAccountName"), old_name = string_at(spec, "serviceAccount");
  if (name.empty() && !old_name.empty())
    spec["serviceAccountName"] = old_name;
  else if (!name.empty())
    spec["serviceAccount"] = name;
}

// A limit without a request asks for as much as it allows.
void requests_from_limits(json& container) {
  const json limits = object_at(object_at(container, "resources"), "limits");
  if (limits.empty()) return;
  json& requests = container["resources"]["requests"];
  if (!requests.is_object()) requests = json::object();
  for (auto it = limits.begin(); it != limits.end(); ++it) requests.emplace(it.key(), it.value());
}

bool tolerates(const json& tolerations, const std::string& key) {
  for (const json& toleration : tolerations) {
    const std::string other = string_at(toleration, "key"), effect = string_at(toleration, "effect");
    if ((other == key || other.empty()) && (effect == "NoExecute" || effect.empty())) return true;
  }
  return false;
}

// Pods leave a lost node after five minutes unless they say otherwise.
void default_tolerations(json& spec) {
  json& tolerations = spec["tolerations"];
  if (!tolerations.is_array()) tolerations = json::array();
  for (const char* key : {"node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"}) {
    if (tolerates(tolerations, key)) continue;
    tolerations.push_back({{"key", key}, {"operator", "Exists"}, {"effect", "NoExecute"}, {"tolerationSeconds", 300}});
  }
}

std::string qos_class(json& spec) {
  bool any = false, guaranteed = true;
  each_container(spec, [&](json& container) {
    const json& resources = object_at(container, "resources");
    const json& limits = object_at(resources, "limits");
    const json& requests = object_at(resources, "requests");
    for (const char* name : {"cpu", "memory"}) {
      const auto limit = limits.find(name), request = requests.find(name);
      any |= limit != limits.end() || request != requests.end();
      guaranteed &= limit != limits.end() && request != requests.end() && quantity_nanos(*limit) == quantity_nanos(*request);
    }
  });
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

void host_ports(json& spec) {
  const auto host_network = spec.find("hostNetwork");
  if (host_network == spec.end() || *host_network != true) return;
  each_container(spec, [](json& container) {
    const auto ports = container.find("ports");
    if (ports == container.end() || !ports->is_array()) return;
    for (json& port : *ports) {
      if (port.is_object() && port.contains("containerPort") && !port.contains("hostPort")) port["hostPort"] = port["containerPort"];
    }
  });
}

}  // namespace

void prepare_pod(json& tree) {
  if (!tree.is_object() || !object_at(tree, "spec").size()) return;
  json& spec = tree["spec"];
  if (string_at(spec, "serviceAccountName").empty() && string_at(spec, "serviceAccount").empty()) spec["serviceAccountName"] = "default";
  prepare_spec(spec);
  each_container(spec, requests_from_limits);
  if (!spec.contains("enableServiceLinks")) spec["enableServiceLinks"] = true;
  if (!spec.contains("priority")) spec["priority"] = 0;
  if (!spec.contains("preemptionPolicy")) spec["preemptionPolicy"] = "PreemptLowerPriority";
  host_ports(spec);
  default_tolerations(spec);
  json& status = tree["status"];
  if (!status.is_object()) status = json::object();
  if (string_at(status, "phase").empty()) status["phase"] = "Pending";
  if (string_at(status, "qosClass").empty()) status["qosClass"] = qos_class(spec);
}

void prepare_pod_template(json& tree) {
  if (!tree.is_object() || !object_at(object_at(object_at(tree, "spec"), "template"), "spec").size()) return;
  prepare_spec(tree["spec"]["template"]["spec"]);
}

void prepare_podtemplate(json& tree) {
  if (!tree.is_object() || object_at(object_at(tree, "template"), "spec").empty()) return;
  prepare_spec(tree["template"]["spec"]);
}

}  // namespace store
