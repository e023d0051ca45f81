// store/object/label_syntax.h - which label keys and values Kubernetes accepts, and how it words a refusal.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

namespace store {

// Empty when `key` is a qualified name ([prefix/]name); else upstream's sentence(s), joined with "; ".
std::string label_key_problem(std::string_view key);
// Empty when `value` is a label value; else upstream's sentence(s), joined with "; ".
std::string label_value_problem(std::string_view value);
// "text" with Go's escapes for quotes, backslashes and control characters (the %q of upstream's messages).
std::string go_quoted(std::string_view text);

}  // namespace store
