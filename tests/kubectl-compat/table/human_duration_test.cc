#include <gtest/gtest.h>

#include "kubectl-compat/table/table.h"

namespace compat {
namespace {

TEST(HumanDuration, Values) {
  constexpr int64_t kMinute = 60, kHour = 3600, kDay = 86400, kYear = 365 * 86400;
  struct Row {
    int64_t seconds;
    const char* want;
  };
  const Row rows[] = {
      {-2, "<invalid>"},
      {-1, "0s"},
      {0, "0s"},
      {59, "59s"},
      {119, "119s"},
      {2 * kMinute, "2m"},
      {3 * kMinute + 12, "3m12s"},
      {10 * kMinute - 1, "9m59s"},
      {10 * kMinute + 30, "10m"},
      {3 * kHour - 1, "179m"},
      {3 * kHour, "3h"},
      {3 * kHour + kMinute, "3h1m"},
      {8 * kHour - 1, "7h59m"},
      {8 * kHour + kMinute, "8h"},
      {2 * kDay - 1, "47h"},
      {2 * kDay, "2d"},
      {2 * kDay + kHour, "2d1h"},
      {8 * kDay - 1, "7d23h"},
      {8 * kDay + kHour, "8d"},
      {2 * kYear - 1, "729d"},
      {2 * kYear, "2y"},
      {2 * kYear + kDay, "2y1d"},
      {8 * kYear - 1, "7y364d"},
      {8 * kYear + kDay, "8y"},
  };
  for (const Row& row : rows) EXPECT_EQ(human_duration(std::chrono::seconds(row.seconds)), row.want) << row.seconds;
}

}  // namespace
}  // namespace compat
