// store/object/selector_check.h - private to store/object: the checks that both selector forms share.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "store/base/result.h"
#include "store/object/selector.h"

namespace store {

// The decimal reading that Gt and Lt use; nothing when it is not an integer of 64 bits.
std::optional<int64_t> parse_integer(std::string_view text);
// kBadRequest with upstream's words when key, operator and values do not go together.
base::Status check_requirement(const Requirement& requirement);

}  // namespace store
