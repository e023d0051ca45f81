#include "server/images/go_flags.h"

#include <algorithm>

#include "server/images/go_text.h"

namespace server::images {
namespace {

base::Error invalid(const std::string& text) { return base::Error(base::Code::kInvalid, text); }

// What was wrong with the value; empty: it is set.
std::string set(const GoFlag& flag, const std::string& value) {
  if (auto* text = std::get_if<std::string*>(&flag.target)) {
    **text = value;
  } else if (auto* number = std::get_if<int*>(&flag.target)) {
    auto parsed = parse_go_int(value);
    if (!parsed) return "strconv.ParseInt: parsing " + go_quoted(value) + ": invalid syntax";
    **number = *parsed;
  } else if (auto* on = std::get_if<bool*>(&flag.target)) {
    auto parsed = parse_go_bool(value);
    if (!parsed) return "strconv.ParseBool: parsing " + go_quoted(value) + ": invalid syntax";
    **on = *parsed;
  } else {
    auto parsed = parse_go_duration(value);
    if (!parsed) return "time: invalid duration " + go_quoted(value);
    *std::get<std::chrono::nanoseconds*>(flag.target) = *parsed;
  }
  return "";
}

std::string type_name(const GoFlag& flag) {
  constexpr const char* kNames[] = {"", " int", " string", " duration"};
  return kNames[flag.target.index()];
}

}  // namespace

base::Result<std::vector<std::string>> parse_go_flags(FlagStyle style, const std::vector<GoFlag>& flags, const std::vector<std::string>& argv) {
  const bool cobra = style == FlagStyle::kCobra;
  std::vector<std::string> words;
  for (size_t i = 0; i < argv.size(); ++i) {
    const std::string& arg = argv[i];
    if (arg == "--") {
      words.insert(words.end(), argv.begin() + static_cast<long>(i) + 1, argv.end());
      break;
    }
    if (arg.size() < 2 || arg[0] != '-') {
      // The standard package stops at the first word, cobra does not.
      words.insert(words.end(), argv.begin() + static_cast<long>(i), cobra ? argv.begin() + static_cast<long>(i) + 1 : argv.end());
      if (!cobra) break;
      continue;
    }
    std::string name = arg.substr(arg[1] == '-' ? 2 : 1);
    size_t equals = name.find('=');
    bool has_value = equals != std::string::npos;
    std::string value = has_value ? name.substr(equals + 1) : "";
    name.resize(std::min(equals, name.size()));
    auto flag = std::find_if(flags.begin(), flags.end(), [&](const GoFlag& each) { return each.name == name; });
    if (flag == flags.end()) {
      if (!cobra) return invalid("flag provided but not defined: -" + name);
      return invalid(arg[1] == '-' ? "unknown flag: --" + name : "unknown shorthand flag: '" + name.substr(0, 1) + "' in " + arg);
    }
    if (!has_value && std::holds_alternative<bool*>(flag->target)) {
      value = "true";
    } else if (!has_value) {
      if (i + 1 >= argv.size()) return invalid((cobra ? "flag needs an argument: --" : "flag needs an argument: -") + name);
      value = argv[++i];
    }
    std::string problem = set(*flag, value);
    if (problem.empty()) continue;
    if (cobra) return invalid("invalid argument " + go_quoted(value) + " for \"--" + name + "\" flag: " + problem);
    return invalid("invalid value " + go_quoted(value) + " for flag -" + name + ": parse error");
  }
  return words;
}

std::string render_go_flags(FlagStyle style, const std::vector<GoFlag>& flags) {
  std::string out;
  for (const GoFlag& flag : flags) {
    if (style == FlagStyle::kCobra) out += "      --" + flag.name + type_name(flag) + "   " + flag.help + "\n";
    else out += "  -" + flag.name + type_name(flag) + "\n    \t" + flag.help + "\n";
  }
  return out;
}

}  // namespace server::images
