#include "store/object/access.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace store {
namespace {

const json& sample() {
  static const json kTree = json::parse(R"({
    "metadata": {"name": "web", "labels": {"app": "web", "app.kubernetes.io/name": "w", "n": 1}},
    "spec": {"replicas": 3, "paused": true, "big": 18446744073709551615, "low": -7, "ratio": 1.5, "nothing": null,
             "list": [1, 2], "empty": {}}})");
  return kTree;
}

TEST(Access, Find) {
  struct Row {
    const char* name;
    const char* path;
    const char* want;  // nullptr: absent.
  };
  constexpr Row kRows[] = {
      {"root", "", nullptr},
      {"one level", "spec.replicas", "3"},
      {"deep", "metadata.labels.app", "\"web\""},
      {"null is there", "spec.nothing", "null"},
      {"absent leaf", "spec.nope", nullptr},
      {"absent on the way", "status.phase", nullptr},
      {"scalar on the way", "spec.replicas.x", nullptr},
      {"array on the way", "spec.list.0", nullptr},
      {"null on the way", "spec.nothing.x", nullptr},
      {"empty step", "spec..replicas", nullptr},
      {"dotted key is not a path", "metadata.labels.app.kubernetes.io/name", nullptr},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const json* got = find(sample(), row.path);
    if (row.path[0] == '\0') {
      EXPECT_EQ(got, &sample());
    } else if (row.want == nullptr) {
      EXPECT_EQ(got, nullptr);
    } else {
      ASSERT_NE(got, nullptr);
      EXPECT_EQ(got->dump(), row.want);
    }
  }
}

TEST(Access, FindKeyTakesDotsLiterally) {
  const json& labels = get_object(sample(), "metadata.labels");
  ASSERT_NE(find_key(labels, "app.kubernetes.io/name"), nullptr);
  EXPECT_EQ(*find_key(labels, "app.kubernetes.io/name"), "w");
  EXPECT_EQ(find_key(labels, "nope"), nullptr);
  EXPECT_EQ(find_key(json(3), "x"), nullptr);
  EXPECT_EQ(find_key(json(), "x"), nullptr);
}

TEST(Access, TypedReadsFallBack) {
  EXPECT_EQ(get_string(sample(), "metadata.name"), "web");
  EXPECT_EQ(get_string(sample(), "spec.replicas", "d"), "d");
  EXPECT_EQ(get_string(sample(), "nope"), "");
  EXPECT_EQ(get_int(sample(), "spec.replicas"), 3);
  EXPECT_EQ(get_int(sample(), "spec.low"), -7);
  EXPECT_EQ(get_int(sample(), "spec.big", 5), 5) << "does not fit";
  EXPECT_EQ(get_int(sample(), "spec.ratio", 5), 5);
  EXPECT_EQ(get_int(sample(), "metadata.name", 5), 5);
  EXPECT_TRUE(get_bool(sample(), "spec.paused"));
  EXPECT_TRUE(get_bool(sample(), "spec.replicas", true));
  EXPECT_FALSE(get_bool(sample(), "spec.nothing"));
  EXPECT_EQ(get_array(sample(), "spec.list").size(), 2u);
  EXPECT_TRUE(get_array(sample(), "spec.empty").empty());
  EXPECT_TRUE(get_array(sample(), "spec.empty").is_array());
  EXPECT_TRUE(get_object(sample(), "spec.list").is_object());
  EXPECT_EQ(get_string_map(sample(), "metadata.labels"),
            (std::map<std::string, std::string>{{"app", "web"}, {"app.kubernetes.io/name", "w"}}));
  EXPECT_TRUE(get_string_map(sample(), "spec.replicas").empty());
}

TEST(Access, Writes) {
  struct Row {
    const char* name;
    const char* in;
    const char* path;
    const char* set;  // nullptr: erase.
    const char* want;
  };
  constexpr Row kRows[] = {
      {"set into empty", "{}", "a.b.c", "1", R"({"a":{"b":{"c":1}}})"},
      {"set into null", "null", "a.b", "1", R"({"a":{"b":1}})"},
      {"set replaces", R"({"a":{"b":1,"c":2}})", "a.b", "[]", R"({"a":{"b":[],"c":2}})"},
      {"set replaces a scalar on the way", R"({"a":7})", "a.b", "1", R"({"a":{"b":1}})"},
      {"erase", R"({"a":{"b":1,"c":2}})", "a.b", nullptr, R"({"a":{"c":2}})"},
      {"erase leaves an empty parent", R"({"a":{"b":1}})", "a.b", nullptr, R"({"a":{}})"},
      {"erase absent leaf", R"({"a":{"b":1}})", "a.x", nullptr, R"({"a":{"b":1}})"},
      {"erase absent parent", R"({"a":{"b":1}})", "x.y.z", nullptr, R"({"a":{"b":1}})"},
      {"erase below a scalar", R"({"a":1})", "a.b", nullptr, R"({"a":1})"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    json tree = json::parse(row.in);
    if (row.set != nullptr) set(tree, row.path, json::parse(row.set));
    else erase(tree, row.path);
    EXPECT_EQ(tree.dump(), row.want);
  }
}

TEST(Access, EnsureGivesNullWhenNew) {
  json tree = json::object();
  EXPECT_TRUE(ensure(tree, "a.b").is_null());
  ensure(tree, "a.b")["c"] = 1;
  EXPECT_EQ(tree.dump(), R"({"a":{"b":{"c":1}}})");
}

}  // namespace
}  // namespace store
