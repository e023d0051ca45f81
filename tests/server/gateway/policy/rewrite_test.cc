#include "server/gateway/policy/rewrite.h"

#include <gtest/gtest.h>

#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;
using policy_test::get;

struct PathRow {
  const char* in;
  const char* want;  // nullptr: 400
};

// What nginx 1.22 says for each.
TEST(NormalizePath, AsNginx) {
  const PathRow rows[] = {
      {"/", "/"},
      {"/a", "/a"},
      {"/a/b", "/a/b"},
      {"//a", "/a"},
      {"/a//b", "/a/b"},
      {"/a/./b", "/a/b"},
      {"/a/../b", "/b"},
      {"/..", nullptr},
      {"/../a", nullptr},
      {"/a/..", "/"},
      {"/a/.", "/a/"},
      {"/a/b/..", "/a/"},
      {"/a/b/../", "/a/"},
      {"/a/b/../../..", nullptr},
      {"/%41", "/A"},
      {"/a%2fb", "/a/b"},
      {"/a%2f..%2fb", "/b"},
      {"/%2e%2e/a", nullptr},
      {"/a/%2e%2e/b", "/b"},
      {"/a/%2E", "/a/"},
      {"/%", nullptr},
      {"/%4", nullptr},
      {"/%zz", nullptr},
      {"/a%00b", nullptr},
      {"/a%3fb", "/a?b"},
      {"/a%23b", "/a#b"},
      {"/a%25b", "/a%b"},
      {"/a%2541", "/a%41"},
      {"/a#b", "/a"},
      {"/a?x=/../", "/a"},
      {"/a/..?x", "/"},
      {"/a/.?x", "/a/"},
      {"/...", "/..."},
      {"/a/...", "/a/..."},
      {"/.hidden", "/.hidden"},
      {"/a/.b/..c", "/a/.b/..c"},
      {"/a/b..", "/a/b.."},
      {"/a+b", "/a+b"},
      {"/a%20b", "/a b"},
      {"/\\a", "/\\a"},
      {"/a/..#x", "/"},
      {"//..", nullptr},
      {"/a//../b", "/b"},
      {"/./", "/"},
      {"/.//", "/"},
      {"/a/;/..", "/a/"},
      {"/caf\xe9", "/caf\xe9"},
      {"/a%0d%0ab", "/a\r\nb"},
      {"/a%2F%2Fb", "/a/b"},
      {"/%2f%2f", "/"},
      {"a", nullptr},
      {"*", nullptr},
      {"", "/"},
      {"?a", "/"},
  };
  for (const PathRow& row : rows) {
    SCOPED_TRACE(row.in);
    auto got = normalize_path(row.in);
    ASSERT_EQ(got.ok(), row.want != nullptr);
    if (!got.ok()) {
      EXPECT_EQ(got.error().code, base::Code::kBadRequest);
      EXPECT_FALSE(is_normal_path(row.in));
      continue;
    }
    EXPECT_EQ(*got, row.want);
    EXPECT_TRUE(!is_normal_path(row.in) || *got == row.in);
  }
  EXPECT_FALSE(normalize_path(std::string_view("/a\0b", 4)).ok());
  EXPECT_TRUE(is_normal_path("/api/v1/users"));
}

struct RewriteRow {
  const char* regex;
  const char* to;
  const char* target;
  const char* want;  // nullptr: an error
};

