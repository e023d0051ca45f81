// PersistentVolume and the kinds of storage.k8s.io.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/base/text.h"
#include "store/object/label_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr std::string_view kModes[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"};
constexpr std::string_view kSources[] = {
    "hostPath", "gcePersistentDisk", "awsElasticBlockStore", "glusterfs", "flocker", "nfs", "rbd", "quobyte", "cephfs", "iscsi", "cinder", "fc",
    "flexVolume", "azureFile", "vsphereVolume", "photonPersistentDisk", "portworxVolume", "azureDisk", "scaleIO", "local", "storageos", "csi",
};
constexpr int64_t kMinTokenSeconds = 600;
constexpr int64_t kMaxTokenSeconds = int64_t{1} << 32;
constexpr size_t kMaxDriverName = 63;
constexpr size_t kMaxNodeId = 192;

std::string number_of_bytes(size_t limit) { return "Too long: may not be more than " + std::to_string(limit) + " bytes"; }

void check_driver_name(const std::string& name, const std::string& field, Causes& causes) {
  if (name.empty()) causes.push_back(cause_required(field));
  if (name.size() > kMaxDriverName) causes.push_back({"FieldValueTooLong", number_of_bytes(kMaxDriverName), field});
  add_problem(causes, field, name, name_problem(base::lower(name), NameRule::kDnsSubdomain));
}

void check_access_modes(const json& spec, Causes& causes) {
  const json& modes = array_at(spec, "accessModes");
  if (modes.empty()) causes.push_back(cause_required("spec.accessModes"));
  for (const json& mode : modes) {
    if (std::find(std::begin(kModes), std::end(kModes), mode) == std::end(kModes)) causes.push_back(cause_not_supported("spec.accessModes", mode, kModes));
  }
  if (modes.size() > 1 && std::find(modes.begin(), modes.end(), "ReadWriteOncePod") != modes.end()) {
    causes.push_back(cause_forbidden("spec.accessModes", "may not use ReadWriteOncePod with other access modes"));
  }
}

void check_capacity(const json& spec, Causes& causes) {
  static constexpr std::string_view kStorage[] = {"storage"};
  const json& capacity = object_at(spec, "capacity");
  if (capacity.empty()) causes.push_back(cause_required("spec.capacity"));
  if (!capacity.contains("storage") || capacity.size() > 1) causes.push_back(cause_not_supported("spec.capacity", capacity, kStorage));
  for (const auto& [resource, amount] : capacity.items()) {
    const auto value = quantity_nanos(amount);
    if (value && *value <= 0) causes.push_back(cause_invalid("spec.capacity[" + resource + "]", amount, "must be greater than zero"));
  }
}

json sources_of(const json& tree) {
  json out = json::object();
  const json& spec = object_at(tree, "spec");
  for (std::string_view source : kSources) {
    if (spec.contains(source)) out[std::string(source)] = spec[std::string(source)];
  }
  return out;
}

void check_unchanged(const json& tree, const json* old, std::initializer_list<const char*> fields, Causes& causes) {
  if (!old) return;
  auto value = [](const json& from, const char* key) { return from.is_object() && from.contains(key) ? from[key] : json(); };
  for (const char* field : fields) {
    if (value(tree, field) != value(*old, field)) causes.push_back(cause_forbidden(field, std::string("updates to ") + field + " are forbidden."));
  }
}

}  // namespace

std::vector<base::Cause> validate_persistentvolume(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  check_access_modes(spec, causes);
  check_capacity(spec, causes);
  const json sources = sources_of(tree);
  size_t count = 0;
  for (std::string_view source : kSources) {
    if (!spec.contains(source)) continue;
    if (++count > 1) causes.push_back(cause_forbidden("spec." + std::string(source), "may not specify more than 1 volume type"));
  }
  if (count == 0) causes.push_back(cause_required("spec", "must specify a volume type"));
  if (spec.contains("local") && object_at(spec, "nodeAffinity").empty()) causes.push_back(cause_required("spec.nodeAffinity", "Local volume requires node affinity"));
  if (string_at(object_at(spec, "hostPath"), "path") == "/" && string_at(spec, "persistentVolumeReclaimPolicy") == "Recycle") {
    causes.push_back(cause_forbidden("spec.persistentVolumeReclaimPolicy", "may not be 'recycle' for a hostPath mount of '/'"));
  }
  if (const std::string name = string_at(spec, "storageClassName"); !name.empty()) {
    add_problem(causes, "spec.storageClassName", name, name_problem(name, NameRule::kDnsSubdomain));
  }
  if (!old) return causes;
  if (sources != sources_of(*old)) causes.push_back(cause_forbidden("spec.persistentvolumesource", "spec.persistentvolumesource is immutable after creation"));
  if (string_at(spec, "volumeMode") != string_at(object_at(*old, "spec"), "volumeMode")) {
    causes.push_back(cause_invalid("spec.volumeMode", string_at(spec, "volumeMode"), "field is immutable"));
  }
  return causes;
}

