#include "store/schema/object_warnings.h"

#include <nlohmann/json.hpp>

#include "store/schema/ip_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

using Warnings = std::vector<std::string>;

struct LabelRow {
  std::string_view key, message;
};
constexpr LabelRow kOldNodeLabels[] = {
    {"app.kubernetes.io/created-by", "deprecated since v1.9"},
    {"beta.kubernetes.io/arch", "deprecated since v1.14; use \"kubernetes.io/arch\" instead"},
    {"beta.kubernetes.io/instance-type", "deprecated since v1.17; use \"node.kubernetes.io/instance-type\" instead"},
    {"beta.kubernetes.io/os", "deprecated since v1.14; use \"kubernetes.io/os\" instead"},
    {"failure-domain.beta.kubernetes.io/region", "deprecated since v1.17; use \"topology.kubernetes.io/region\" instead"},
    {"failure-domain.beta.kubernetes.io/zone", "deprecated since v1.17; use \"topology.kubernetes.io/zone\" instead"},
    {"node-role.kubernetes.io/master", "use \"node-role.kubernetes.io/control-plane\" instead"},
    {"scheduler.alpha.kubernetes.io/preferAvoidPods", "deprecated since v1.22; use Taints and Tolerations instead"},
};

void old_label(const std::string& key, const std::string& prefix, Warnings& out) {
  for (const LabelRow& row : kOldNodeLabels) {
    if (row.key == key) out.push_back(prefix + std::string(row.message));
  }
}

void old_expressions(const json& owner, const char* list, const std::string& path, Warnings& out) {
  const json& expressions = array_at(owner, list);
  for (size_t i = 0; i < expressions.size(); ++i) {
    const std::string key = string_at(expressions[i], "key");
    old_label(key, item(path, list, i) + ".key: " + key + " is ", out);
  }
}

const json& annotations_of(const json& tree) { return object_at(object_at(tree, "metadata"), "annotations"); }
std::string label_of(const json& tree, const char* key) { return string_at(object_at(object_at(tree, "metadata"), "labels"), key); }

void add_if(std::string text, Warnings& out) {
  if (!text.empty()) out.push_back(std::move(text));
}

void unusual_prefix(const std::string& field, const json& value, Warnings& out) {
  if (!value.is_string()) return;
  for (std::string& warning : legacy_cidr_warnings(field, value.get_ref<const std::string&>())) out.push_back(std::move(warning));
}

void endpoints(const json& tree, const json*, Warnings& out) {
  if (label_of(tree, "endpoints.kubernetes.io/managed-by") == "endpoint-controller") return;
  const json& subsets = array_at(tree, "subsets");
  for (size_t i = 0; i < subsets.size(); ++i) {
    for (const char* list : {"addresses", "notReadyAddresses"}) {
      const json& addresses = array_at(subsets[i], list);
      for (size_t a = 0; a < addresses.size(); ++a) add_if(legacy_ip_warning(item(item("", "subsets", i), list, a) + ".ip", string_at(addresses[a], "ip")), out);
    }
  }
}

void endpointslice(const json& tree, const json* old, Warnings& out) {
  if (!old && string_at(tree, "addressType") == "FQDN") out.push_back("spec.addressType: FQDN endpoints are deprecated");
  const std::string manager = label_of(tree, "endpointslice.kubernetes.io/managed-by");
  if (manager == "endpointslice-controller.k8s.io" || manager == "endpointslicemirroring-controller.k8s.io") return;
  const json& list = array_at(tree, "endpoints");
  for (size_t i = 0; i < list.size(); ++i) {
    const json& addresses = array_at(list[i], "addresses");
    for (size_t a = 0; a < addresses.size(); ++a) {
      if (addresses[a].is_string()) add_if(legacy_ip_warning(item(item("", "endpoints", i), "addresses", a), addresses[a].get_ref<const std::string&>()), out);
    }
  }
}

