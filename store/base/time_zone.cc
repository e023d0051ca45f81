#include "store/base/time_zone.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <iterator>

namespace base {
namespace {

using std::chrono::days;
using std::chrono::seconds;
using std::chrono::sys_days;

constexpr const char* kDatabases[] = {"/usr/share/zoneinfo/", "/usr/lib/zoneinfo/", "/usr/share/lib/zoneinfo/", "/etc/zoneinfo/"};
constexpr size_t kMaxFile = 1 << 20;
constexpr size_t kHeader = 44;

int64_t big_endian(std::string_view text, size_t at, size_t size) {
  uint64_t value = 0;
  for (size_t i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(text[at + i]);
  return size == 4 ? static_cast<int32_t>(value) : static_cast<int64_t>(value);
}

struct Counts {
  size_t utc, standard, leap, times, types, chars;
  size_t size(size_t time_size) const { return times * time_size + times + types * 6 + chars + leap * (time_size + 4) + standard + utc; }
};

bool read_counts(std::string_view text, size_t at, Counts& out) {
  if (text.size() < at + kHeader || text.substr(at, 4) != "TZif") return false;
  size_t* fields[] = {&out.utc, &out.standard, &out.leap, &out.times, &out.types, &out.chars};
  for (size_t i = 0; i < 6; ++i) {
    const int64_t n = big_endian(text, at + 20 + 4 * i, 4);
    if (n < 0 || static_cast<size_t>(n) > kMaxFile) return false;
    *fields[i] = static_cast<size_t>(n);
  }
  return out.types > 0;
}

// One step of reading POSIX's TZ text.
struct Reader {
  std::string_view rest;
  bool take(char c) {
    if (rest.empty() || rest[0] != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  // "CET", or "<+0330>".
  bool skip_name() {
    size_t end = 0;
    if (!rest.empty() && rest[0] == '<') {
      end = rest.find('>');
      if (end == std::string_view::npos) return false;
      ++end;
    } else {
      while (end < rest.size() && std::isalpha(static_cast<unsigned char>(rest[end]))) ++end;
    }
    rest.remove_prefix(end);
    return end > 0;
  }
  bool number(int& out) {
    auto [end, ec] = std::from_chars(rest.data(), rest.data() + rest.size(), out);
    if (ec != std::errc() || out < 0 || out > 1000) return false;
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    return true;
  }
  // [+-]hh[:mm[:ss]]
  bool clock(int64_t& out) {
    const bool minus = take('-');
    if (!minus) take('+');
    int parts[3] = {0, 0, 0};
    if (!number(parts[0])) return false;
    for (int i = 1; i < 3 && take(':'); ++i) {
      if (!number(parts[i])) return false;
    }
    out = (parts[0] * 60 + parts[1]) * 60 + parts[2];
    if (minus) out = -out;
    return true;
  }
};

int year_of(int64_t at) { return static_cast<int>(std::chrono::year_month_day(std::chrono::floor<days>(WallTime(seconds(at)))).year()); }

}  // namespace

Result<TimeZone> TimeZone::load(const std::string& name) {
  if (name.empty() || name == "UTC") return TimeZone();
  const Error unknown(Code::kNotFound, "unknown time zone " + name);
  if (name[0] == '/' || name.find("..") != std::string::npos || name.find('\\') != std::string::npos) return unknown;
  for (const char* database : kDatabases) {
    std::ifstream file(database + name, std::ios::binary);
    if (!file) continue;
    std::string content(kMaxFile, '\0');
    file.read(content.data(), static_cast<std::streamsize>(content.size()));
    content.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
    auto zone = parse(content);
    if (zone.ok()) return zone;
  }
  return unknown;
}

Result<TimeZone> TimeZone::parse(std::string_view text) {
  const Error malformed(Code::kInvalid, "malformed time zone information");
  Counts counts{};
  if (!read_counts(text, 0, counts)) return malformed;
  size_t at = kHeader, time_size = 4;
  if (text[4] >= '2') {  // The block of 64-bit times follows that of 32-bit ones.
    at += counts.size(4);
    if (!read_counts(text, at, counts)) return malformed;
    at += kHeader;
    time_size = 8;
  }
  if (text.size() < at + counts.size(time_size)) return malformed;
  TimeZone out;
  const size_t indexes = at + counts.times * time_size, types = indexes + counts.times;
  out.first_offset_ = static_cast<int32_t>(big_endian(text, types, 4));
  for (size_t i = 0; i < counts.times; ++i) {
    const size_t type = static_cast<unsigned char>(text[indexes + i]);
    if (type >= counts.types) return malformed;
    out.changes_.push_back(big_endian(text, at + i * time_size, time_size));
    out.offsets_.push_back(static_cast<int32_t>(big_endian(text, types + type * 6, 4)));
  }
  if (!std::is_sorted(out.changes_.begin(), out.changes_.end())) return malformed;
  if (time_size == 8) {
    std::string_view footer = text.substr(at + counts.size(8));
    if (!footer.empty() && footer[0] == '\n') footer.remove_prefix(1);
    footer = footer.substr(0, footer.find('\n'));
    if (!footer.empty() && !parse_footer(footer, out)) return malformed;
  }
  return out;
}

// "CET-1CEST,M3.5.0,M10.5.0/3"; POSIX counts west of Greenwich.
bool TimeZone::parse_footer(std::string_view text, TimeZone& out) {
  Reader in{text};
  if (!in.skip_name() || !in.clock(out.standard_)) return false;
  out.standard_ = -out.standard_;
  out.has_footer_ = true;
  if (in.rest.empty()) return true;
  if (!in.skip_name()) return false;
  out.summer_ = out.standard_ + 3600;
  if (!in.rest.empty() && in.rest[0] != ',') {
    if (!in.clock(out.summer_)) return false;
    out.summer_ = -out.summer_;
  }
  for (RuleDay* rule : {&out.begin_, &out.end_}) {
    if (!in.take(',')) return false;
    if (in.take('M')) {
      if (!in.number(rule->month) || !in.take('.') || !in.number(rule->week) || !in.take('.') || !in.number(rule->day)) return false;
      if (rule->month < 1 || rule->month > 12 || rule->week < 1 || rule->week > 5 || rule->day > 6) return false;
    } else {
      rule->form = in.take('J') ? 'J' : 'n';
      if (!in.number(rule->day) || rule->day > 365) return false;
    }
    if (in.take('/') && !in.clock(rule->seconds)) return false;
  }
  out.has_summer_ = true;
  return in.rest.empty();
}

int64_t TimeZone::day_of(const RuleDay& rule, int year) {
  const std::chrono::year y(year);
  sys_days day;
  if (rule.form == 'M') {
    const std::chrono::month month(static_cast<unsigned>(rule.month));
    const std::chrono::weekday weekday(static_cast<unsigned>(rule.day));
    day = rule.week == 5 ? sys_days(y / month / weekday[std::chrono::last]) : sys_days(y / month / weekday[static_cast<unsigned>(rule.week)]);
  } else {
    day = sys_days(y / 1 / 1) + days(rule.day);
    // Jn never counts the 29th of February.
    if (rule.form == 'J') day -= days(y.is_leap() && rule.day >= 60 ? 0 : 1);
  }
  return std::chrono::duration_cast<seconds>(day.time_since_epoch()).count() + rule.seconds;
}

seconds TimeZone::footer_offset(int64_t at) const {
  if (!has_summer_) return seconds(standard_);
  const int year = year_of(at + standard_);
  const int64_t begin = day_of(begin_, year) - standard_, end = day_of(end_, year) - summer_;
  const bool summer = begin < end ? at >= begin && at < end : at >= begin || at < end;  // The south's crosses the new year.
  return seconds(summer ? summer_ : standard_);
}

seconds TimeZone::offset(WallTime time) const {
  const int64_t at = std::chrono::floor<seconds>(time).time_since_epoch().count();
  if (has_footer_ && (changes_.empty() || at >= changes_.back())) return footer_offset(at);
  const auto after = std::upper_bound(changes_.begin(), changes_.end(), at);
  return seconds(after == changes_.begin() ? first_offset_ : offsets_[static_cast<size_t>(after - changes_.begin()) - 1]);
}

CivilTime TimeZone::civil(WallTime at) const {
  const auto local = std::chrono::floor<seconds>(at) + offset(at);
  const auto day = std::chrono::floor<days>(local);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(local - day);
  return {static_cast<int>(date.year()),
          static_cast<int>(static_cast<unsigned>(date.month())),
          static_cast<int>(static_cast<unsigned>(date.day())),
          static_cast<int>(clock.hours().count()),
          static_cast<int>(clock.minutes().count()),
          static_cast<int>(clock.seconds().count()),
          static_cast<int>(std::chrono::weekday(day).c_encoding())};
}

}  // namespace base
