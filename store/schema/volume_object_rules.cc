// PersistentVolume, and the same spec within a VolumeAttachment.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/base/line_diff.h"
#include "store/schema/go_form.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr std::string_view kReclaimPolicies[] = {"Delete", "Recycle", "Retain"};
constexpr std::string_view kObjectVolumeModes[] = {"Block", "Filesystem"};
constexpr const char* kInline = " in the context of inline volumes";

// In the order in which upstream looks at them, which also says how it names them.
struct SourceRow {
  std::string_view field;
  std::string_view shown;
};
constexpr SourceRow kSources[] = {
    {"hostPath", "hostPath"},
    {"gcePersistentDisk", "gcePersistentDisk"},
    {"awsElasticBlockStore", "awsElasticBlockStore"},
    {"glusterfs", "glusterfs"},
    {"flocker", "flocker"},
    {"nfs", "nfs"},
    {"rbd", "rbd"},
    {"quobyte", "quobyte"},
    {"cephfs", "cephFS"},
    {"iscsi", "iscsi"},
    {"cinder", "cinder"},
    {"fc", "fc"},
    {"flexVolume", "flexVolume"},
    {"azureFile", "azureFile"},
    {"vsphereVolume", "vsphereVolume"},
    {"photonPersistentDisk", "photonPersistentDisk"},
    {"portworxVolume", "portworxVolume"},
    {"azureDisk", "azureDisk"},
    {"scaleIO", "scaleIO"},
    {"local", "local"},
    {"storageos", "storageos"},
    {"csi", "csi"},
};

bool is_one_of(const json& value, std::span<const std::string_view> list) {
  return std::any_of(list.begin(), list.end(), [&](std::string_view known) { return value == known; });
}

void check_modes(const json& spec, const std::string& path, Causes& causes) {
  const json& modes = array_at(spec, "accessModes");
  if (modes.empty()) causes.push_back(cause_required(path + ".accessModes"));
  for (const json& mode : modes) {
    if (!is_one_of(mode, kAccessModes)) causes.push_back(cause_not_supported(path + ".accessModes", mode, kAccessModes));
  }
  if (modes.size() > 1 && std::find(modes.begin(), modes.end(), "ReadWriteOncePod") != modes.end()) {
    causes.push_back(cause_forbidden(path + ".accessModes", "may not use ReadWriteOncePod with other access modes"));
  }
}

void check_capacity(const json& spec, const std::string& path, Causes& causes) {
  static constexpr std::string_view kStorage[] = {"storage"};
  const json& capacity = object_at(spec, "capacity");
  if (capacity.empty()) causes.push_back(cause_required(path + ".capacity"));
  if (!capacity.contains("storage") || capacity.size() > 1) {
    causes.push_back(cause_not_supported(path + ".capacity", spec.contains("capacity") ? json(capacity) : json(), kStorage));
  }
  for (const auto& [resource, amount] : capacity.items()) {
    const auto value = quantity_nanos(amount);
    if (value && *value < 0) causes.push_back(cause_invalid(path + ".capacity[" + resource + "]", amount, "must be a valid resource quantity"));
    if (value && *value <= 0) causes.push_back(cause_invalid(path + ".capacity[" + resource + "]", amount, "must be greater than zero"));
  }
}

void check_node_affinity(const json& spec, const std::string& path, Causes& causes) {
  if (!has(spec, "nodeAffinity")) return;
  const json& affinity = spec["nodeAffinity"];
  if (!has(affinity, "required")) return causes.push_back(cause_required(path + ".nodeAffinity.required", "must specify required node constraints"));
  check_node_selector(affinity["required"], path + ".nodeAffinity.required", causes);
}

void check_volume_sources(const json& spec, const std::string& path, Causes& causes) {
  size_t count = 0;
  for (const SourceRow& row : kSources) {
    if (!has(spec, row.field)) continue;
    const std::string field = path + "." + std::string(row.shown);
    if (row.field == "flexVolume") {  // Upstream does not count here what came before.
      ++count;
      if (string_at(spec["flexVolume"], "driver").empty()) causes.push_back(cause_required(field + ".driver"));
    } else if (++count > 1) {
      causes.push_back(cause_forbidden(field, "may not specify more than 1 volume type"));
    } else if (row.field == "local" && !has(spec, "nodeAffinity")) {
      causes.push_back(cause_required(path + ".nodeAffinity", "Local volume requires node affinity"));
    }
  }
  if (count == 0) causes.push_back(cause_required(path, "must specify a volume type"));
}

void check_attributes_class(const json& spec, const std::string& path, Causes& causes) {
  const std::string field = path + ".volumeAttributesClassName";
  const json name = value_at(spec, "volumeAttributesClassName");
  if (!name.is_string()) return;
  if (name == "") causes.push_back(cause_required(field, "an empty string is disallowed"));
  else add_problem(causes, field, name, name_problem(name.get_ref<const std::string&>(), NameRule::kDnsSubdomain));
  if (!has(spec, "csi")) causes.push_back(cause_required(path + ".csi", "has to be specified when using volumeAttributesClassName"));
}