void node(const json& tree, const json*, Warnings& out) {
  const json& spec = object_at(tree, "spec");
  if (spec.contains("configSource") && spec["configSource"].is_object()) out.push_back("spec.configSource: the feature is removed");
  if (!string_at(spec, "externalID").empty()) out.push_back("spec.externalID: this field is deprecated, and is unused by Kubernetes");
  const json& list = array_at(spec, "podCIDRs");
  for (size_t i = 0; i < list.size(); ++i) unusual_prefix(item("spec", "podCIDRs", i), list[i], out);
}

void persistent_volume(const json& tree, const json*, Warnings& out) {
  const json& spec = object_at(tree, "spec");
  for (const auto& [key, message] : {std::pair("volume.beta.kubernetes.io/storage-class", "deprecated since v1.8; use \"storageClassName\" attribute instead"),
                                     std::pair("volume.beta.kubernetes.io/mount-options", "deprecated since v1.31; use \"mountOptions\" attribute instead")}) {
    if (annotations_of(tree).contains(key)) out.push_back(std::string("metadata.annotations[") + key + "]: " + message);
  }
  if (string_at(spec, "persistentVolumeReclaimPolicy") == "Recycle") {
    out.push_back("spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.");
  }
  const json& terms = array_at(object_at(object_at(spec, "nodeAffinity"), "required"), "nodeSelectorTerms");
  for (size_t i = 0; i < terms.size(); ++i) old_expressions(terms[i], "matchExpressions", item("spec.nodeAffinity.required", "nodeSelectorTerms", i), out);
  static constexpr const char* kOldSources[][3] = {
      {"cephfs", "cephfs", "deprecated in v1.28, non-functional in v1.31+"},
      {"photonPersistentDisk", "photonPersistentDisk", "deprecated in v1.11, non-functional in v1.16+"},
      {"scaleIO", "scaleIO", "deprecated in v1.16, non-functional in v1.22+"},
      {"storageos", "storageOS", "deprecated in v1.22, non-functional in v1.25+"},
      {"glusterfs", "glusterfs", "deprecated in v1.25, non-functional in v1.26+"},
      {"rbd", "rbd", "deprecated in v1.28, non-functional in v1.31+"},
  };
  for (const auto& [key, name, message] : kOldSources) {
    if (!object_at(spec, key).empty()) out.push_back(std::string("spec.") + name + ": " + message);
  }
}

void claim(const json& tree, const json*, Warnings& out) {
  constexpr const char* kClass = "volume.beta.kubernetes.io/storage-class";
  if (annotations_of(tree).contains(kClass)) out.push_back(std::string("metadata.annotations[") + kClass + "]: deprecated since v1.8; use \"storageClassName\" attribute instead");
}

void storage_class(const json& tree, const json*, Warnings& out) {
  const json& topologies = array_at(tree, "allowedTopologies");
  for (size_t i = 0; i < topologies.size(); ++i) {
    const json& expressions = array_at(topologies[i], "matchLabelExpressions");
    for (size_t e = 0; e < expressions.size(); ++e) {
      old_label(string_at(expressions[e], "key"), item(item("", "allowedTopologies", i), "matchLabelExpressions", e) + ".key: ", out);
    }
  }
}

void storage_capacity(const json& tree, const json*, Warnings& out) {
  const json& topology = object_at(tree, "nodeTopology");
  old_expressions(topology, "matchExpressions", "nodeTopology", out);
  for (const auto& [key, value] : object_at(topology, "matchLabels").items()) old_label(key, "nodeTopology.matchLabels." + key + ": ", out);
}

void csi_driver(const json& tree, const json* old, Warnings& out) {
  const json& spec = object_at(tree, "spec");
  const json& requests = array_at(spec, "tokenRequests");
  const bool said = spec.contains("serviceAccountTokenInSecrets") && spec["serviceAccountTokenInSecrets"].is_boolean();
  if (requests.empty() || said || (old && array_at(object_at(*old, "spec"), "tokenRequests") == requests)) return;
  out.push_back("spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes");
}

void runtime_class(const json& tree, const json*, Warnings& out) {
  for (const auto& [key, value] : object_at(object_at(tree, "scheduling"), "nodeSelector").items()) old_label(key, "scheduling.nodeSelector: ", out);
}

