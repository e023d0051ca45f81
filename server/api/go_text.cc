#include "server/api/go_text.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "store/base/text.h"

namespace server {
namespace {

using base::is_digit;

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

template <class Number>
base::Result<Number> parse(const char* parser, const std::string& text, bool sign) {
  const size_t begin = sign && !text.empty() && text[0] == '+' ? 1 : 0;
  Number value = 0;
  auto [end, error] = std::from_chars(text.data() + begin, text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  const bool range = error == std::errc::result_out_of_range && end == text.data() + text.size();
  return base::Error(base::Code::kBadRequest, std::string(parser) + ": parsing " + quoted(text) + ": " + (range ? "value out of range" : "invalid syntax"));
}


}  // namespace

base::Result<int64_t> parse_int(const std::string& text) { return parse<int64_t>("strconv.ParseInt", text, true); }
base::Result<uint64_t> parse_uint(const std::string& text) { return parse<uint64_t>("strconv.ParseUint", text, false); }

bool parse_bool(const std::string& text, bool otherwise) {
  static constexpr std::string_view kTrue[] = {"1", "t", "T", "true", "TRUE", "True"}, kFalse[] = {"0", "f", "F", "false", "FALSE", "False"};
  if (std::find(std::begin(kTrue), std::end(kTrue), text) != std::end(kTrue)) return true;
  if (std::find(std::begin(kFalse), std::end(kFalse), text) != std::end(kFalse)) return false;
  return otherwise;
}

std::string duration_problem(const std::string& text) {
  static constexpr std::string_view kUnits[] = {"ns", "us", "\xC2\xB5s", "\xCE\xBCs", "ms", "s", "m", "h"};
  const std::string invalid = "time: invalid duration " + quoted(text);
  size_t at = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
  if (text.substr(at) == "0") return "";
  if (at == text.size()) return invalid;
  while (at < text.size()) {
    const size_t number = at;
    size_t dots = 0;
    while (at < text.size() && (is_digit(text[at]) || (text[at] == '.' && dots++ == 0))) ++at;
    if (at - number == dots) return invalid;  // No digit.
    const size_t unit = at;
    while (at < text.size() && text[at] != '.' && !is_digit(text[at])) ++at;
    if (at == unit) return "time: missing unit in duration " + quoted(text);
    const std::string name = text.substr(unit, at - unit);
    if (std::find(std::begin(kUnits), std::end(kUnits), name) == std::end(kUnits)) return "time: unknown unit " + quoted(name) + " in duration " + quoted(text);
  }
  return "";
}

}  // namespace server
