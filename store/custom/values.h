// store/custom/values.h - what a write does to a custom object before it is stored. Pure; any JSON is taken; nothing throws.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "store/base/result.h"
#include "store/custom/custom_kind.h"

namespace store {

// Removes what the schema does not know, and nulls that it does not allow (unless a default takes their place); returns the
// unknown as upstream words it (`unknown field "spec.foo"`). kBadRequest: metadata of an object within is none.
base::Result<std::vector<std::string>> prune_custom(json& tree, const CustomVersion& version);
// Fills in defaults; null counts as absent where the schema does not allow it.
void default_custom(json& tree, const CustomVersion& version);
// 2.0 becomes 2, as Go writes it.
void tidy_numbers(json& value);
// Every cause, worded as upstream. `old`: what is there already, or nullptr; a value that it has at the same place is not
// judged again (so that a stricter schema does not make old objects unwritable). `subresource`: "status" judges that alone.
std::vector<base::Cause> validate_custom(const json& tree, const json* old, const CustomVersion& version, std::string_view subresource = "");

// Finalizers that `old` (nullptr: none) does not have and whose names invite conflicts.
std::vector<std::string> custom_warnings(const json& tree, const json* old);

// The parts of it. `path`: in front of all fields in causes.
std::vector<base::Cause> validate_value(const json& value, const json* old, const SchemaNode& schema, const std::string& path);
std::vector<base::Cause> validate_lists(const json& value, const SchemaNode& schema, const std::string& path);     // Sets and map lists
std::vector<base::Cause> validate_embedded(const json& value, const SchemaNode& schema, const std::string& path);  // Objects within

// For defaults in definitions: the same for a bare value.
std::vector<std::string> prune_value(json& value, const SchemaNode& schema);
std::vector<base::Cause> validate_default(const json& value, const SchemaNode& schema, const std::string& path);

}  // namespace store
