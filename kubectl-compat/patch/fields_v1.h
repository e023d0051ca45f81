// kubectl-compat/patch/fields_v1.h - PathSet to and from the FieldsV1 form, and path elements. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kubectl-compat/patch/path_set.h"
#include "store/schema/schema.h"

namespace compat {

using json = nlohmann::json;

// {"f:spec":{"f:replicas":{}}}; a node that is itself in the set and has some below it carries ".".
json encode_fields(const PathSet& set);
// Anything that is no FieldsV1 (another element prefix, a non-object, too deep) gives nothing. `respelled` becomes true
// when an element was not spelt as encode_fields() spells it.
std::optional<PathSet> decode_fields(const json& fields, bool* respelled = nullptr);

std::string field_element(std::string_view name);  // f:name
// The element that names an item of a list of type set or map; absent keys take the schema's default. Nothing: a key
// is absent and has no default, or the item is not of the right kind. `list` has kind kList.
std::optional<std::string> item_element(const json& item, const store::Type& list);

// As conflicts print a path: .spec.containers[name="c"].image, [="x"] for set items.
std::string render_element(std::string_view element);
std::string render_path(const std::vector<std::string_view>& path);

}  // namespace compat
