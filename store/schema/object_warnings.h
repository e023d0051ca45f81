// store/schema/object_warnings.h - what a write of a kind that neither is nor makes pods is warned of: values in unusual forms,
// labels and fields of older days. Pure; the wording is upstream's.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "store/schema/schema.h"

namespace store {

// `tree` as it was written, by the storage name of its kind; `old` on an update, nullptr on a create. Other kinds have none.
std::vector<std::string> object_warnings(std::string_view storage_name, const json& tree, const json* old);

}  // namespace store
