// store/base/cron.h - schedules of cron jobs: five fields, or a name such as @hourly, as robfig's cron reads them.
// A value; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "store/base/clock.h"
#include "store/base/result.h"
#include "store/base/time_zone.h"

namespace base {

class CronSchedule {
 public:
  // kInvalid, worded as upstream ("expected exactly 5 fields, found 1: [x]").
  static Result<CronSchedule> parse(std::string_view text);
  // The first time after `after` at which the zone's clock shows what the schedule asks for; nothing within five years:
  // never. A time that a leap of the clock leaves out is left out.
  std::optional<WallTime> next(WallTime after, const TimeZone& zone) const;
  // The newest time after `since` that is not after `now`; nothing: none has come.
  std::optional<WallTime> last(WallTime since, WallTime now, const TimeZone& zone) const;

 private:
  bool day_matches(int day, int weekday) const;

  uint64_t minutes_ = 0, hours_ = 0, days_ = 0, months_ = 0, weekdays_ = 0;  // A bit a value.
  bool any_day_ = false, any_weekday_ = false;  // With both given, either is enough.
  std::optional<std::chrono::seconds> every_;   // @every 90s
};

}  // namespace base
