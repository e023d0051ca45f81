// Strategic merge: which lists merge comes from the schema of the built-in kinds; directives by table.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kubectl-compat/patch/patch.h"

namespace compat {
namespace {

struct StrategicRow {
  const char* name;
  const char* tree;
  const char* patch;
  const char* want;  // JSON, or "!code text"
};

const store::Type& type_of(const char* api_version, const char* kind) {
  return *store::builtin_registry().find_kind(api_version, kind)->type;
}

std::string strategic_outcome(const base::Result<json>& result) {
  if (result.ok()) return result->dump();
  return "!" + std::to_string(base::http_code(result.error().code)) + " " + result.error().message;
}

void check(const store::Type& type, std::span<const StrategicRow> rows) {
  for (const StrategicRow& row : rows) {
    std::string want = row.want[0] == '!' ? row.want : json::parse(row.want).dump();
    EXPECT_EQ(strategic_outcome(apply_strategic_patch(json::parse(row.tree), json::parse(row.patch), type)), want) << row.name;
  }
}

TEST(Strategic, ListsByKey) {
  const StrategicRow rows[] = {
      {"merge one, keep others", R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"2"}]}})",
       R"({"spec":{"containers":[{"name":"b","image":"3"}]}})", R"({"spec":{"containers":[{"name":"a","image":"1"},{"name":"b","image":"3"}]}})"},
      {"new one goes first", R"({"spec":{"containers":[{"name":"a"}]}})", R"({"spec":{"containers":[{"name":"b"}]}})",
       R"({"spec":{"containers":[{"name":"b"},{"name":"a"}]}})"},
      {"new one behind a known one", R"({"spec":{"containers":[{"name":"a"},{"name":"c"}]}})", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}})"},
      {"$patch in a new item", R"({"spec":{"containers":[{"name":"a"}]}})", R"({"spec":{"initContainers":[{"name":"b","$patch":"replace"},{"name":"c"}]}})",
       R"({"spec":{"containers":[{"name":"a"}],"initContainers":[{"name":"c"}]}})"},
      {"order of the patch", R"({"spec":{"containers":[{"name":"a"},{"name":"b"},{"name":"c"}]}})",
       R"({"spec":{"containers":[{"name":"c"},{"name":"a"}]}})", R"({"spec":{"containers":[{"name":"b"},{"name":"c"},{"name":"a"}]}})"},
      {"$setElementOrder", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}],"containers":[{"name":"b","image":"x"}]}})",
       R"({"spec":{"containers":[{"name":"b","image":"x"},{"name":"a"}]}})"},
      {"$setElementOrder alone", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"b"},{"name":"a"}]}})", R"({"spec":{"containers":[{"name":"b"},{"name":"a"}]}})"},
      {"server-only keeps its place", R"({"spec":{"containers":[{"name":"side"},{"name":"a"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"a"},{"name":"b"}],"containers":[{"name":"b"}]}})",
       R"({"spec":{"containers":[{"name":"side"},{"name":"a"},{"name":"b"}]}})"},
      {"order that lacks an item", R"({"spec":{"containers":[{"name":"a"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"a"}],"containers":[{"name":"b"}]}})",
       "!500 The order in patch list:\n[map[name:b]]\n doesn't match $setElementOrder list:\n[map[name:a]]\n"},
      {"$patch delete", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})", R"({"spec":{"containers":[{"$patch":"delete","name":"a"}]}})",
       R"({"spec":{"containers":[{"name":"b"}]}})"},
      {"$patch delete with order", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"$setElementOrder/containers":[{"name":"b"}],"containers":[{"$patch":"delete","name":"a"}]}})",
       R"({"spec":{"containers":[{"name":"b"}]}})"},
      {"$patch replace element", R"({"spec":{"containers":[{"name":"a"},{"name":"b"}]}})",
       R"({"spec":{"containers":[{"name":"c"},{"$patch":"replace"}]}})", R"({"spec":{"containers":[{"name":"c"}]}})"},
      {"nested lists", R"({"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"2"}]}]}})",
       R"({"spec":{"containers":[{"name":"a","env":[{"name":"Y","value":"3"}]}]}})",
       R"({"spec":{"containers":[{"name":"a","env":[{"name":"X","value":"1"},{"name":"Y","value":"3"}]}]}})"},
      {"no merge key", R"({"spec":{"containers":[{"name":"a"}]}})", R"({"spec":{"containers":[{"image":"x"}]}})",
       "!500 map: map[image:x] does not contain declared merge key: name"},
      {"atomic list", R"({"spec":{"tolerations":[{"key":"a"}]}})", R"({"spec":{"tolerations":[{"key":"b"}]}})",
       R"({"spec":{"tolerations":[{"key":"b"}]}})"},
      {"list of lists", R"({"spec":{"containers":[{"name":"a"}]}})", R"({"spec":{"containers":[["a"]]}})", "!422 lists of lists are not supported"},
      {"container ports by containerPort alone", R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80,"protocol":"TCP"}]}]}})",
       R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80,"name":"web"}]}]}})",
       R"({"spec":{"containers":[{"name":"a","ports":[{"containerPort":80,"protocol":"TCP","name":"web"}]}]}})"},
  };
  check(type_of("v1", "Pod"), rows);
}