TEST(Rewrite, AsNginx) {
  constexpr const char* kSomething = "/something(/|$)(.*)";
  const RewriteRow rows[] = {
      {kSomething, "/$2", "/something", "/"},
      {kSomething, "/$2", "/something/", "/"},
      {kSomething, "/$2", "/something/new", "/new"},
      {kSomething, "/$2", "/SomeThing/x?q=1&r=2", "/x?q=1&r=2"},
      {kSomething, "/$2", "/something/a%20b", "/a%20b"},
      {kSomething, "/$2", "/something/a%2fb", "/a/b"},
      {kSomething, "/$2", "/something/%3Fx", "/%3Fx"},
      {kSomething, "/$2", "/something/x%25y", "/x%25y"},
      {kSomething, "/$2", "/something//a/../b?z", "/b?z"},
      {kSomething, "/$2", "/something/caf%c3%a9", "/caf%C3%A9"},
      {kSomething, "/$2", "/something/a\"<>b", "/a%22%3C%3Eb"},
      {kSomething, "/$2", "/something/a%7cb", "/a%7Cb"},
      {kSomething, "/$2", "/something/a+b", "/a+b"},
      {kSomething, "/$2", "/something/a?", "/a"},
      {kSomething, "/$2", "/something/a%0d%0ab", "/a%0D"},  // '.' stops at a line's end.
      {"/a/(.*)", "/x?p=$1", "/a/b", "/x?p=b"},
      {"/a/(.*)", "/x?p=$1", "/a/b%20c", "/x?p=b%20c"},
      {"/a/(.*)", "/x?p=$1", "/a/b?z=1", "/x?p=b&z=1"},
      {"/a/(.*)", "/x?p=$1", "/a/x&y", "/x?p=x&y"},
      {"/a/(.*)", "/x?p=$1", "/a/x%26y", "/x?p=x%26y"},
      {"/a/(.*)", "/x?p=$1", "/a/x+y", "/x?p=x%2By"},
      {"/a/(.*)", "/x?p=$1", "/a/x%2By?k", "/x?p=x%2By&k"},
      {"/a/(.*)", "/y/$1?", "/a/b?z=1", "/y/b"},
      {"/a/(.*)", "/y/$1?", "/a/x%26y", "/y/x&y"},
      {"/a", "/lit", "/a/b?z=1", "/lit?z=1"},
      {"/a(.*)", "$1", "/a/x%2By?k", "/x+y?k"},
      // Ours.
      {"/a(.*)", "$1", "/a", nullptr},                              // nginx: 500, zero length
      {"/a/(.*)", "$1", "/a/b", "/b"},                              // nginx sends "b", which no server takes
      {"/zzz", "/lit", "/a/../b%2f?k", "/a/../b%2f?k"},             // no match: as it came
      {"/a/(.*)", "/x?u=$uri", "/a/b%0d%0aEvil:%201", "/x?u=/a/b%0D%0AEvil:%201"},
      {"/a/(.*)", "/x?h=$http_evil", "/a/b", "/x?h=a%20b"},
      {"/a/(.*)", "https://other/$1", "/a/b?q", "https://other/b?q"},
      {"/a/(.*)", "$1", "/a/https://evil/", "/https:/evil/"},        // only the manifest makes a redirect
  };
  for (const RewriteRow& row : rows) {
    SCOPED_TRACE(std::string(row.regex) + " -> " + row.to + " for " + row.target);
    Rewrite rewrite;
    rewrite.regex = policy_test::regex(row.regex);
    rewrite.target = policy_test::text(row.to);
    RequestHead request = get(row.target, {{"Evil", "a b"}});
    TemplateContext context;
    context.request = &request;
    auto got = rewritten_target(rewrite, request, context);
    ASSERT_EQ(got.ok(), row.want != nullptr);
    if (!got.ok()) {
      EXPECT_EQ(got.error().code, base::Code::kInternal);
      continue;
    }
    EXPECT_EQ(*got, row.want);
    EXPECT_EQ(*rewritten_target(rewrite, request, context, *normalize_path(request.path())), row.want) << "with the path given";
  }
}

struct PrefixRow {
  Rewrite::Kind kind;
  const char* prefix;
  const char* to;
  const char* target;
  const char* want;
};

TEST(Rewrite, OfTheGatewayApi) {
  constexpr auto kPrefix = Rewrite::Kind::kPrefix, kFull = Rewrite::Kind::kFullPath;
  const PrefixRow rows[] = {
      {kPrefix, "/foo", "/xyz", "/foo/bar", "/xyz/bar"},
      {kPrefix, "/foo", "/xyz/", "/foo/bar", "/xyz/bar"},
      {kPrefix, "/foo/", "/xyz", "/foo/bar", "/xyz/bar"},
      {kPrefix, "/foo/", "/xyz/", "/foo/bar?a=1", "/xyz/bar?a=1"},
      {kPrefix, "/foo", "/xyz", "/foo", "/xyz"},
      {kPrefix, "/foo", "/xyz", "/foo/", "/xyz/"},
      {kPrefix, "/foo", "/", "/foo/bar", "/bar"},
      {kPrefix, "/foo", "/", "/foo", "/"},
      {kPrefix, "/foo", "", "/foo", "/"},
      {kPrefix, "/", "/x", "/foo", "/x/foo"},
      {kPrefix, "/foo", "/x", "/foobar", "/foobar"},
      {kPrefix, "/foo", "/x", "/foo/a;b'c", "/x/a;b'c"},
      {kPrefix, "/foo", "/x", "/%66oo/a%20b", "/x/a%20b"},
      {kFull, "", "/one", "/foo/bar?a=1", "/one?a=1"},
      {kFull, "", "one", "/foo", "/one"},
  };
  for (const PrefixRow& row : rows) {
    SCOPED_TRACE(std::string(row.prefix) + " -> " + row.to + " for " + row.target);
    Rewrite rewrite;
    rewrite.kind = row.kind;
    rewrite.prefix = row.prefix;
    rewrite.target = Template::literal(row.to);
    RequestHead request = get(row.target);
    auto got = rewritten_target(rewrite, request, {});
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(*got, row.want);
  }
}

}  // namespace
