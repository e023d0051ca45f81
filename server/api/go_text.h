// server/api/go_text.h - what Go's parsers of numbers and durations say. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "store/base/result.h"

namespace server {

// strconv.ParseInt and ParseUint in base 10; kBadRequest in their words.
base::Result<int64_t> parse_int(const std::string& text);
base::Result<uint64_t> parse_uint(const std::string& text);
// strconv.ParseBool's six spellings of each; anything else is `otherwise`.
bool parse_bool(const std::string& text, bool otherwise);
// What time.ParseDuration has against it; "" when nothing.
std::string duration_problem(const std::string& text);

}  // namespace server
