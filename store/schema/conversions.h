// store/schema/conversions.h - between the versions of a kind: served in several, kept in one.
//
// Every version names the one that is kept (Resource::stored_version) and how to get there (Resource::convert, a name of
// the table in conversions.cc). Nothing is lost on the way there and back. Pure; any JSON is taken; nothing throws.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "store/object/object.h"
#include "store/schema/schema.h"

namespace store {

// Both leave apiVersion alone. `to_stored` gets a tree of the version that names the conversion, `from_stored` gives one.
struct Conversion {
  void (*to_stored)(json& tree);
  void (*from_stored)(json& tree);
};
const Conversion* find_conversion(std::string_view name);  // nullptr: no such conversion.

// `tree` of `r`'s version as it is kept, and the way back; the tree itself when `r` is the version that is kept.
json to_stored(const Resource& r, json tree);
json from_stored(const Resource& r, json tree);
// A stored object as `r` shows it. Shares everything when `r` is the version that is kept.
Object view(const Resource& r, const Object& stored);

namespace conversions {  // The rows of the table, for their tests and conversions.cc alone.
void event_to_stored(json& tree);
void event_from_stored(json& tree);
void autoscaler_to_stored(json& tree);
void autoscaler_from_stored(json& tree);
}  // namespace conversions

}  // namespace store
