// Text in and text out: what is wrong with bodies and numbers in Go's words, and YAML as upstream writes it.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/api/go_text.h"
#include "server/api/json_syntax.h"
#include "server/api/yaml_text.h"

namespace server {
namespace {

using json = nlohmann::json;

TEST(Text, JsonProblems) {
  struct Row {
    const char *text, *want;
  };
  const Row rows[] = {
      {R"({"a":[1,{"b":-1.5e+3}],"c":"\u00e4\n","d":null})", ""},
      {"[]", ""},
      {" {} ", ""},
      {"", "unexpected end of JSON input"},
      {"{", "unexpected end of JSON input"},
      {"[1,", "unexpected end of JSON input"},
      {"\"a", "unexpected end of JSON input"},
      {"nope", "invalid character 'o' in literal null (expecting 'u')"},
      {"x", "invalid character 'x' looking for beginning of value"},
      {R"({"a":1}{"b":2})", "invalid character '{' after top-level value"},
      {R"({"a":1,})", "invalid character '}' looking for beginning of object key string"},
      {"{'a':1}", "invalid character '\\'' looking for beginning of object key string"},
      {R"({"a" 1})", "invalid character '1' after object key"},
      {R"({"a":1 "b"})", "invalid character '\"' after object key:value pair"},
      {"[1 2]", "invalid character '2' after array element"},
      {"[1,]", "invalid character ']' looking for beginning of value"},
      {"[[[]", "unexpected end of JSON input"},
      {"-x", "invalid character 'x' in numeric literal"},
      {"1.x", "invalid character 'x' after decimal point in numeric literal"},
      {"1ex", "invalid character 'x' in exponent of numeric literal"},
      {R"("\x")", "invalid character 'x' in string escape code"},
      {R"("\u12x4")", "invalid character 'x' in \\u hexadecimal character escape"},
      {"\"a\nb\"", "invalid character '\\n' in string literal"},
  };
  for (const Row& row : rows) EXPECT_EQ(json_problem(row.text), row.want) << row.text;
  EXPECT_EQ(json_problem(std::string(100000, '[')), "unexpected end of JSON input") << "as deep as a body may be long";
}

TEST(Text, BodiesInErrors) {
  struct Row {
    const char *body, *want;
  };
  const Row rows[] = {{"", "<empty>"}, {"{}", "{}"}, {"nope", "6e6f7065"}, {R"({"apiVersion": "v1", "kind": "ConfigMap"})", R"({"apiVersion": "v1", "kind": " ...)"}};
  for (const Row& row : rows) EXPECT_EQ(summarize_body(row.body), row.want);
}

TEST(Text, KeysInTheirOrder) {
  EXPECT_EQ(json(key_paths(R"({"z":1,"a":{"y":[{"b":1},{"b":2,"c":[]}]},"z":2})", 100)), json::parse(R"(["z","a","a.y","a.y[0].b","a.y[1].b","a.y[1].c","z"])"));
  EXPECT_EQ(key_paths(R"({"a":1,"b":2,"c":3})", 2).size(), 2u);
}

TEST(Text, Numbers) {
  struct Row {
    const char *text, *want;
  };
  for (const Row& row : {Row{"12", "12"}, Row{"-1", "-1"}, Row{"+3", "3"}, Row{"1.5", "strconv.ParseInt: parsing \"1.5\": invalid syntax"}, Row{"", "strconv.ParseInt: parsing \"\": invalid syntax"},
                         Row{"99999999999999999999", "strconv.ParseInt: parsing \"99999999999999999999\": value out of range"}}) {
    auto got = parse_int(row.text);
    EXPECT_EQ(got.ok() ? std::to_string(*got) : got.error().message, row.want);
  }
  EXPECT_EQ(parse_uint("-1").error().message, "strconv.ParseUint: parsing \"-1\": invalid syntax");
}

TEST(Text, Durations) {
  struct Row {
    const char *text, *want;
  };
  const Row rows[] = {{"1s", ""}, {"0", ""}, {"-1.5h2m", ""}, {"300ms", ""}, {"abc", "time: invalid duration \"abc\""}, {"5", "time: missing unit in duration \"5\""},
                      {"5x", "time: unknown unit \"x\" in duration \"5x\""}, {".s", "time: invalid duration \".s\""}};
  for (const Row& row : rows) EXPECT_EQ(duration_problem(row.text), row.want) << row.text;
}

TEST(Text, Yaml) {
  struct Row {
    const char *name, *value, *want;
  };
  const Row rows[] = {
      {"maps and lists", R"({"b":{"c":[1,"x",{"d":true,"e":null}]},"a":[]})", "a: []\nb:\n  c:\n  - 1\n  - x\n  - d: true\n    e: null\n"},
      {"lists of lists", R"([[1,2],[]])", "- - 1\n  - 2\n- []\n"},
      {"text that looks like something", R"({"a":"true","b":"1","c":"","d":"2026-11-29T16:08:48Z","e":"80:30","f":"1.2.3","g":"0x1F","h":"1e3","i":"null"})",
       "a: \"true\"\nb: \"1\"\nc: \"\"\nd: \"2026-11-29T16:08:48Z\"\ne: \"80:30\"\nf: 1.2.3\ng: \"0x1F\"\nh: \"1e3\"\ni: \"null\"\n"},
      {"text that cannot stand alone", R"({"a":"- x","b":"x: y","c":"#x","d":"it's: so","e":" x","f":"a #b","g":"%x"})",
       "a: '- x'\nb: 'x: y'\nc: '#x'\nd: 'it''s: so'\ne: ' x'\nf: 'a #b'\ng: '%x'\n"},
      {"lines", R"({"a":"x\ny\n","b":"x\ny","c":"x\n\n","d":"\tx\ny"})", "a: |\n  x\n  y\nb: |-\n  x\n  y\nc: |+\n  x\n\nd: \"\\tx\\ny\"\n"},
      {"keys of ownership", R"({"f:x":{".":{},"k:{\"name\":\"c\"}":{},"v:\"a/b\"":{}}})", "f:x:\n  .: {}\n  k:{\"name\":\"c\"}: {}\n  v:\"a/b\": {}\n"},
      {"order of keys", R"({"a10":1,"a9":1,"a-b":1,"aB":1})", "a-b: 1\na9: 1\na10: 1\naB: 1\n"},
      {"a long line", R"({"message":"only the following media types are accepted: application/json;stream=watch, application/x"})",
       "message: 'only the following media types are accepted: application/json;stream=watch,\n  application/x'\n"},
      {"what does not show", R"({"a":"\u0001","b":"\u00a0","c":"ä"})", "a: \"\\x01\"\nb: \xC2\xA0\nc: ä\n"},
  };
  for (const Row& row : rows) EXPECT_EQ(render_yaml(json::parse(row.value)), row.want) << row.name;
}

}  // namespace
}  // namespace server
