// PersistentVolumeClaim.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr std::string_view kModes[] = {"ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"};

// What may still change: the volume when it is bound, and how much is asked for afterwards.
json frozen_part(const json& tree) {
  json spec = object_at(tree, "spec");
  for (const char* field : {"volumeName", "resources", "volumeAttributesClassName"}) spec.erase(field);
  return spec;
}

}  // namespace

void check_claim_spec(const json& spec, const std::string& path, Causes& causes) {
  const json& modes = array_at(spec, "accessModes");
  if (modes.empty()) causes.push_back(cause_required(path + ".accessModes", "at least 1 access mode is required"));
  for (const json& mode : modes) {
    if (std::find(std::begin(kModes), std::end(kModes), mode) == std::end(kModes)) causes.push_back(cause_not_supported(path + ".accessModes", mode, kModes));
  }
  if (modes.size() > 1 && std::find(modes.begin(), modes.end(), "ReadWriteOncePod") != modes.end()) {
    causes.push_back(cause_forbidden(path + ".accessModes", "may not use ReadWriteOncePod with other access modes"));
  }
  const json& requests = object_at(object_at(spec, "resources"), "requests");
  if (!requests.contains("storage")) {
    causes.push_back(cause_required(path + ".resources[storage]"));
  } else if (const auto size = quantity_nanos(requests["storage"]); size && *size <= 0) {
    causes.push_back(cause_invalid(path + ".resources[storage]", requests["storage"], "must be greater than zero"));
  }
}

std::vector<base::Cause> validate_persistentvolumeclaim(const json& tree, const json* old) {
  Causes causes;
  check_claim_spec(object_at(tree, "spec"), "spec", causes);
  if (old && frozen_part(tree) != frozen_part(*old)) {
    causes.push_back(cause_forbidden("spec", "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"));
  }
  return causes;
}

}  // namespace store
