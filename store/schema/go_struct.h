// store/schema/go_struct.h - private to store/schema: a value as Go prints its internal type in a cause. Those types have
// no names for JSON, so the fields come under their Go names, in the order of the type, and absent ones as their zero. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>

#include "store/base/result.h"

namespace store {

struct GoField {
  const char* name;                   // "RollingUpdate"
  const char* key;                    // "rollingUpdate"
  const char* zero = "null";          // What stands there when the key is absent.
  std::span<const GoField> fields{};  // Of a struct, or of a list's elements.
};

std::string go_struct(const nlohmann::json& value, std::span<const GoField> fields);

// cause_invalid and cause_not_supported of a value that is text already.
base::Cause cause_invalid_go(std::string field, const std::string& text, const std::string& detail);
base::Cause cause_not_supported_go(std::string field, const std::string& text, std::span<const std::string_view> supported);

}  // namespace store
