// store/schema/warnings.h - what a write of a pod or of a kind that makes pods is warned of. Pure; the wording is upstream's.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "store/schema/schema.h"

namespace store {

// A pod, or a template at `path`.
std::vector<std::string> pod_warnings(const json& pod, const std::string& path);
// A PersistentVolumeClaimSpec at `path`.
std::vector<std::string> claim_warnings(const json& spec, const std::string& path);
bool has_workload_warnings(std::string_view storage_name);
// An object with its defaults, by the storage name of its kind; `old` on an update, nullptr on a create. Other kinds have none.
std::vector<std::string> workload_warnings(std::string_view storage_name, const json& tree, const json* old);

}  // namespace store