void network_policy(const json& tree, const json*, Warnings& out) {
  for (const auto& [direction, side] : {std::pair("ingress", "from"), std::pair("egress", "to")}) {
    const json& rules = array_at(object_at(tree, "spec"), direction);
    for (size_t i = 0; i < rules.size(); ++i) {
      const json& peers = array_at(rules[i], side);
      for (size_t p = 0; p < peers.size(); ++p) {
        const json& block = object_at(peers[p], "ipBlock");
        const std::string here = item(item("spec", direction, i), side, p) + ".ipBlock";
        unusual_prefix(here + ".cidr", block.value("cidr", json()), out);
        const json& except = array_at(block, "except");
        for (size_t e = 0; e < except.size(); ++e) unusual_prefix(item(here, "except", e), except[e], out);
      }
    }
  }
}

// Bounds of requests above those of limits.
void quota(const json& tree, const json*, Warnings& out) {
  const json& hard = object_at(object_at(tree, "spec"), "hard");
  for (const std::string resource : {"cpu", "memory", "ephemeral-storage"}) {
    const std::string limit = "limits." + resource;
    std::string request = "requests." + resource;
    if (!hard.contains(request) && resource != "ephemeral-storage") request = resource;
    if (!hard.contains(request) || !hard.contains(limit)) continue;
    const auto asked = quantity_nanos(hard[request]), allowed = quantity_nanos(hard[limit]);
    if (!asked || !allowed || *asked <= *allowed) continue;
    auto text = [](const json& amount) { return amount.is_string() ? amount.get<std::string>() : amount.dump(); };
    out.push_back("ResourceQuota " + request + " (" + text(hard[request]) + ") should be less than " + limit + " (" + text(hard[limit]) + ")");
  }
}

void service_account(const json& tree, const json* old, Warnings& out) {
  constexpr const char* kEnforce = "kubernetes.io/enforce-mountable-secrets";
  if (!annotations_of(tree).contains(kEnforce) || (old && annotations_of(*old).contains(kEnforce))) return;
  out.push_back(std::string("metadata.annotations[") + kEnforce + "]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets");
}

void admission(const json& tree, const json*, Warnings& out) {
  if (!string_at(object_at(tree, "metadata"), "name").ends_with(".static.k8s.io")) return;
  out.push_back("metadata.name: names ending with \".static.k8s.io\" are reserved for static manifest-based configurations and cannot be managed via the API");
}

struct KindRow {
  std::string_view storage_name;
  void (*add)(const json& tree, const json* old, Warnings& out);
};
constexpr KindRow kKinds[] = {
    {"csidrivers.storage.k8s.io", csi_driver},
    {"csistoragecapacities.storage.k8s.io", storage_capacity},
    {"endpoints", endpoints},
    {"endpointslices.discovery.k8s.io", endpointslice},
    {"mutatingadmissionpolicies.admissionregistration.k8s.io", admission},
    {"mutatingadmissionpolicybindings.admissionregistration.k8s.io", admission},
    {"mutatingwebhookconfigurations.admissionregistration.k8s.io", admission},
    {"networkpolicies.networking.k8s.io", network_policy},
    {"nodes", node},
    {"persistentvolumeclaims", claim},
    {"persistentvolumes", persistent_volume},
    {"resourcequotas", quota},
    {"runtimeclasses.node.k8s.io", runtime_class},
    {"serviceaccounts", service_account},
    {"storageclasses.storage.k8s.io", storage_class},
    {"validatingadmissionpolicies.admissionregistration.k8s.io", admission},
    {"validatingadmissionpolicybindings.admissionregistration.k8s.io", admission},
    {"validatingwebhookconfigurations.admissionregistration.k8s.io", admission},
};

}  // namespace

std::vector<std::string> object_warnings(std::string_view storage_name, const json& tree, const json* old) {
  Warnings out;
  for (const KindRow& row : kKinds) {
    if (row.storage_name == storage_name && tree.is_object()) row.add(tree, old, out);
  }
  return out;
}

}  // namespace store
