#include "store/custom/formats.h"

#include <algorithm>
#include <cctype>
#include <string>

#include "store/base/clock.h"
#include "store/base/ip.h"
#include "store/base/regex.h"

namespace store {
namespace {

// For constants below, which are sound; each is made at its first use, once.
base::RegexPtr pattern(const char* text) { return *base::Regex::compile(text, true); }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_date(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  return base::parse_rfc3339(std::string(text) + "T00:00:00Z").ok();
}

bool is_date_time(std::string_view text) {
  if (text.size() < 20 || !is_date(text.substr(0, 10))) return false;
  static const base::RegexPtr kPattern = pattern(R"(^\d{4}-\d{2}-\d{2}[Tt ]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$)");
  return kPattern->search(text);
}

bool is_ipv4(std::string_view text) {
  auto ip = base::Ip::parse(std::string(text));
  return ip.ok() && text.find(':') == std::string_view::npos;
}
bool is_ipv6(std::string_view text) {
  auto ip = base::Ip::parse(std::string(text));
  return ip.ok() && text.find(':') != std::string_view::npos;
}
bool is_cidr(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash + 1 == text.size() || text.size() - slash > 4) return false;
  auto ip = base::Ip::parse(std::string(text.substr(0, slash)));
  const std::string_view bits = text.substr(slash + 1);
  if (!ip.ok() || !std::all_of(bits.begin(), bits.end(), is_digit)) return false;
  return std::stoi(std::string(bits)) <= (text.find(':') == std::string_view::npos ? 32 : 128);
}

bool is_byte(std::string_view text) {
  static const base::RegexPtr kPattern = pattern(R"(^[A-Za-z0-9+/]*={0,2}$)");
  return text.size() % 4 == 0 && kPattern->search(text);
}
bool is_uri(std::string_view text) {
  static const base::RegexPtr kPattern = pattern(R"(^([a-z][a-z0-9+.-]*:[^\s]*|/[^\s]*)$)");
  return kPattern->search(text);
}
bool is_email(std::string_view text) {
  static const base::RegexPtr kPattern = pattern(R"(^[^\s@<>()]+@[a-z0-9.-]+$)");
  return kPattern->search(text);
}
bool is_hostname(std::string_view text) {
  static const base::RegexPtr kPattern = pattern(R"(^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$)");
  return text.size() <= 255 && kPattern->search(text);
}
bool is_mac(std::string_view text) {
  static const base::RegexPtr kPattern = pattern(R"(^([0-9a-f]{2}([:-])([0-9a-f]{2}\2){4}[0-9a-f]{2}|([0-9a-f]{4}\.){2}[0-9a-f]{4})$)");
  return kPattern->search(text);
}
bool is_uuid(std::string_view text) {
  static const base::RegexPtr kPattern = pattern(R"(^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$)");
  return kPattern->search(text);
}
// time.ParseDuration, or a number and a unit in words.
bool is_duration(std::string_view text) {
  static const base::RegexPtr kPattern = pattern(R"(^([+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)|\d+\s*(nanoseconds?|ns|microseconds?|us|milliseconds?|ms|seconds?|s|minutes?|min|m|hours?|h|days?|d|weeks?|w))$)");
  return kPattern->search(text);
}

struct Row {
  std::string_view name;
  bool (*fits)(std::string_view);
};
constexpr Row kRows[] = {{"byte", is_byte},         {"cidr", is_cidr}, {"date", is_date}, {"date-time", is_date_time}, {"datetime", is_date_time},
                         {"duration", is_duration}, {"email", is_email}, {"hostname", is_hostname}, {"ipv4", is_ipv4}, {"ipv6", is_ipv6},
                         {"mac", is_mac},           {"uri", is_uri},   {"uuid", is_uuid}};

}  // namespace

bool fits_format(std::string_view format, std::string_view text) {
  for (const Row& row : kRows) {
    if (row.name == format) return row.fits(text);
  }
  return true;
}

}  // namespace store
