// store/schema/validate.h - the causes of a 422, worded as upstream. Cause.message has no field in front. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/result.h"

namespace store {

using json = nlohmann::json;
using Causes = std::vector<base::Cause>;

void append(Causes& causes, Causes more);
std::string shown(const json& value);  // As messages show a value: compact JSON.
base::Cause cause_required(std::string field, const std::string& detail = "");
base::Cause cause_invalid(std::string field, const json& value, const std::string& detail);
base::Cause cause_duplicate(std::string field, const json& value);
base::Cause cause_forbidden(std::string field, const std::string& detail);
base::Cause cause_not_supported(std::string field, const json& value, std::span<const std::string_view> supported);

}  // namespace store