std::vector<base::Cause> validate_storageclass(const json& tree, const json* old) {
  Causes causes;
  const std::string provisioner = string_at(tree, "provisioner");
  if (provisioner.empty()) causes.push_back(cause_required("provisioner"));
  else add_problem(causes, "provisioner", provisioner, label_key_problem(base::lower(provisioner)));
  const json& parameters = object_at(tree, "parameters");
  for (const auto& [key, value] : parameters.items()) {
    if (key.empty()) causes.push_back(cause_invalid("parameters", key, "field can not be empty."));
  }
  check_unchanged(tree, old, {"parameters", "provisioner", "reclaimPolicy"}, causes);
  return causes;
}

std::vector<base::Cause> validate_volumeattributesclass(const json& tree, const json* old) {
  Causes causes;
  const std::string driver = string_at(tree, "driverName");
  if (!driver.empty()) check_driver_name(driver, "driverName", causes);
  if (object_at(tree, "parameters").empty()) causes.push_back(cause_required("parameters", "must contain at least one key/value pair"));
  check_unchanged(tree, old, {"driverName", "parameters"}, causes);
  return causes;
}

std::vector<base::Cause> validate_csidriver(const json& tree, const json* old) {
  Causes causes;
  if (!old) check_driver_name(string_at(object_at(tree, "metadata"), "name"), "metadata.name", causes);
  const json& requests = array_at(object_at(tree, "spec"), "tokenRequests");
  std::set<std::string> audiences;
  for (size_t i = 0; i < requests.size(); ++i) {
    const std::string here = item("spec", "tokenRequests", i), audience = string_at(requests[i], "audience");
    if (!audiences.insert(audience).second) causes.push_back(cause_duplicate(here + ".audience", audience));
    if (!requests[i].is_object() || !requests[i].contains("expirationSeconds")) continue;
    const int64_t seconds = integer_at(requests[i], "expirationSeconds");
    if (seconds < kMinTokenSeconds) causes.push_back(cause_invalid(here + ".expirationSeconds", seconds, "may not specify a duration less than 10 minutes"));
    if (seconds > kMaxTokenSeconds) causes.push_back(cause_invalid(here + ".expirationSeconds", seconds, "may not specify a duration larger than 2^32 seconds"));
  }
  return causes;
}

std::vector<base::Cause> validate_csinode(const json& tree, const json*) {
  Causes causes;
  const json& drivers = array_at(object_at(tree, "spec"), "drivers");
  std::set<std::string> names;
  for (size_t i = 0; i < drivers.size(); ++i) {
    const std::string here = item("spec", "drivers", i), name = string_at(drivers[i], "name"), id = string_at(drivers[i], "nodeID");
    if (!name.empty()) check_driver_name(name, here + ".name", causes);
    if (id.size() > kMaxNodeId) causes.push_back(cause_invalid(here + ".nodeID", id, "must be " + std::to_string(kMaxNodeId) + " characters or less"));
    if (!names.insert(name).second) causes.push_back(cause_duplicate(here + ".name", name));
    const json& keys = array_at(drivers[i], "topologyKeys");
    std::set<json> seen;
    for (const json& key : keys) {
      if (!seen.insert(key).second) causes.push_back(cause_duplicate(here + ".topologyKeys", key));
      if (key.is_string()) add_problem(causes, here + ".topologyKeys", key, label_key_problem(key.get_ref<const std::string&>()));
    }
  }
  return causes;
}

std::vector<base::Cause> validate_csistoragecapacity(const json& tree, const json*) {
  Causes causes;
  const std::string name = string_at(tree, "storageClassName");
  if (!name.empty()) add_problem(causes, "storageClassName", name, name_problem(name, NameRule::kDnsSubdomain));
  for (const char* field : {"capacity", "maximumVolumeSize"}) {
    if (!tree.is_object() || !tree.contains(field)) continue;
    const auto value = quantity_nanos(tree[field]);
    if (value && *value < 0) causes.push_back(cause_invalid(field, tree[field], "must be greater than or equal to 0"));
  }
  check_label_selector(object_at(tree, "nodeTopology"), "nodeTopology", causes);
  return causes;
}

std::vector<base::Cause> validate_volumeattachment(const json& tree, const json*) {
  Causes causes;
  const json &spec = object_at(tree, "spec"), &source = object_at(spec, "source");
  check_driver_name(string_at(spec, "attacher"), "spec.attacher", causes);
  constexpr const char* kOne = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
  const bool described = source.contains("inlineVolumeSpec"), named = source.contains("persistentVolumeName");
  if (!described && !named) causes.push_back(cause_required("spec.source", kOne));
  if (described && named) causes.push_back(cause_forbidden("spec.source", kOne));
  if (named && !described && string_at(source, "persistentVolumeName").empty()) {
    causes.push_back(cause_required("spec.source.persistentVolumeName", "must specify non empty persistentVolumeName"));
  }
  const std::string node = string_at(spec, "nodeName");
  add_problem(causes, "spec.nodeName", node, name_problem(node, NameRule::kDnsSubdomain));
  return causes;
}

}  // namespace store
