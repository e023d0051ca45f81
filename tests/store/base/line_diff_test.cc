#include "store/base/line_diff.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(LineDiff, Hunks) {
  struct Row {
    const char* name;
    std::string before, after, want;
  };
  const Row rows[] = {
      {"equal", "a\nb", "a\nb", ""},
      {"one line", "a", "b", "@@ -1 +1 @@\n-a\n+b\n"},
      {"three lines around", "1\n2\n3\n4\n5\n6\n7\n8\n9", "1\n2\n3\n4\nx\n6\n7\n8\n9", "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n"},
      {"two hunks", "a\n1\n2\n3\n4\n5\n6\n7\nb", "A\n1\n2\n3\n4\n5\n6\n7\nB", "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n"},
      {"six lines between join", "a\n1\n2\n3\n4\n5\n6\nb", "A\n1\n2\n3\n4\n5\n6\nB", "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n"},
      {"added at the end", "a", "a\nb\nc", "@@ -1 +1,3 @@\n a\n+b\n+c\n"},
      {"taken from the front", "a\nb\nc", "c", "@@ -1,3 +1 @@\n-a\n-b\n c\n"},
      {"the first of two like lines stays", "x\ny", "x\ny\nx\ny", "@@ -1,2 +1,4 @@\n x\n y\n+x\n+y\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(line_diff(row.before, row.after), row.want) << row.name;
}

// Of a long text, lines that come more often than one in a hundred start no run.
TEST(LineDiff, CommonLinesOfLongTexts) {
  std::string before = "start\n", after;
  for (int i = 0; i < 250; ++i) before += "common\n", after += "common\n";
  before += "end";
  after += "end";
  EXPECT_EQ(line_diff(before, after), "@@ -1,4 +1,3 @@\n-start\n common\n common\n common\n");
}

}  // namespace
}  // namespace base
