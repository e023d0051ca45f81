// kubectl-compat/patch/typed.h - walking (tree, schema) together for server-side apply: which paths a tree has,
// where two trees differ, how they merge. Pure; any thread. Null values of configurations count as absent.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "kubectl-compat/patch/path_set.h"
#include "store/schema/schema.h"

namespace compat {

using json = nlohmann::json;

// How a value takes part in ownership.
enum class Shape {
  kLeaf,     // Owned as one: scalars, atomic maps and lists, anything that is not what its type says.
  kStruct,   // Declared fields
  kMapping,  // Keys are paths of their own (labels), and so is each key without fields
  kItems,    // A list whose items are named by element (set, map)
};
// `type` nullptr or kAny: objects are mappings, lists are atomic.
Shape shape_of(const store::Type* type, const json& value);
const store::Type* child_type(const store::Type* type, std::string_view name);
inline const store::Type* element_type(const store::Type* type) { return type == nullptr ? nullptr : type->element; }

// The paths a configuration sets. `errors` gets what does not fit the schema, worded as upstream (".spec.foo: field
// not declared in schema").
PathSet field_set(const json& tree, const store::Type& type, std::vector<std::string>& errors);

struct Difference {
  PathSet taken;    // Added or modified
  PathSet removed;
  bool empty() const { return taken.empty() && removed.empty(); }
};
struct CompareOptions {
  std::string_view ignored;  // A top-level field left out ("status", "spec"); "" = none.
};
// From `before` (null: nothing) to `after`. Identity and what the server alone sets (apiVersion, kind, metadata.name,
// uid, resourceVersion, generation, managedFields, ...) never appear.
Difference compare(const json& before, const json& after, const store::Type& type, const CompareOptions& options);
// Removes those same paths from a set.
void strip_server_fields(PathSet& set);
bool is_server_metadata(std::string_view field);

// live with config laid over it; lists of items keep config's order, what only live has keeps its place.
json merge(const json& live, const json& config, const store::Type& type);
// Removes from `tree` what `last` has and `managed` has not.
void prune_paths(json& tree, const store::Type& type, const PathSet& last, const PathSet& managed);

}  // namespace compat
