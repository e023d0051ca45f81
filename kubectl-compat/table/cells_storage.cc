// Volumes, claims, and what describes storage drivers.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "kubectl-compat/table/cells.h"
#include "store/object/access.h"

namespace compat {
namespace {

using store::find;
using store::get_string;

json claim_status(const CellInput& in) {
  return find(in.tree, "metadata.deletionTimestamp") != nullptr ? "Terminating" : get_string(in.tree, "status.phase");
}

bool is_bound(const CellInput& in) { return !get_string(in.tree, "spec.volumeName").empty(); }

json claim_capacity(const CellInput& in) { return is_bound(in) ? get_string(in.tree, "status.capacity.storage") : ""; }

// In a fixed order, each once, as upstream shortens them.
std::string short_modes(const json& modes) {
  static constexpr std::pair<const char*, const char*> kShort[] = {
      {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
  std::vector<std::string> out;
  for (const auto& [name, text] : kShort) {
    if (std::find(modes.begin(), modes.end(), name) != modes.end()) out.push_back(text);
  }
  return join(out, ",");
}

json claim_access_modes(const CellInput& in) { return is_bound(in) ? short_modes(store::get_array(in.tree, "status.accessModes")) : ""; }

// The annotation is older than the field, and goes before it.
json claim_storage_class(const CellInput& in) {
  const std::string* old = store::find_annotation(in.tree, "volume.beta.kubernetes.io/storage-class");
  return old != nullptr ? *old : get_string(in.tree, "spec.storageClassName");
}

json claim_attributes_class(const CellInput& in) { return get_string(in.tree, "spec.volumeAttributesClassName", "<unset>"); }
json claim_volume_mode(const CellInput& in) { return get_string(in.tree, "spec.volumeMode", "<unset>"); }

json volume_capacity(const CellInput& in) { return get_string(in.tree, "spec.capacity.storage"); }
json volume_access_modes(const CellInput& in) { return short_modes(store::get_array(in.tree, "spec.accessModes")); }
json volume_claim(const CellInput& in) {
  if (find(in.tree, "spec.claimRef") == nullptr) return "";
  return get_string(in.tree, "spec.claimRef.namespace") + "/" + get_string(in.tree, "spec.claimRef.name");
}

json storageclass_name(const CellInput& in) {
  std::string name = get_string(in.tree, "metadata.name");
  for (const char* annotation : {"storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"}) {
    const std::string* value = store::find_annotation(in.tree, annotation);
    if (value != nullptr && *value == "true") return name + " (default)";
  }
  return name;
}
json storageclass_reclaim(const CellInput& in) { return get_string(in.tree, "reclaimPolicy", "Delete"); }
json storageclass_binding(const CellInput& in) { return get_string(in.tree, "volumeBindingMode", "Immediate"); }
json storageclass_expansion(const CellInput& in) { return store::get_bool(in.tree, "allowVolumeExpansion"); }

json driver_attach(const CellInput& in) { return store::get_bool(in.tree, "spec.attachRequired", true); }
json driver_pod_info(const CellInput& in) { return store::get_bool(in.tree, "spec.podInfoOnMount"); }
json driver_capacity(const CellInput& in) { return store::get_bool(in.tree, "spec.storageCapacity"); }
json driver_republish(const CellInput& in) { return store::get_bool(in.tree, "spec.requiresRepublish"); }
json driver_tokens(const CellInput& in) {
  std::vector<std::string> out;
  for (const json& request : store::get_array(in.tree, "spec.tokenRequests")) out.push_back(get_string(request, "audience"));
  return out.empty() ? "<unset>" : join(out, ",");
}
json driver_modes(const CellInput& in) { return or_none(join(string_items(store::get_array(in.tree, "spec.volumeLifecycleModes")), ",")); }
json csinode_drivers(const CellInput& in) { return store::get_array(in.tree, "spec.drivers").size(); }
json attachment_attached(const CellInput& in) { return store::get_bool(in.tree, "status.attached"); }
json attachment_volume(const CellInput& in) { return get_string(in.tree, "spec.source.persistentVolumeName"); }

constexpr CellRow kStorageCells[] = {
    {"storageclass_name", storageclass_name},
    {"storageclass_reclaim", storageclass_reclaim},
    {"storageclass_binding", storageclass_binding},
    {"storageclass_expansion", storageclass_expansion},
    {"driver_attach", driver_attach},
    {"driver_pod_info", driver_pod_info},
    {"driver_capacity", driver_capacity},
    {"driver_republish", driver_republish},
    {"driver_tokens", driver_tokens},
    {"driver_modes", driver_modes},
    {"csinode_drivers", csinode_drivers},
    {"attachment_attached", attachment_attached},
    {"attachment_volume", attachment_volume},
    {"volume_capacity", volume_capacity},
    {"volume_access_modes", volume_access_modes},
    {"volume_claim", volume_claim},
    {"claim_access_modes", claim_access_modes},   {"claim_attributes_class", claim_attributes_class}, {"claim_capacity", claim_capacity},
    {"claim_status", claim_status},               {"claim_storage_class", claim_storage_class},       {"claim_volume_mode", claim_volume_mode},
};

}  // namespace

std::span<const CellRow> storage_cells() { return kStorageCells; }

}  // namespace compat
