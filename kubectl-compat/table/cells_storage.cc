// Claims of storage.
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
json claim_access_modes(const CellInput& in) {
  if (!is_bound(in)) return "";
  static constexpr std::pair<const char*, const char*> kShort[] = {
      {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
  const json& modes = store::get_array(in.tree, "status.accessModes");
  std::vector<std::string> out;
  for (const auto& [name, text] : kShort) {
    if (std::find(modes.begin(), modes.end(), name) != modes.end()) out.push_back(text);
  }
  return join(out, ",");
}

// The annotation is older than the field, and goes before it.
json claim_storage_class(const CellInput& in) {
  const std::string* old = store::find_annotation(in.tree, "volume.beta.kubernetes.io/storage-class");
  return old != nullptr ? *old : get_string(in.tree, "spec.storageClassName");
}

json claim_attributes_class(const CellInput& in) { return get_string(in.tree, "spec.volumeAttributesClassName", "<unset>"); }
json claim_volume_mode(const CellInput& in) { return get_string(in.tree, "spec.volumeMode", "<unset>"); }

constexpr CellRow kCells[] = {
    {"claim_access_modes", claim_access_modes},   {"claim_attributes_class", claim_attributes_class}, {"claim_capacity", claim_capacity},
    {"claim_status", claim_status},               {"claim_storage_class", claim_storage_class},       {"claim_volume_mode", claim_volume_mode},
};

}  // namespace

std::span<const CellRow> storage_cells() { return kCells; }

}  // namespace compat
