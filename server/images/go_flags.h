// server/images/go_flags.h - command lines as Go's flag package and cobra's pflag read them. Pure.
#pragma once

#include <chrono>
#include <string>
#include <variant>
#include <vector>

#include "store/base/result.h"

namespace server::images {

struct GoFlag {
  std::string name;
  std::variant<bool*, int*, std::string*, std::chrono::nanoseconds*> target;
  std::string help;
};

// kStandard: "-text x", "-text=x", two dashes as well. kCobra: two dashes; a word that is no flag may stand anywhere.
enum class FlagStyle { kStandard, kCobra };

// Sets the targets; the other words in the result. The error is the library's own: "flag provided but not defined:
// -x", "unknown flag: --x". `argv` is without the program.
base::Result<std::vector<std::string>> parse_go_flags(FlagStyle style, const std::vector<GoFlag>& flags, const std::vector<std::string>& argv);
std::string render_go_flags(FlagStyle style, const std::vector<GoFlag>& flags);  // A line a flag.

}  // namespace server::images