TEST(Strategic, MapsAndPrimitives) {
  const StrategicRow rows[] = {
      {"null deletes", R"({"metadata":{"labels":{"a":"1","b":"2"}}})", R"({"metadata":{"labels":{"a":null}}})", R"({"metadata":{"labels":{"b":"2"}}})"},
      {"null in a new map", R"({"metadata":{}})", R"({"metadata":{"labels":{"a":null,"b":"2"}}})", R"({"metadata":{"labels":{"b":"2"}}})"},
      {"$patch replace", R"({"metadata":{"labels":{"a":"1"}}})", R"({"metadata":{"labels":{"$patch":"replace","b":"2"}}})",
       R"({"metadata":{"labels":{"b":"2"}}})"},
      {"$patch delete", R"({"metadata":{"labels":{"a":"1"}}})", R"({"metadata":{"labels":{"$patch":"delete"}}})", R"({"metadata":{"labels":{}}})"},
      {"$patch merge", R"({"metadata":{"labels":{"a":"1"}}})", R"({"metadata":{"labels":{"$patch":"merge","b":"2"}}})",
       "!500 unknown patch type: merge in map: map[$patch:merge b:2]"},
      {"$patch of what is not there", R"({"metadata":{}})", R"({"metadata":{"labels":{"$patch":"replace","b":"2"}}})", R"({"metadata":{}})"},
      {"$patch nonsense", R"({"metadata":{"labels":{"a":"1"}}})", R"({"metadata":{"labels":{"$patch":"x"}}})",
       "!500 unknown patch type: x in map: map[$patch:x]"},
      {"primitive merge", R"({"metadata":{"finalizers":["a","b"]}})", R"({"metadata":{"finalizers":["c","a"]}})",
       R"({"metadata":{"finalizers":["c","a","b"]}})"},
      {"$deleteFromPrimitiveList", R"({"metadata":{"finalizers":["a","b","c"]}})", R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["b"]}})",
       R"({"metadata":{"finalizers":["a","c"]}})"},
      {"delete and order primitives", R"({"metadata":{"finalizers":["a","b"]}})",
       R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["a"],"$setElementOrder/finalizers":["c","b"],"finalizers":["c"]}})",
       R"({"metadata":{"finalizers":["c","b"]}})"},
      {"$deleteFromPrimitiveList of no list", R"({"metadata":{"finalizers":["a"]}})", R"({"metadata":{"$deleteFromPrimitiveList/finalizers":"a"}})",
       R"({"metadata":{"finalizers":["a"]}})"},
      {"$retainKeys", R"({"spec":{"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxSurge":1}}}})",
       R"({"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}})", R"({"spec":{"strategy":{"type":"Recreate"}}})"},
      {"$retainKeys with a stranger", R"({"spec":{"strategy":{}}})", R"({"spec":{"strategy":{"$retainKeys":["type"],"rollingUpdate":{}}}})",
       "!400 invalid patch format of retainKeys"},
      {"$retainKeys no list", R"({"spec":{"strategy":{}}})", R"({"spec":{"strategy":{"$retainKeys":"type"}}})", "!400 invalid patch format of retainKeys"},
      {"atomic by value", R"({"spec":{"replicas":1}})", R"({"spec":{"replicas":3}})", R"({"spec":{"replicas":3}})"},
      {"other type wins", R"({"spec":{"replicas":1}})", R"({"spec":"x"})", R"({"spec":"x"})"},
      {"unknown fields merge as maps", R"({"x":{"a":1}})", R"({"x":{"b":[1]}})", R"({"x":{"a":1,"b":[1]}})"},
      {"conditions by type", R"({"status":{"conditions":[{"type":"A","status":"True"}]}})",
       R"({"status":{"conditions":[{"type":"A","status":"False"}]}})", R"({"status":{"conditions":[{"type":"A","status":"False"}]}})"},
      {"not an object", R"({"a":1})", R"([1])", "!400 json: cannot unmarshal array into Go value of type map[string]interface {}"},
  };
  check(type_of("apps/v1", "Deployment"), rows);
}

TEST(Strategic, ReplacesWholeWhatTheSchemaSays) {
  const StrategicRow rows[] = {
      {"another selector", R"({"spec":{"minAvailable":1,"selector":{"matchLabels":{"a":"1","b":"2"}}}})", R"({"spec":{"selector":{"matchLabels":{"a":"3"}}}})",
       R"({"spec":{"minAvailable":1,"selector":{"matchLabels":{"a":"3"}}}})"},
      {"a first one", R"({"spec":{}})", R"({"spec":{"selector":{"matchLabels":{"a":"3"}}}})", R"({"spec":{"selector":{"matchLabels":{"a":"3"}}}})"},
  };
  check(type_of("policy/v1", "PodDisruptionBudget"), rows);
}

TEST(Strategic, DirectivesNeverReachTheObject) {
  auto got = apply_strategic_patch(json::object(), json::parse(R"({"spec":{"$retainKeys":["a"],"containers":[
      {"name":"a","env":[{"$patch":"delete","name":"X"},{"name":"Y"}]},{"$patch":"replace"}],"$setElementOrder/containers":[{"name":"a"}]}})"),
                                   type_of("v1", "Pod"));
  ASSERT_TRUE(got.ok()) << got.error().message;
  EXPECT_EQ(got->dump().find('$'), std::string::npos) << got->dump();
}

}  // namespace
}  // namespace compat
