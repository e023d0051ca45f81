// RFC 6902 and RFC 7386: the RFCs' own examples, and where the API server's library differs from them.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kubectl-compat/patch/patch.h"

namespace compat {
namespace {

struct Row {
  const char* name;
  const char* tree;
  const char* patch;
  const char* want;  // JSON, or "!422", "!400 text"
};

std::string outcome(const base::Result<json>& result) {
  if (result.ok()) return result->dump();
  return "!" + std::to_string(base::http_code(result.error().code)) + " " + result.error().message;
}

constexpr const char* kFailed = "!422 the server rejected our request due to an error in our request";

TEST(JsonPatch, Operations) {
  const Row rows[] = {
      {"add member", R"({"foo":"bar"})", R"([{"op":"add","path":"/baz","value":"qux"}])", R"({"baz":"qux","foo":"bar"})"},
      {"add element", R"({"foo":["bar","baz"]})", R"([{"op":"add","path":"/foo/1","value":"qux"}])", R"({"foo":["bar","qux","baz"]})"},
      {"add at end", R"({"foo":["bar"]})", R"([{"op":"add","path":"/foo/-","value":["abc"]}])", R"({"foo":["bar",["abc"]]})"},
      {"add past end", R"({"foo":["bar"]})", R"([{"op":"add","path":"/foo/2","value":1}])", kFailed},
      {"add negative", R"({"foo":[1,2]})", R"([{"op":"add","path":"/foo/-1","value":3}])", R"({"foo":[1,2,3]})"},
      {"add to nonexistent", R"({"foo":"bar"})", R"([{"op":"add","path":"/baz/bat","value":"qux"}])", kFailed},
      {"add whole", R"({"foo":"bar"})", R"([{"op":"add","path":"","value":{"a":1}}])", R"({"a":1})"},
      {"remove member", R"({"baz":"qux","foo":"bar"})", R"([{"op":"remove","path":"/baz"}])", R"({"foo":"bar"})"},
      {"remove element", R"({"foo":["bar","qux","baz"]})", R"([{"op":"remove","path":"/foo/1"}])", R"({"foo":["bar","baz"]})"},
      {"remove last by -1", R"({"foo":[1,2]})", R"([{"op":"remove","path":"/foo/-1"}])", R"({"foo":[1]})"},
      {"remove missing", R"({"foo":"bar"})", R"([{"op":"remove","path":"/baz"}])", kFailed},
      {"replace", R"({"baz":"qux","foo":"bar"})", R"([{"op":"replace","path":"/baz","value":"boo"}])", R"({"baz":"boo","foo":"bar"})"},
      {"replace missing", R"({"foo":"bar"})", R"([{"op":"replace","path":"/baz","value":"boo"}])", kFailed},
      {"replace element", R"({"a":[1,2]})", R"([{"op":"replace","path":"/a/0","value":9}])", R"({"a":[9,2]})"},
      {"move member", R"({"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}})",
       R"([{"op":"move","from":"/foo/waldo","path":"/qux/thud"}])", R"({"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}})"},
      {"move element", R"({"foo":["all","grass","cows","eat"]})", R"([{"op":"move","from":"/foo/1","path":"/foo/3"}])",
       R"({"foo":["all","cows","eat","grass"]})"},
      {"move into itself", R"({"a":{"b":{}}})", R"([{"op":"move","from":"/a","path":"/a/b/c"}])", kFailed},
      {"copy", R"({"a":{"b":1}})", R"([{"op":"copy","from":"/a","path":"/c"}])", R"({"a":{"b":1},"c":{"b":1}})"},
      {"test passes", R"({"baz":"qux","foo":["a",2,"c"]})", R"([{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}])",
       R"({"baz":"qux","foo":["a",2,"c"]})"},
      {"test fails", R"({"baz":"qux"})", R"([{"op":"test","path":"/baz","value":"bar"}])", kFailed},
      {"test absent is null", R"({"baz":"qux"})", R"([{"op":"test","path":"/nope","value":null}])", R"({"baz":"qux"})"},
      {"test number is no string", R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":"10"}])", kFailed},
      {"escapes", R"({"/":9,"~1":10})", R"([{"op":"test","path":"/~01","value":10},{"op":"remove","path":"/~1"}])", R"({"~1":10})"},
      {"all or nothing", R"({"a":1})", R"([{"op":"remove","path":"/a"},{"op":"remove","path":"/a"}])", kFailed},
      {"unknown op", R"({"a":1})", R"([{"op":"spam","path":"/a"}])", kFailed},
      {"no path", R"({"a":1})", R"([{"op":"remove"}])", kFailed},
      {"relative path", R"({"a":1})", R"([{"op":"remove","path":"a"}])", kFailed},
      {"no value", R"({"a":1})", R"([{"op":"add","path":"/b"}])", kFailed},
      {"null operation", R"({"a":1})", R"([null])", kFailed},
      {"empty", R"({"a":1})", R"([])", R"({"a":1})"},
      {"null patch", R"({"a":1})", R"(null)", R"({"a":1})"},
      {"not a list", R"({"a":1})", R"({"op":"add"})", "!400 error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"},
      {"not an operation", R"({"a":1})", R"(["add"])", "!400 error decoding patch: json: cannot unmarshal string into Go value of type jsonpatch.Operation"},
  };
  for (const Row& row : rows) EXPECT_EQ(outcome(apply_json_patch(json::parse(row.tree), json::parse(row.patch))), row.want) << row.name;
}

