// store/base/time_zone.h - the clock of a place: UTC, or a zone of the system's time zone database (TZif files).
// Immutable; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/clock.h"
#include "store/base/result.h"

namespace base {

struct CivilTime {
  int year, month, day;  // month and day from 1
  int hour, minute, second;
  int weekday;           // 0: Sunday
};

class TimeZone {
 public:
  TimeZone() = default;  // UTC
  // kNotFound: "unknown time zone X", as Go words it. Reads a file.
  static Result<TimeZone> load(const std::string& name);
  // A TZif file's content; kInvalid when it is none.
  static Result<TimeZone> parse(std::string_view tzif);

  std::chrono::seconds offset(WallTime at) const;  // East of Greenwich.
  CivilTime civil(WallTime at) const;

 private:
  // A day of a year as POSIX's TZ writes it: Mmonth.week.weekday, Jn (1 to 365) or n (0 to 365).
  struct RuleDay {
    char form = 'M';
    int month = 0, week = 0, day = 0;
    int64_t seconds = 7200;  // After midnight.
  };
  static bool parse_footer(std::string_view text, TimeZone& out);
  static int64_t day_of(const RuleDay& rule, int year);  // Seconds since the epoch of the change, by the local clock.
  std::chrono::seconds footer_offset(int64_t at) const;

  std::vector<int64_t> changes_;   // When each of offsets_ begins.
  std::vector<int32_t> offsets_;
  int32_t first_offset_ = 0;       // Before the first change.
  // After the last change: the footer's rule.
  bool has_footer_ = false, has_summer_ = false;
  int64_t standard_ = 0, summer_ = 0;
  RuleDay begin_, end_;
};

}  // namespace base
