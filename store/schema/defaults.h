// store/schema/defaults.h - the value behind Field::default_json. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "store/schema/schema.h"

namespace store {

// Precondition: field.default_json is not empty.
json default_value(const Field& field);

}  // namespace store