void check_spec(const json& spec, Causes& causes) {
  check_modes(spec, "spec", causes);
  check_capacity(spec, "spec", causes);
  const std::string policy = string_at(spec, "persistentVolumeReclaimPolicy"), name = string_at(spec, "storageClassName");
  const std::string policy_field = "spec.persistentVolumeReclaimPolicy";
  if (!policy.empty() && !is_one_of(policy, kReclaimPolicies)) causes.push_back(cause_not_supported(policy_field, policy, kReclaimPolicies));
  check_node_affinity(spec, "spec", causes);
  check_volume_sources(spec, "spec", causes);
  if (string_at(object_at(spec, "hostPath"), "path") == "/" && policy == "Recycle") {
    causes.push_back(cause_forbidden(policy_field, "may not be 'recycle' for a hostPath mount of '/'"));
  }
  if (!name.empty()) add_problem(causes, "spec.storageClassName", name, name_problem(name, NameRule::kDnsSubdomain));
  const json mode = value_at(spec, "volumeMode");
  if (mode.is_string() && !is_one_of(mode, kObjectVolumeModes)) causes.push_back(cause_not_supported("spec.volumeMode", mode, kObjectVolumeModes));
  check_attributes_class(spec, "spec", causes);
}

json sources_of(const json& spec) {
  json out = json::object();
  for (const SourceRow& row : kSources) {
    if (has(spec, row.field)) out[std::string(row.field)] = spec[std::string(row.field)];
  }
  return out;
}

// The part of the spec's form that upstream keeps in a struct of its own.
std::string sources_text(const json& spec, const Type& type) {
  const nlohmann::ordered_json whole = nlohmann::ordered_json::parse(go_form(spec, type), nullptr, false);
  nlohmann::ordered_json out = nlohmann::ordered_json::object();
  // As the internal type declares them, which is older than the numbers in protobuf.
  for (const char* name : {"GCEPersistentDisk", "AWSElasticBlockStore", "HostPath", "Glusterfs", "NFS", "RBD", "Quobyte", "ISCSI", "FlexVolume", "Cinder", "CephFS", "FC",
                           "Flocker", "AzureFile", "VsphereVolume", "AzureDisk", "PhotonPersistentDisk", "PortworxVolume", "ScaleIO", "Local", "StorageOS", "CSI"}) {
    if (whole.contains(name)) out[name] = whole[name];
  }
  return out.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

void check_volume_change(const json& spec, const json& before, Causes& causes) {
  json now = sources_of(spec);
  const json had = sources_of(before);
  if (has(object_at(now, "csi"), "controllerExpandSecretRef") && had.contains("csi") && !has(had["csi"], "controllerExpandSecretRef")) now["csi"].erase("controllerExpandSecretRef");
  const Type* type = find_type("io.k8s.api.core.v1.PersistentVolumeSpec");
  if (now != had && type) {
    causes.push_back(cause_forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation\n" +
                                                                        base::line_diff(sources_text(had, *type), sources_text(now, *type))));
  }
  if (value_at(spec, "volumeMode") != value_at(before, "volumeMode")) causes.push_back(cause_invalid("volumeMode", value_at(spec, "volumeMode"), "field is immutable"));
  const Type* affinity = find_type("io.k8s.api.core.v1.VolumeNodeAffinity");
  if (has(before, "nodeAffinity") && value_at(spec, "nodeAffinity") != before["nodeAffinity"] && affinity) {
    causes.push_back(cause_invalid_struct("nodeAffinity", value_at(spec, "nodeAffinity"), *affinity, "field is immutable, except for updating from beta label to GA"));
  }
  if (has(before, "volumeAttributesClassName") && !has(spec, "volumeAttributesClassName")) {
    causes.push_back(cause_forbidden("spec.volumeAttributesClassName", "update from non-nil value to nil is forbidden"));
  }
}

}  // namespace

void check_inline_volume(const json& spec, const std::string& path, Causes& causes) {
  const std::string may_not = std::string("may not be specified") + kInline;
  if (has(spec, "claimRef")) causes.push_back(cause_forbidden(path + ".claimRef", may_not));
  if (!object_at(spec, "capacity").empty()) causes.push_back(cause_forbidden(path + ".capacity", may_not));
  if (!has(spec, "csi")) causes.push_back(cause_required(path + ".csi", std::string("has to be specified") + kInline));
  check_modes(spec, path, causes);
  const std::string policy = string_at(spec, "persistentVolumeReclaimPolicy");
  if (!policy.empty() && policy != "Retain") causes.push_back(cause_forbidden(path + ".persistentVolumeReclaimPolicy", std::string("may only be Retain") + kInline));
  if (has(spec, "nodeAffinity")) causes.push_back(cause_forbidden(path + ".nodeAffinity", may_not));
  check_volume_sources(spec, path, causes);
  if (!string_at(spec, "storageClassName").empty()) causes.push_back(cause_forbidden(path + ".storageClassName", may_not));
  const std::string mode = string_at(spec, "volumeMode");
  if (has(spec, "volumeMode") && mode != "Filesystem") {
    causes.push_back(cause_forbidden(path + ".volumeMode", std::string("may not specify volumeMode other than Filesystem") + kInline));
  }
  check_attributes_class(spec, path, causes);
}

std::vector<base::Cause> validate_persistentvolume(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  check_spec(spec, causes);
  if (old) check_volume_change(spec, object_at(*old, "spec"), causes);
  return causes;
}

}  // namespace store
