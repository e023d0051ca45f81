// store/schema/go_form.h - a value as upstream's own Go types hold it. Messages that quote a whole struct show it as Go's JSON of
// those: capital names, in the order of the declaration, with what is not set as null or zero. Pure; never throws.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "store/base/result.h"
#include "store/schema/schema.h"

namespace store {

// One line; `indented`: as Go's MarshalIndent with one blank.
std::string go_form(const json& value, const Type& type, bool indented = false);
// The field `name` of an object of `type`, also when it is not set.
std::string go_field(const json& object, const Type& type, std::string_view name);
// "Invalid value: {"Key":"a",...}: detail"
base::Cause cause_invalid_struct(std::string field, const json& value, const Type& type, const std::string& detail);

}  // namespace store
