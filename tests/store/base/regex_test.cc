#include "store/base/regex.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace {

using base::Regex;
using base::RegexPtr;

struct Row {
  const char* name;
  const char* pattern;
  bool ignore_case, anchored;
  const char* subject;
  bool found;
  std::vector<std::string> captures;
};

TEST(Regex, Finds) {
  const Row rows[] = {
      {"whole", "^/a$", false, false, "/a", true, {"/a"}},
      {"case counts", "^/a$", false, false, "/A", false, {}},
      {"case does not count", "^/a$", true, false, "/A", true, {"/A"}},
      {"in the middle", "b+", false, false, "abbc", true, {"bb"}},
      {"anchored is not in the middle", "b+", false, true, "abbc", false, {}},
      {"anchored holds for each alternative", "x|b", false, true, "ab", false, {}},
      {"not anchored at the end", "/foo", true, true, "/foobar", true, {"/foo"}},
      {"groups", "/something(/|$)(.*)", true, true, "/something/new", true, {"/something/new", "/", "new"}},
      {"a group that took no part", "/(a)|/(b)", false, false, "/b", true, {"/b", "", "b"}},
      {"the last group took no part", "/(a)(b)?", false, false, "/a", true, {"/a", "a", ""}},
      {"empty subject", "^$", false, false, "", true, {""}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    auto regex = Regex::compile(row.pattern, row.ignore_case, row.anchored);
    ASSERT_TRUE(regex.ok()) << regex.error().message;
    std::vector<std::string_view> captures{"old"};
    EXPECT_EQ((*regex)->search(row.subject, &captures), row.found);
    if (!row.found) {
      EXPECT_EQ(captures, std::vector<std::string_view>{"old"}) << "left alone without a match";
      continue;
    }
    EXPECT_EQ(std::vector<std::string>(captures.begin(), captures.end()), row.captures);
    EXPECT_TRUE((*regex)->search(row.subject));
  }
}

TEST(Regex, SaysWhatIsWrongWithAPattern) {
  for (const char* pattern : {"(", "[a", "*", "a{2,1}", "(?<n>a)(?<n>b)", "\\C"}) {
    auto regex = Regex::compile(pattern);
    ASSERT_FALSE(regex.ok()) << pattern;
    EXPECT_EQ(regex.error().code, base::Code::kInvalid);
    EXPECT_NE(regex.error().message.find("offset"), std::string::npos) << regex.error().message;
  }
  EXPECT_FALSE(Regex::compile(std::string(20'000, 'a')).ok());
}

TEST(Regex, GivesUpWhereItWouldBacktrackForever) {
  RegexPtr regex = *Regex::compile("^(a+)+$");
  std::string subject = std::string(60, 'a') + "b";  // 2^60 ways.
  auto begin = std::chrono::steady_clock::now();
  EXPECT_FALSE(regex->search(subject));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_TRUE(regex->search(std::string(60, 'a')));
}

TEST(Regex, ManyGroupsAreCutNotRead) {
  std::string pattern, subject;
  for (int i = 0; i < 100; ++i) {
    pattern += "(x)";
    subject += "x";
  }
  RegexPtr regex = *Regex::compile(pattern);
  std::vector<std::string_view> captures;
  ASSERT_TRUE(regex->search(subject, &captures));
  EXPECT_EQ(captures.size(), 64u);
  EXPECT_EQ(captures[63], "x");
  EXPECT_EQ(regex->groups(), 100);
}

TEST(Regex, OneForAllThreads) {
  RegexPtr regex = *Regex::compile("^/(\\w+)/(\\d+)$");
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::string_view> captures;
      for (int i = 0; i < 2'000; ++i) {
        std::string number = std::to_string(t * 10'000 + i), subject = "/user/" + number;
        if (!regex->search(subject, &captures) || captures[2] != number) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
