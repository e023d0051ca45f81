#include "store/custom/formats.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <string>
#include <vector>

#include "store/base/clock.h"
#include "store/base/ip.h"
#include "store/base/regex.h"
#include "store/base/text.h"

namespace store {
namespace {

using base::is_digit;


bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  if (!base::parse_rfc3339(std::string(text) + "T00:00:00Z").ok()) return false;
  const int year = std::stoi(std::string(text.substr(0, 4))), month = std::stoi(std::string(text.substr(5, 2))), day = std::stoi(std::string(text.substr(8, 2)));
  return std::chrono::year_month_day(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)), std::chrono::day(static_cast<unsigned>(day))).ok();
}

// A leap second is refused, as upstream does.
bool is_date_time(std::string_view text) {
  static const base::RegexPtr kTime = *base::Regex::compile(R"(^([01]\d|2[0-3]):[0-5]\d:[0-5]\d(.\d+)?(z|[+-]\d{2}:\d{2})$)", true);
  return text.size() > 11 && is_date(text.substr(0, 10)) && (text[10] == 'T' || text[10] == 't') && kTime->search(text.substr(11));
}

// Upstream still takes zeros in front of the parts of an IPv4 address.
std::string without_zeros(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool starts = i == 0 || text[i - 1] == '.' || (text[i - 1] == '0' && (out.empty() || out.back() == '.'));
    if (text[i] == '0' && starts && i + 1 < text.size() && is_digit(text[i + 1])) continue;
    out += text[i];
  }
  return out;
}

bool is_ipv4(std::string_view text) { return text.find('.') != std::string_view::npos && base::Ip::parse(text.find(':') == std::string_view::npos ? without_zeros(text) : std::string(text)).ok(); }
bool is_ipv6(std::string_view text) { return text.find(':') != std::string_view::npos && base::Ip::parse(std::string(text)).ok(); }
bool is_cidr(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash + 1 == text.size() || text.size() - slash > 4) return false;
  const std::string address(text.substr(0, slash));
  auto ip = base::Ip::parse(address.find(':') == std::string::npos ? without_zeros(address) : address);
  const std::string_view bits = text.substr(slash + 1);
  if (!ip.ok() || !std::all_of(bits.begin(), bits.end(), is_digit)) return false;
  return std::stoi(std::string(bits)) <= (text.find(':') == std::string_view::npos ? 32 : 128);
}

bool is_hostname(std::string_view text) {
  // One label, or several of which the last has letters only.
  static const base::RegexPtr kPattern = *base::Regex::compile(
      R"(^(?:[a-z0-9$+<=>^`|~\x80-\xff](?:-?[a-z0-9$+<=>^`|~\x80-\xff]{0,62})?|(?:[a-z0-9$+<=>^`|~\x80-\xff](?:[a-z0-9$+<=>^`|~\x80-\xff-]{0,61}[a-z0-9$+<=>^`|~\x80-\xff])?\.)+[a-z\x80-\xff]{2,63})$)", true);
  if (text.size() > 255 || !kPattern->search(text)) return false;
  size_t label = 0;
  for (char c : text) {
    label = c == '.' ? 0 : label + 1;
    if (label > 63) return false;
  }
  return true;
}

// Books: ten digits, of which the last may be X, or thirteen, and the sum of either must come out.
std::string without(std::string_view text, std::string_view left_out) {
  std::string out;
  for (char c : text) {
    if (left_out.find(c) == std::string_view::npos) out += c;
  }
  return out;
}
bool is_isbn10(std::string_view text) {
  const std::string digits = without(text, " -\t\n");
  if (digits.size() != 10 || !std::all_of(digits.begin(), digits.end() - 1, is_digit) || (!is_digit(digits[9]) && digits[9] != 'X')) return false;
  int sum = 0;
  for (int i = 0; i < 10; ++i) sum += (i + 1) * (digits[static_cast<size_t>(i)] == 'X' ? 10 : digits[static_cast<size_t>(i)] - '0');
  return sum % 11 == 0;
}
bool is_isbn13(std::string_view text) {
  const std::string digits = without(text, " -\t\n");
  if (digits.size() != 13 || !std::all_of(digits.begin(), digits.end(), is_digit)) return false;
  int sum = 0;
  for (size_t i = 0; i < 13; ++i) sum += (i % 2 ? 3 : 1) * (digits[i] - '0');
  return sum % 10 == 0;
}
bool is_isbn(std::string_view text) { return is_isbn10(text) || is_isbn13(text); }

