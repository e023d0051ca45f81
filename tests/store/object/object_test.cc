#include "store/object/object.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

namespace store {
namespace {

json pod() {
  return json::parse(R"({"kind":"Pod","metadata":{"name":"p","namespace":"d","uid":"u-1","resourceVersion":"42"},"spec":{"x":[1,2]}})");
}

TEST(Object, ReadsItsIdentityFromTheTree) {
  Object object("pods", pod());
  EXPECT_TRUE(object);
  EXPECT_EQ(object.key(), (Key{"pods", "d", "p"}));
  EXPECT_EQ(object.uid(), "u-1");
  EXPECT_EQ(object.revision(), 42u);
  EXPECT_EQ(object.bytes(), pod().dump());
}

TEST(Object, TreesThatLackThingsAreHarmless) {
  struct Row {
    const char* tree;
    Revision revision;
  };
  constexpr Row kRows[] = {{"{}", 0},
                           {"null", 0},
                           {"[1]", 0},
                           {R"({"metadata":7})", 0},
                           {R"({"metadata":{"name":3,"resourceVersion":9}})", 0},
                           {R"({"metadata":{"resourceVersion":"12x"}})", 0},
                           {R"({"metadata":{"resourceVersion":"-1"}})", 0},
                           {R"({"metadata":{"resourceVersion":""}})", 0},
                           {R"({"metadata":{"resourceVersion":"99999999999999999999999"}})", 0},
                           {R"({"metadata":{"resourceVersion":"18446744073709551615"}})", 18446744073709551615u}};
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.tree);
    Object object("pods", json::parse(row.tree));
    EXPECT_EQ(object.name(), "");
    EXPECT_EQ(object.uid(), "");
    EXPECT_EQ(object.revision(), row.revision);
    EXPECT_EQ(object.bytes(), json::parse(row.tree).dump());
  }
}

TEST(Object, EmptyOne) {
  Object object;
  EXPECT_FALSE(object);
  EXPECT_EQ(object.name(), "");
  EXPECT_EQ(object.revision(), 0u);
  EXPECT_TRUE(object.tree().is_object());
  EXPECT_EQ(object.bytes(), "{}");
  EXPECT_FALSE(object.without_tree());
}

TEST(Object, FromBytes) {
  Object object(Key{"pods", "d", "p"}, 42, std::make_shared<const std::string>(pod().dump()));
  EXPECT_EQ(object.uid(), "u-1");
  EXPECT_EQ(object.tree(), pod());
  EXPECT_EQ(object.bytes(), pod().dump());
  Object broken(Key{"pods", "d", "p"}, 42, std::make_shared<const std::string>("{oops"));
  EXPECT_EQ(broken.tree(), json::object());
}

TEST(Object, StringsThatAreNotUtf8DoNotThrow) {
  json tree = pod();
  tree["spec"]["bad"] = "a\xff";
  Object object("pods", tree);
  EXPECT_NE(object.bytes().find("a\xEF\xBF\xBD"), std::string::npos);
}

TEST(Object, WithoutTreeSharesTheBytes) {
  Object object("pods", pod());
  Object slim = object.without_tree();
  EXPECT_EQ(&slim.bytes(), &object.bytes());
  EXPECT_EQ(slim.key(), object.key());
  EXPECT_EQ(slim.revision(), object.revision());
  EXPECT_EQ(slim.tree(), object.tree());
}

TEST(Object, LazyPartsAreMadeOnceByWhicheverThreadComesFirst) {
  Object from_tree("pods", pod());
  Object from_bytes(Key{"pods", "d", "p"}, 42, std::make_shared<const std::string>(pod().dump()));
  std::vector<std::thread> threads;
  std::vector<std::pair<const std::string*, const json*>> seen(8);
  for (auto& slot : seen) {
    threads.emplace_back([&slot, from_tree, from_bytes] { slot = {&from_tree.bytes(), &from_bytes.tree()}; });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& slot : seen) EXPECT_EQ(slot, seen[0]);
}

}  // namespace
}  // namespace store
