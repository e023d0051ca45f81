// Defaults of pods and pod templates that depend on more than one field.
#include <nlohmann/json.hpp>

#include "store/schema/pod_parts.h"

namespace store {
namespace {

// What may stand before '@' or ':' in the name of an image: a host with a port, and lower-case words with '.', '_' and '-'
// between them. Of a name that is none upstream cannot tell the tag.
bool is_image_name(std::string_view name) {
  const size_t slash = name.find('/');
  if (slash != std::string_view::npos && name.substr(0, slash).find_first_of(".:") != std::string_view::npos) name.remove_prefix(slash + 1);
  auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  for (size_t i = 0; i < name.size(); ++i) {
    const bool inside = i > 0 && i + 1 < name.size();
    if (!plain(name[i]) && !(inside && std::string_view("._-/").find(name[i]) != std::string_view::npos)) return false;
  }
  return !name.empty();
}

// Upstream pulls ":latest" always, for such a tag moves; an image named by digest cannot change.
const char* pull_policy(const std::string& image) {
  if (image.find('@') != std::string::npos) return "IfNotPresent";
  const size_t slash = image.rfind('/');
  const size_t colon = image.find(':', slash == std::string::npos ? 0 : slash);
  if (!is_image_name(image.substr(0, colon))) return "IfNotPresent";
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

// serviceAccount is the old name of serviceAccountName; both are always shown.
void show_both_account_names(json& spec) {
  const std::string name = string_at(spec, "serviceAccountName"), old_name = string_at(spec, "serviceAccount");
  if (name.empty() && !old_name.empty()) spec["serviceAccountName"] = old_name;
  else if (!name.empty()) spec["serviceAccount"] = name;
}

// Of a volume without a source upstream makes an empty folder. The last two sources wait for features that are off by default.
void complete_volumes(json& spec) {
  const auto volumes = spec.find("volumes");
  if (volumes == spec.end() || !volumes->is_array()) return;
  for (json& volume : *volumes) {
    if (!volume.is_object()) continue;
    if (!has_volume_source(volume)) volume["emptyDir"] = json::object();
    if (array_at(object_at(volume, "projected"), "sources").empty()) continue;
    for (json& source : volume["projected"]["sources"]) {
      if (!source.is_object()) continue;
      for (const char* gated : {"clusterTrustBundle", "podCertificate"}) source.erase(gated);
    }
  }
}

void prepare_spec(json& spec) {
  each_container(spec, [](json& container) {
    if (string_at(container, "imagePullPolicy").empty()) container["imagePullPolicy"] = pull_policy(string_at(container, "image"));
  });
  complete_volumes(spec);
  show_both_account_names(spec);
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

// From the pod's own amounts, if it has any, or from those of its containers.
std::string qos_class(const json& spec) {
  bool any = false, guaranteed = true;
  auto look = [&](const json& resources) {
    const json &limits = object_at(resources, "limits"), &requests = object_at(resources, "requests");
    for (const char* name : {"cpu", "memory"}) {
      const auto limit = limits.find(name), request = requests.find(name);
      any |= limit != limits.end() || request != requests.end();
      guaranteed &= limit != limits.end() && request != requests.end() && quantity_nanos(*limit) == quantity_nanos(*request);
    }
  };
  if (has(spec, "resources")) look(spec["resources"]);
  else each_container_of(spec, "", [&](const json& container, const std::string&) { look(object_at(container, "resources")); });
  return !any ? "BestEffort" : guaranteed ? "Guaranteed" : "Burstable";
}

void prepare_pod(json& tree) {
  if (!tree.is_object() || !object_at(tree, "spec").size()) return;
  json& spec = tree["spec"];
  prepare_spec(spec);
  each_container(spec, requests_from_limits);
  if (!spec.contains("enableServiceLinks")) spec["enableServiceLinks"] = true;
  host_ports(spec);
  json& status = tree["status"];
  if (!status.is_object()) status = json::object();
  if (string_at(status, "phase").empty()) status["phase"] = "Pending";
  if (string_at(status, "qosClass").empty()) status["qosClass"] = qos_class(spec);
}

// The account is given once; an update that leaves it out takes it away, and is refused for that.
void admit_pod(json& tree, const json* old) {
  if (!tree.is_object() || !object_at(tree, "spec").size()) return;
  json& spec = tree["spec"];
  if (!old && string_at(spec, "serviceAccountName").empty()) spec["serviceAccountName"] = "default";
  show_both_account_names(spec);
  const json given = {{"priority", 0}, {"preemptionPolicy", "PreemptLowerPriority"}};
  for (const auto& [field, value] : (old ? object_at(*old, "spec") : given).items()) {
    if (given.contains(field)) spec.emplace(field, value);
  }
  default_tolerations(spec);
  if (old || array_at(spec, "schedulingGates").empty() || !array_at(object_at(tree, "status"), "conditions").empty()) return;
  tree["status"]["conditions"] = json::array({{{"type", "PodScheduled"},
                                               {"status", "False"},
                                               {"lastProbeTime", nullptr},
                                               {"lastTransitionTime", string_at(object_at(tree, "metadata"), "creationTimestamp")},
                                               {"reason", "SchedulingGated"},
                                               {"message", "Scheduling is blocked due to non-empty scheduling gates"}}});
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
