// server/api/json_syntax.h - what is wrong with a body, in the words of Go's decoder. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace server {

// Of text that is no JSON; "" when it is.
std::string json_problem(std::string_view text);
// The start of a body as upstream shows it behind an error: text that begins an object as it is, anything else in hex.
std::string summarize_body(std::string_view body);
// The path of each key, in the order in which they are written: "spec", "spec.containers", "spec.containers[0].name".
// At most `limit`.
std::vector<std::string> key_paths(const std::string& text, size_t limit);

}  // namespace server
