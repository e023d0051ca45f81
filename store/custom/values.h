// store/custom/values.h - what a write does to a custom object before it is stored. Pure; any JSON is taken; nothing throws.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "store/base/result.h"
#include "store/custom/custom_kind.h"

namespace store {

// Removes what the schema does not know; returns it as upstream words it (`unknown field "spec.foo"`).
std::vector<std::string> prune_custom(json& tree, const CustomVersion& version);
// Fills in defaults; null counts as absent where the schema does not allow it.
void default_custom(json& tree, const CustomVersion& version);
// Every cause, worded as upstream. `old`: what is there already, or nullptr; a value that it has at the same place is not
// judged again (so that a stricter schema does not make old objects unwritable).
std::vector<base::Cause> validate_custom(const json& tree, const json* old, const CustomVersion& version);

// For defaults in definitions: the same for a bare value.
std::vector<std::string> prune_value(json& value, const SchemaNode& schema);
std::vector<base::Cause> validate_value(const json& value, const SchemaNode& schema, const std::string& path);

}  // namespace store
