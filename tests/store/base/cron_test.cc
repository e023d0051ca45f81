// Schedules and zones: when a schedule is due next, and what the zones' clocks show.
#include "store/base/cron.h"

#include <gtest/gtest.h>

namespace base {
namespace {

// A zone as its file would be: no change listed, the rule in the footer.
TimeZone zone_of(const std::string& footer) {
  std::string header = std::string("TZif2") + std::string(15, '\0');
  auto counts = [](int types, int chars) {
    std::string out;
    for (int n : {0, 0, 0, 0, types, chars}) out += std::string(3, '\0') + static_cast<char>(n);
    return out;
  };
  const std::string type(6, '\0');
  const std::string block = header + counts(1, 4) + type + std::string("UTC\0", 4);
  auto zone = TimeZone::parse(block + block + "\n" + footer + "\n");
  EXPECT_TRUE(zone.ok()) << footer;
  return zone.ok() ? *zone : TimeZone();
}

WallTime at(const std::string& text) {
  auto time = parse_rfc3339(text);
  EXPECT_TRUE(time.ok()) << text;
  return *time;
}

TEST(Cron, NextTime) {
  constexpr const char* kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";
  struct Row {
    const char* schedule;
    const char* footer;
    const char* after;
    const char* want;
  };
  const Row rows[] = {
      {"* * * * *", "UTC0", "2026-01-02T03:04:05Z", "2026-01-02T03:05:00Z"},
      {"* * * * *", "UTC0", "2026-01-02T03:05:00Z", "2026-01-02T03:06:00Z"},
      {"*/15 * * * *", "UTC0", "2026-01-02T03:46:00Z", "2026-01-02T04:00:00Z"},
      {"5/20 * * * *", "UTC0", "2026-01-02T03:06:00Z", "2026-01-02T03:25:00Z"},
      {"0,30 8-10 * * *", "UTC0", "2026-01-02T10:30:00Z", "2026-01-03T08:00:00Z"},
      {"@hourly", "UTC0", "2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"},
      {"@daily", "UTC0", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"},
      {"@weekly", "UTC0", "2026-01-02T00:00:00Z", "2026-01-04T00:00:00Z"},
      {"@yearly", "UTC0", "2026-01-02T00:00:00Z", "2027-01-01T00:00:00Z"},
      {"@every 1h30m", "UTC0", "2026-01-02T00:00:10Z", "2026-01-02T01:30:10Z"},
      {"0 0 29 2 *", "UTC0", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
      {"0 0 31 jan,mar,APR *", "UTC0", "2026-02-01T00:00:00Z", "2026-03-31T00:00:00Z"},
      // With both days given, either is enough; "*" with a step is given.
      {"0 0 13 * fri", "UTC0", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
      {"0 0 13 * FRI", "UTC0", "2026-01-09T00:00:00Z", "2026-01-13T00:00:00Z"},
      {"0 0 ? * mon-fri", "UTC0", "2026-01-02T00:00:00Z", "2026-01-05T00:00:00Z"},
      {"30 12 * * *", "CST6", "2026-01-01T00:00:00Z", "2026-01-01T18:30:00Z"},
      {"30 12 * * *", "<+0530>-5:30", "2026-01-01T00:00:00Z", "2026-01-01T07:00:00Z"},
      {"0 12 * * *", kBerlin, "2026-03-28T12:00:00Z", "2026-03-29T10:00:00Z"},
      {"0 12 * * *", kBerlin, "2026-10-24T12:00:00Z", "2026-10-25T11:00:00Z"},
      {"30 2 * * *", kBerlin, "2026-03-28T12:00:00Z", "2026-03-30T00:30:00Z"},  // Half past two is left out on the 29th.
      {"0 0 1 4 *", kBerlin, "2026-03-28T12:00:00Z", "2026-03-31T22:00:00Z"},
      {"0 0 * * *", "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01T00:00:00Z", "2026-01-01T13:00:00Z"},  // The south's summer.
      {"0 0 31 2 *", "UTC0", "2026-01-01T00:00:00Z", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(std::string(row.schedule) + " " + row.footer + " after " + row.after);
    auto schedule = CronSchedule::parse(row.schedule);
    ASSERT_TRUE(schedule.ok()) << schedule.error().message;
    const auto next = schedule->next(at(row.after), zone_of(row.footer));
    EXPECT_EQ(next ? render_rfc3339(*next) : "", row.want);
  }
}

TEST(Cron, LastTime) {
  struct Row {
    const char *schedule, *since, *now, *want;
  };
  const Row rows[] = {
      {"* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:00:59Z", ""},
      {"* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", "2026-01-01T00:01:00Z"},
      {"*/5 * * * *", "2024-01-01T00:00:00Z", "2026-01-01T00:04:10Z", "2026-01-01T00:00:00Z"},
      {"* 0 1 1 *", "2024-01-01T00:00:00Z", "2025-12-31T00:00:00Z", "2025-01-01T00:59:00Z"},
      {"@every 90s", "2026-01-01T00:00:00Z", "2026-01-01T00:05:00Z", "2026-01-01T00:04:30Z"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.schedule);
    const auto last = CronSchedule::parse(row.schedule)->last(at(row.since), at(row.now), TimeZone());
    EXPECT_EQ(last ? render_rfc3339(*last) : "", row.want);
  }
}

TEST(Cron, WhatIsWrongIsSaidAsUpstreamSaysIt) {
  const std::pair<const char*, const char*> rows[] = {
      {"", "empty spec string"},
      {"error", "expected exactly 5 fields, found 1: [error]"},
      {"* * * *", "expected exactly 5 fields, found 4: [* * * *]"},
      {"60 * * * *", "end of range (60) above maximum (59): 60"},
      {"* * 0 * *", "beginning of range (0) below minimum (1): 0"},
      {"5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"},
      {"*/0 * * * *", "step of range should be a positive number: */0"},
      {"1-2-3 * * * *", "too many hyphens: 1-2-3"},
      {"1/2/3 * * * *", "too many slashes: 1/2/3"},
      {"x * * * *", "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax"},
      {"@never", "unrecognized descriptor: @never"},
  };
  for (const auto& [text, want] : rows) {
    auto parsed = CronSchedule::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().message, want);
  }
}

TEST(TimeZone, FilesThatAreNoneAreRefused) {
  for (const std::string& text : {std::string(), std::string("TZif"), std::string(44, 'x'), "TZif2" + std::string(39, '\xff')}) EXPECT_FALSE(TimeZone::parse(text).ok());
  EXPECT_EQ(TimeZone::load("Nowhere/Land").error().message, "unknown time zone Nowhere/Land");
  EXPECT_FALSE(TimeZone::load("../../../etc/passwd").ok());
  EXPECT_TRUE(TimeZone::load("UTC").ok());
}

}  // namespace
}  // namespace base