TEST(JsonPatch, TooManyOperations) {
  json patch = json::array();
  for (int i = 0; i < 10000; ++i) patch.push_back({{"op", "test"}, {"path", "/a"}, {"value", 1}});
  EXPECT_TRUE(apply_json_patch({{"a", 1}}, patch).ok());
  patch.push_back(patch[0]);
  EXPECT_EQ(outcome(apply_json_patch({{"a", 1}}, patch)),
            "!413 Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001");
}

TEST(JsonPatch, CopyCannotFillTheMemory) {
  json patch = json::array();
  for (int i = 0; i < 40; ++i) patch.push_back({{"op", "copy"}, {"from", ""}, {"path", "/a" + std::to_string(i)}});
  EXPECT_EQ(outcome(apply_json_patch({{"a", "some text"}}, patch)), kFailed);
}

TEST(MergePatch, Rfc7386Appendix) {
  const Row rows[] = {
      {"replace", R"({"a":"b"})", R"({"a":"c"})", R"({"a":"c"})"},
      {"add", R"({"a":"b"})", R"({"b":"c"})", R"({"a":"b","b":"c"})"},
      {"delete", R"({"a":"b"})", R"({"a":null})", R"({})"},
      {"delete one", R"({"a":"b","b":"c"})", R"({"a":null})", R"({"b":"c"})"},
      {"list by value", R"({"a":["b"]})", R"({"a":"c"})", R"({"a":"c"})"},
      {"value by list", R"({"a":"c"})", R"({"a":["b"]})", R"({"a":["b"]})"},
      {"nested", R"({"a":{"b":"c"}})", R"({"a":{"b":"d","c":null}})", R"({"a":{"b":"d"}})"},
      {"list whole", R"({"a":[{"b":"c"}]})", R"({"a":[1]})", R"({"a":[1]})"},
      {"array document", R"(["a","b"])", R"(["c","d"])", R"(["c","d"])"},
      {"object by array", R"({"a":"b"})", R"(["c"])", R"(["c"])"},
      {"by null", R"({"a":"foo"})", R"(null)", R"(null)"},
      {"by string", R"({"a":"foo"})", R"("bar")", R"("bar")"},
      {"null stays", R"({"e":null})", R"({"a":1})", R"({"a":1,"e":null})"},
      {"array by object", R"([1,2])", R"({"a":"b","c":null})", R"({"a":"b"})"},
      {"null in new object", R"({})", R"({"a":{"bb":{"ccc":null}}})", R"({"a":{"bb":{}}})"},
  };
  for (const Row& row : rows) EXPECT_EQ(apply_merge_patch(json::parse(row.tree), json::parse(row.patch)).dump(), row.want) << row.name;
}

}  // namespace
}  // namespace compat
