// store/schema/defaults.h - the values that a field has when nobody wrote it. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "store/schema/schema.h"

namespace store {

// Precondition: field.default_json is not empty.
json default_value(const Field& field);
// What Go has in a field that was not set. Lists and maps are nil ones, and so null.
const json& zero_value(const Field& field);

}  // namespace store
