// store/base/line_diff.h - what differs between two texts, as hunks of lines ("@@ -1,3 +1,4 @@"). Pure.
//
// The lines that stay are chosen as Python's difflib chooses them, which upstream's messages use: the longest run that both
// have, then the longest on each side of it; lines that come very often in a long text start no run.
#pragma once

#include <string>
#include <string_view>

namespace base {

// Empty when the texts are equal. Three lines of context around each change.
std::string line_diff(std::string_view before, std::string_view after);

}  // namespace base
