#include "server/api/decode.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/api/yaml.h"

namespace server {
namespace {

TEST(Yaml, ScalarsAreTypedAsKubernetesTypesThem) {
  struct Row {
    const char* in;
    json want;
  };
  const Row rows[] = {
      {"a: 1", {{"a", 1}}},
      {"a: -3", {{"a", -3}}},
      {"a: 0644", {{"a", 420}}},
      {"a: 0x1F", {{"a", 31}}},
      {"a: 1_000", {{"a", 1000}}},
      {"a: 1.5", {{"a", 1.5}}},
      {"a: 1e3", {{"a", 1000}}},
      {"a: 1.2.3", {{"a", "1.2.3"}}},
      {"a: 10.0.0.1", {{"a", "10.0.0.1"}}},
      {"a: yes", {{"a", true}}},
      {"a: 'yes'", {{"a", "yes"}}},
      {"a: \"1\"", {{"a", "1"}}},
      {"a: off", {{"a", false}}},
      {"a: ~", {{"a", nullptr}}},
      {"a:", {{"a", nullptr}}},
      {"a: ''", {{"a", ""}}},
      {"a: 100m", {{"a", "100m"}}},
      {"a: 2001-01-01", {{"a", "2001-01-01"}}},
      {"a: !!str 5", {{"a", "5"}}},
      {"a: |\n  x\n  y\n", {{"a", "x\ny\n"}}},
      {"8080: x", {{"8080", "x"}}},
      {"b: &x {k: 1}\nc: *x", {{"b", {{"k", 1}}}, {"c", {{"k", 1}}}}},
      {"b: &x {k: 1, m: 2}\nc: {<<: *x, k: 3}", {{"b", {{"k", 1}, {"m", 2}}}, {"c", {{"k", 3}, {"m", 2}}}}},
      {"[1, a, true]", json::array({1, "a", true})},
  };
  for (const Row& row : rows) {
    auto got = parse_yaml(row.in);
    ASSERT_TRUE(got.ok()) << row.in << ": " << got.error().message;
    ASSERT_EQ(got->size(), 1u) << row.in;
    EXPECT_EQ((*got)[0], row.want) << row.in;
  }
}

TEST(Yaml, StreamsAndErrors) {
  auto two = parse_yaml("---\na: 1\n---\n# nothing\n---\nb: 2\n");
  ASSERT_TRUE(two.ok());
  EXPECT_EQ(two->size(), 2u);
  for (const char* bad : {"a: [1", "a: b: c", "\tx: 1", "a: *nope"}) EXPECT_FALSE(parse_yaml(bad).ok()) << bad;
  EXPECT_FALSE(parse_yaml(std::string(300, '[') + std::string(300, ']')).ok());
  // Nine levels of nine aliases each are 400 million nodes.
  std::string laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'i'; ++c) {
    std::string p(1, static_cast<char>(c - 1));
    laughs += std::string(1, c) + ": &" + c + " [*" + p + ",*" + p + ",*" + p + ",*" + p + ",*" + p + ",*" + p + ",*" + p + ",*" + p + ",*" + p + "]\n";
  }
  EXPECT_FALSE(parse_yaml(laughs).ok());
}

// Small bodies that would become large ones.
TEST(Yaml, WhatAliasesRepeatIsBounded) {
  auto message = [](const std::string& text) {
    auto got = parse_yaml(text);
    return got.ok() ? "" : got.error().message;
  };
  const std::string excess = "yaml: document contains excessive aliasing";
  const std::string long_text(1024 * 1024, 'x');
  std::string repeated = "a: &a " + long_text + "\nb: [";
  for (int i = 0; i < 1000; ++i) repeated += "*a,";
  EXPECT_EQ(message(repeated + "]\n"), excess);
  std::string as_keys = "a: &a " + long_text + "\n";
  for (int i = 0; i < 1000; ++i) as_keys += "b" + std::to_string(i) + ": {*a : 1}\n";
  EXPECT_EQ(message(as_keys), excess);
  // Each level is an anchor of all that is in it.
  std::string nested;
  for (int i = 0; i < 150; ++i) nested += "&a" + std::to_string(i) + " [";
  EXPECT_EQ(message(nested + "\"" + long_text + "\"" + std::string(150, ']')), excess);
  std::string merges = "a: &a {" ;
  for (int i = 0; i < 1000; ++i) merges += "k" + std::to_string(i) + ": 1, ";
  merges += "}\nb: [";
  for (int i = 0; i < 1000; ++i) merges += "{<<: *a},";
  EXPECT_EQ(message(merges + "]\n"), excess);
  std::string many = "[";
  for (int i = 0; i < 700'000; ++i) many += "a, ";
  EXPECT_EQ(message(many + "]"), excess);
  // What is meant works: a megabyte once, and a hundred uses of a template.
  EXPECT_EQ(message("a: &a " + long_text + "\nb: *a\n"), "");
  std::string used = "base: &b {x: 1, y: [1, 2, 3]}\nall:\n";
  for (int i = 0; i < 100; ++i) used += "- {<<: *b, n: " + std::to_string(i) + "}\n";
  EXPECT_EQ(message(used), "");
}

TEST(Yaml, WhatHasNoMeaningIsRefused) {
  const std::pair<const char*, const char*> rows[] = {
      {"a: &a [*a]", "yaml: anchor value contains itself"},
      {"{[a, b]: c}", "yaml: invalid map key"},
      {"a: {<<: 1}", "yaml: map merge requires map or sequence of maps as the value"},
      {"a: {<<: [{b: 1}, 2]}", "yaml: map merge requires map or sequence of maps as the value"},
  };
  for (const auto& [text, want] : rows) {
    auto got = parse_yaml(text);
    ASSERT_FALSE(got.ok()) << text;
    EXPECT_EQ(got.error().message, want) << text;
  }
  EXPECT_EQ(parse_yaml("a: {<<: [{b: 1}, {b: 2, c: 3}], d: 4}").value()[0], json::parse(R"({"a":{"b":1,"c":3,"d":4}})"));
}

TEST(Decode, FindsFieldsGivenTwice) {
  std::vector<std::string> twice;
  auto got = decode_json(R"({"a":1,"b":{"c":1,"c":2},"l":[{"x":1},{"x":1,"x":2}],"a":3})", &twice);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ((*got)["a"], 3);
  EXPECT_EQ(twice, (std::vector<std::string>{"duplicate field \"b.c\"", "duplicate field \"l[1].x\"", "duplicate field \"a\""}));
}

// Time that does not grow with the square of the size; what is read is what the library reads.
TEST(Decode, LongBodies) {
  std::vector<std::string> twice;
  std::string items = "[{}", lists = "[[]", members = "{\"k\":0";
  for (int i = 0; i < 500'000; ++i) items += ",{}", lists += ",[]";
  for (int i = 0; i < 100'000; ++i) members += ",\"k" + std::to_string(i) + "\":{\"a\":[{}]}";
  for (const std::string& text : {items + "]", lists + "]", members + "}", std::string(R"([1,-2,3.5,"x\u00e9",null,true,{"a":{"b":[]}},18446744073709551615])")}) {
    auto got = decode_json(text, &twice);
    ASSERT_TRUE(got.ok());
    EXPECT_TRUE(*got == json::parse(text));
  }
  EXPECT_TRUE(twice.empty());
  for (const char* bad : {"[1", "{\"a\"}", "1 2", "[1,]", "nul", "\"\\x\""}) EXPECT_FALSE(decode_json(bad, &twice).ok()) << bad;
}

TEST(Decode, RejectsWhatIsNotJsonOrTooDeep) {
  for (const std::string& bad : {std::string("{"), std::string("  "), std::string("{\"a\":}"), std::string("nul"), std::string(100000, '[')}) {
    EXPECT_FALSE(decode_json(bad).ok());
  }
}

}  // namespace
}  // namespace server
