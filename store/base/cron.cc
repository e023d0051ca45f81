#include "store/base/cron.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <vector>

namespace base {
namespace {

using std::chrono::floor;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::string_view kWeekdays[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr int kYearsAhead = 5;  // February the 29th comes within those, nearly always.

struct Bounds {
  int min, max;
  std::span<const std::string_view> names;
  int first_name;  // The number of the first name.
};
constexpr Bounds kMinute{0, 59, {}, 0}, kHour{0, 23, {}, 0}, kDay{1, 31, {}, 0}, kMonth{1, 12, kMonths, 1}, kWeekday{0, 6, kWeekdays, 0};

struct Named {
  std::string_view name, fields;
};
constexpr Named kNamed[] = {{"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"}, {"@weekly", "0 0 * * 0"},
                            {"@daily", "0 0 * * *"},  {"@midnight", "0 0 * * *"}, {"@hourly", "0 * * * *"}};

Error wrong(std::string message) { return Error(Code::kInvalid, std::move(message)); }

std::vector<std::string> split(std::string_view text, std::string_view separators, bool keep_empty) {
  std::vector<std::string> out;
  size_t at = 0;
  while (at <= text.size()) {
    const size_t end = std::min(text.find_first_of(separators, at), text.size());
    if (keep_empty || end > at) out.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

Result<int> parse_number(const std::string& text) {
  int value = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) {
    return wrong("failed to parse int from " + text + ": strconv.Atoi: parsing \"" + text + "\": invalid syntax");
  }
  if (value < 0) return wrong("negative number (" + std::to_string(value) + ") not allowed: " + text);
  return value;
}

Result<int> parse_value(const std::string& text, const Bounds& bounds) {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (size_t i = 0; i < bounds.names.size(); ++i) {
    if (bounds.names[i] == lower) return bounds.first_name + static_cast<int>(i);
  }
  return parse_number(text);
}

struct Bits {
  uint64_t bits = 0;
  bool any = false;  // "*" or "?"
};

// "5", "1-5", "*", each with "/step".
Result<Bits> parse_range(const std::string& text, const Bounds& bounds) {
  const std::vector<std::string> parts = split(text, "/", true);
  const std::vector<std::string> ends = split(parts[0], "-", true);
  Bits out;
  int low = bounds.min, high = bounds.max, step = 1;
  if (ends[0] == "*" || ends[0] == "?") {
    out.any = true;
  } else {
    low = TRY(parse_value(ends[0], bounds));
    if (ends.size() > 2) return wrong("too many hyphens: " + text);
    high = low;
    if (ends.size() == 2) high = TRY(parse_value(ends[1], bounds));
  }
  if (parts.size() > 2) return wrong("too many slashes: " + text);
  if (parts.size() == 2) {
    step = TRY(parse_number(parts[1]));
    if (ends.size() == 1) high = bounds.max;  // "N/step" means "N-max/step".
    if (step > 1) out.any = false;
  }
  if (low < bounds.min) return wrong("beginning of range (" + std::to_string(low) + ") below minimum (" + std::to_string(bounds.min) + "): " + text);
  if (high > bounds.max) return wrong("end of range (" + std::to_string(high) + ") above maximum (" + std::to_string(bounds.max) + "): " + text);
  if (low > high) return wrong("beginning of range (" + std::to_string(low) + ") beyond end of range (" + std::to_string(high) + "): " + text);
  if (step == 0) return wrong("step of range should be a positive number: " + text);
  for (int value = low; value <= high; value += step) out.bits |= uint64_t{1} << value;
  return out;
}

Result<Bits> parse_field(const std::string& text, const Bounds& bounds) {
  Bits out;
  for (const std::string& range : split(text, ",", false)) {
    const Bits bits = TRY(parse_range(range, bounds));
    out.bits |= bits.bits;
    out.any = out.any || bits.any;
  }
  return out;
}

// Go's durations, as far as whole seconds go: "1h30m", "90s".
Result<seconds> parse_every(const std::string& text, const std::string& whole) {
  const Error error = wrong("failed to parse duration " + whole + ": time: invalid duration \"" + text + "\"");
  int64_t total = 0;
  size_t at = 0;
  if (text.empty()) return error;
  while (at < text.size()) {
    int64_t value = 0;
    auto [end, ec] = std::from_chars(text.data() + at, text.data() + text.size(), value);
    const size_t unit = static_cast<size_t>(end - text.data());
    if (ec != std::errc() || unit >= text.size() || value < 0 || value > 1'000'000) return error;
    if (text[unit] != 'h' && text[unit] != 'm' && text[unit] != 's') return error;
    total += value * (text[unit] == 'h' ? 3600 : text[unit] == 'm' ? 60 : 1);
    at = unit + 1;
  }
  return seconds(std::max<int64_t>(total, 1));
}

bool has(uint64_t bits, int value) { return (bits >> value & 1) != 0; }

}  // namespace

Result<CronSchedule> CronSchedule::parse(std::string_view text) {
  CronSchedule out;
  if (text.empty()) return wrong("empty spec string");
  std::string_view fields_text = text;
  if (text[0] == '@') {
    constexpr std::string_view kEvery = "@every ";
    if (text.substr(0, kEvery.size()) == kEvery) {
      out.every_ = TRY(parse_every(std::string(text.substr(kEvery.size())), std::string(text)));
      return out;
    }
    const auto* named = std::find_if(std::begin(kNamed), std::end(kNamed), [text](const Named& n) { return n.name == text; });
    if (named == std::end(kNamed)) return wrong("unrecognized descriptor: " + std::string(text));
    fields_text = named->fields;
  }
  const std::vector<std::string> fields = split(fields_text, " \t\n\r", false);
  if (fields.size() != 5) {
    std::string shown;
    for (const std::string& field : fields) shown += (shown.empty() ? "" : " ") + field;
    return wrong("expected exactly 5 fields, found " + std::to_string(fields.size()) + ": [" + shown + "]");
  }
  const Bits minute = TRY(parse_field(fields[0], kMinute)), hour = TRY(parse_field(fields[1], kHour)), day = TRY(parse_field(fields[2], kDay));
  const Bits month = TRY(parse_field(fields[3], kMonth)), weekday = TRY(parse_field(fields[4], kWeekday));
  out.minutes_ = minute.bits;
  out.hours_ = hour.bits;
  out.days_ = day.bits;
  out.months_ = month.bits;
  out.weekdays_ = weekday.bits;
  out.any_day_ = day.any;
  out.any_weekday_ = weekday.any;
  return out;
}

bool CronSchedule::day_matches(int day, int weekday) const {
  const bool by_day = has(days_, day), by_weekday = has(weekdays_, weekday);
  return any_day_ || any_weekday_ ? by_day && by_weekday : by_day || by_weekday;
}

// Steps over what cannot match as far as it is sure: to the next day, hour or minute of the zone's clock.
std::optional<WallTime> CronSchedule::next(WallTime after, const TimeZone& zone) const {
  if (every_) return floor<seconds>(after) + *every_;
  auto at = floor<minutes>(after) + minutes(1);
  const int last_year = zone.civil(at).year + kYearsAhead;
  while (true) {
    const CivilTime civil = zone.civil(at);
    if (civil.year > last_year) return std::nullopt;
    if (!has(months_, civil.month) || !day_matches(civil.day, civil.weekday)) {
      at += minutes((23 - civil.hour) * 60 + 60 - civil.minute);
      // The day may have been an hour shorter: then one whose first hour was stepped over is begun again.
      while (zone.civil(at - minutes(1)).day == zone.civil(at).day && zone.civil(at).hour < 2) at -= minutes(1);
    } else if (!has(hours_, civil.hour)) {
      at += minutes(60 - civil.minute);
    } else if (!has(minutes_, civil.minute)) {
      at += minutes(1);
    } else {
      return at;
    }
  }
}

// However long ago `since` is: whether a time comes between a moment and now is asked for ever later moments.
std::optional<WallTime> CronSchedule::last(WallTime since, WallTime now, const TimeZone& zone) const {
  const auto first = next(since, zone);
  if (!first || *first > now) return std::nullopt;
  if (every_) return *first + (now - *first) / *every_ * *every_;
  WallTime some = since, none = now;
  while (none - some > seconds(1)) {
    const WallTime middle = some + (none - some) / 2;
    const auto found = next(middle, zone);
    (found && *found <= now ? some : none) = middle;
  }
  return next(some, zone);
}

}  // namespace base