// Luhn's sum, and a number that some issuer has.
bool is_credit_card(std::string_view text) {
  static const base::RegexPtr kPattern = *base::Regex::compile(
      R"(^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|6(?:011|5\d\d)\d{12}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11}|(?:2131|1800|35\d{3})\d{11})$)");
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), is_digit);
  if (!kPattern->search(digits)) return false;
  int sum = 0;
  for (size_t i = 0; i < digits.size(); ++i) {
    const int digit = (digits[digits.size() - 1 - i] - '0') * (i % 2 ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 == 0;
}

// A row is judged by a function or by a pattern.
struct FormatRow {
  std::string_view name;
  bool (*fits)(std::string_view) = nullptr;
  const char* pattern = nullptr;
  size_t max = std::string_view::npos;
  bool exact_case = false;
};
constexpr FormatRow kRows[] = {
    {"bsonobjectid", nullptr, "^[0-9a-f]{24}$"},
    {"byte", nullptr, "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$"},
    {"cidr", is_cidr},
    {"creditcard", is_credit_card},
    {"date", is_date},
    {"datetime", is_date_time},
    // time.ParseDuration, or a number and a unit in words somewhere.
    {"duration", nullptr, R"(^[+-]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$|\d\s*(?:(?:ns|us|µs|ms|s|m|h|hr|d|w|wk)(?![a-zµ])|nano|micro|milli|sec|min|hour|day|week))"},
    {"email", nullptr, R"(^(?:[^@]*<[^\s@<>()]+@[^\s@<>()]+>|[^\s@<>()]+@[^\s@<>()]+)$)"},
    {"hexcolor", nullptr, "^#?(?:[0-9a-f]{3}|[0-9a-f]{6})$"},
    {"hostname", is_hostname},
    {"ipv4", is_ipv4},
    {"ipv6", is_ipv6},
    {"isbn", is_isbn},
    {"isbn10", is_isbn10},
    {"isbn13", is_isbn13},
    {"k8slongname", nullptr, R"(^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$)", 253, true},
    {"k8sshortname", nullptr, "^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$", 63, true},
    // Of 6, 8 or 20 bytes.
    {"mac", nullptr, R"(^(?:[0-9a-f]{2}([:-])(?:[0-9a-f]{2}\1){4}(?:(?:[0-9a-f]{2}\1){2}|(?:[0-9a-f]{2}\1){14})?[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}(?:[0-9a-f]{4}\.|(?:[0-9a-f]{4}\.){7})?[0-9a-f]{4})$)"},
    {"password"},
    {"rgbcolor", nullptr, R"(^rgb\(\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])(?:\s*,\s*(?:0|[1-9]\d?|1\d\d?|2[0-4]\d|25[0-5])){2}\s*\)$)", std::string_view::npos, true},
    {"ssn", nullptr, R"(^(?=.{11}$)\d{3}[- ]?\d{2}[- ]?\d{4}$)"},
    {"uri", nullptr, R"(^(?:[a-z][a-z0-9+.-]*:[^\s]*|/[^\s]*)$)"},
    {"uuid", nullptr, "^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"},
    {"uuid3", nullptr, "^[0-9a-f]{8}-?[0-9a-f]{4}-?3[0-9a-f]{3}-?[0-9a-f]{4}-?[0-9a-f]{12}$"},
    {"uuid4", nullptr, "^[0-9a-f]{8}-?[0-9a-f]{4}-?4[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"},
    {"uuid5", nullptr, "^[0-9a-f]{8}-?[0-9a-f]{4}-?5[0-9a-f]{3}-?[89ab][0-9a-f]{3}-?[0-9a-f]{12}$"},
};

const FormatRow* find_format(std::string_view format) {
  const std::string name = without(format, "-");
  const FormatRow* at = std::find_if(std::begin(kRows), std::end(kRows), [&](const FormatRow& row) { return row.name == name; });
  return at == std::end(kRows) ? nullptr : at;
}

}  // namespace

bool is_known_format(std::string_view type, std::string_view format) {
  if (type.empty() || type == "string") return find_format(format) != nullptr;
  if (type == "integer") return format == "int32" || format == "int64";
  return type == "number" && (format == "float" || format == "double");
}

bool fits_format(std::string_view format, std::string_view text) {
  const FormatRow* row = find_format(format);
  if (!row) return true;
  if (row->fits) return row->fits(text);
  // The patterns are constants and sound; all are made at the first use of one.
  static const std::vector<base::RegexPtr> kPatterns = [] {
    std::vector<base::RegexPtr> out;
    for (const FormatRow& each : kRows) out.push_back(each.pattern ? *base::Regex::compile(each.pattern, !each.exact_case) : nullptr);
    return out;
  }();
  const base::RegexPtr& pattern = kPatterns[static_cast<size_t>(row - kRows)];
  return !pattern || (text.size() <= row->max && pattern->search(text));
}

}  // namespace store
