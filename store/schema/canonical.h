// store/schema/canonical.h - private to store/schema: the one form in which upstream writes values that can be written in
// several. Pure; what does not parse is left as it is, for check_types has judged it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "store/schema/schema.h"

namespace store {

// "0.1" -> "100m", "1000" -> "1k", "1024Mi" -> "1Gi"; "1.500" and "1025Ki" stay, as upstream has it.
std::string canonical_quantity(std::string_view text);
// "2026-01-02T05:04:05.5+02:00" -> "2026-01-02T03:04:05Z" (kTime), "2026-01-02T03:04:05.500000Z" (kMicroTime).
std::string canonical_time(std::string_view text, TypeKind kind);
// Base64 in one line.
std::string canonical_base64(std::string_view text);

// The value in the form of its kind; kinds with one form only are left alone.
void canonicalise(json& value, TypeKind kind);

}  // namespace store
