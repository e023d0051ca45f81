// store/schema/text_diff.h - two texts as a unified diff without file names, hunk by hunk as Go's difflib (Python's, at heart) prints
// it: messages about specs that may not change show one. Pure.
#pragma once

#include <string>

namespace store {

// Three lines of context; "" when the texts are the same.
std::string unified_diff(const std::string& before, const std::string& after);

}  // namespace store
