// Custom objects against their schema: what is pruned, filled in and refused, in upstream's words.
#include "store/custom/values.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "store/custom/schema_rules.h"

namespace store {
namespace {

CustomVersion version_of(const std::string& properties, const std::string& more = "") {
  const json schema = json::parse(R"({"type":"object","properties":)" + properties + more + "}");
  for (const base::Cause& cause : check_schema(schema, "s", false)) ADD_FAILURE() << cause.field << ": " << cause.message;
  CustomVersion out;
  out.schema = compile_schema(schema);
  return out;
}

std::vector<std::string> texts(const std::vector<base::Cause>& causes) {
  std::vector<std::string> out;
  for (const base::Cause& cause : causes) out.push_back(cause.field + ": " + cause.message);
  return out;
}

TEST(PruneCustom, TakesOutWhatTheSchemaDoesNotName) {
  struct Row {
    const char* name;
    const char* properties;
    const char* in;
    const char* out;
    std::vector<std::string> removed;
  };
  const Row rows[] = {
      {"unknown", R"({"spec":{"type":"object","properties":{"a":{"type":"string"}}}})", R"({"spec":{"a":"x","b":1},"c":2})", R"({"spec":{"a":"x"}})",
       {"unknown field \"c\"", "unknown field \"spec.b\""}},
      {"what every object has stays", R"({})", R"({"apiVersion":"v","kind":"k","metadata":{"name":"n"}})", R"({"apiVersion":"v","kind":"k","metadata":{"name":"n"}})", {}},
      {"preserved", R"({"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"a":{"type":"object"}}}})", R"({"spec":{"b":{"c":1},"a":{"d":1}}})",
       R"({"spec":{"b":{"c":1},"a":{}}})", {"unknown field \"spec.a.d\""}},
      {"any key", R"({"m":{"type":"object","additionalProperties":{"type":"object","properties":{"a":{"type":"string"}}}}})", R"({"m":{"k":{"a":"x","b":1}}})", R"({"m":{"k":{"a":"x"}}})",
       {"unknown field \"m.k.b\""}},
      {"items", R"({"l":{"type":"array","items":{"type":"object","properties":{"a":{"type":"string"}}}}})", R"({"l":[{"a":"x"},{"b":1}]})", R"({"l":[{"a":"x"},{}]})", {"unknown field \"l[1].b\""}},
      {"embedded", R"({"t":{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true}})", R"({"t":{"kind":"Pod","spec":{"x":1}}})",
       R"({"t":{"kind":"Pod","spec":{"x":1}}})", {}},
      {"embedded, not preserved", R"({"t":{"type":"object","x-kubernetes-embedded-resource":true,"properties":{"spec":{"type":"object"}}}})", R"({"t":{"kind":"Pod","metadata":{"name":"n"},"spec":{"x":1}}})",
       R"({"t":{"kind":"Pod","metadata":{"name":"n"},"spec":{}}})", {"unknown field \"t.spec.x\""}},
      {"embedded metadata", R"({"t":{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true}})",
       R"({"t":{"metadata":{"name":"n","x":1,"creationTimestamp":null}}})", R"({"t":{"metadata":{"name":"n"}}})", {"unknown field \"t.metadata.x\""}},
      {"embedded metadata that is none", R"({"t":{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true}})",
       R"({"t":{"metadata":{"labels":{"a":1}}}})", R"({"t":{"metadata":{"labels":{"a":1}}}})",
       {R"(t.metadata: Invalid value: {"labels":{"a":1}}: json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string)"}},
      {"nulls that may not be", R"({"a":{"type":"string"},"b":{"type":"string","nullable":true},"c":{"type":"string","default":"x"}})", R"({"a":null,"b":null,"c":null})", R"({"b":null,"c":null})", {}},
      {"below what is any", R"({"m":{"type":"object","additionalProperties":true}})", R"({"m":{"k":{"a":1},"l":2}})", R"({"m":{"k":{},"l":2}})", {"unknown field \"m.k.a\""}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    json tree = json::parse(row.in);
    const auto removed = prune_custom(tree, version_of(row.properties));
    EXPECT_EQ(removed.ok() ? *removed : std::vector<std::string>{removed.error().message}, row.removed);
    EXPECT_EQ(tree, json::parse(row.out));
  }
}

TEST(DefaultCustom, FillsInUnderParentsThatAreThere) {
  struct Row {
    const char* name;
    const char* properties;
    const char* in;
    const char* out;
  };
  const Row rows[] = {
      {"absent", R"({"a":{"type":"integer","default":3}})", "{}", R"({"a":3})"},
      {"present", R"({"a":{"type":"integer","default":3}})", R"({"a":0})", R"({"a":0})"},
      {"no parent", R"({"s":{"type":"object","properties":{"a":{"type":"integer","default":3}}}})", "{}", "{}"},
      {"a default with defaults", R"({"s":{"type":"object","default":{},"properties":{"a":{"type":"integer","default":3}}}})", "{}", R"({"s":{"a":3}})"},
      {"null is absent", R"({"a":{"type":"integer","default":3}})", R"({"a":null})", R"({"a":3})"},
      {"null where it may be", R"({"a":{"type":"integer","default":3,"nullable":true}})", R"({"a":null})", R"({"a":null})"},
      {"items", R"({"l":{"type":"array","items":{"type":"object","properties":{"a":{"type":"string","default":"x"}}}}})", R"({"l":[{},{"a":"y"}]})", R"({"l":[{"a":"x"},{"a":"y"}]})"},
      {"any key", R"({"m":{"type":"object","additionalProperties":{"type":"object","properties":{"a":{"type":"string","default":"x"}}}}})", R"({"m":{"k":{}}})", R"({"m":{"k":{"a":"x"}}})"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    json tree = json::parse(row.in);
    default_custom(tree, version_of(row.properties));
    EXPECT_EQ(tree, json::parse(row.out));
  }
}

TEST(ValidateCustom, WordsProblemsAsUpstream) {
  struct Row {
    const char* name;
    const char* properties;
    const char* in;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"type", R"({"a":{"type":"integer"}})", R"({"a":"x"})", {R"(a: Invalid value: "string": a in body must be of type integer: "string")"}},
      {"whole numbers are integers", R"({"a":{"type":"integer"}})", R"({"a":3.0})", {}},
      {"integers are numbers", R"({"a":{"type":"number"}})", R"({"a":3})", {}},
      {"null", R"({"a":{"type":"string"}})", R"({"a":null})", {R"(a: Invalid value: "null": a in body must be of type string: "null")"}},
      {"nullable", R"({"a":{"type":"string","nullable":true}})", R"({"a":null})", {}},
      {"required", R"({"s":{"type":"object","required":["a"],"properties":{"a":{"type":"string"}}}})", R"({"s":{}})", {"s.a: Required value"}},
      {"enum", R"({"a":{"type":"string","enum":["x","y"]}})", R"({"a":"z"})", {R"(a: Unsupported value: "z": supported values: "x", "y")"}},
      {"pattern", R"({"a":{"type":"string","pattern":"^x+$"}})", R"({"a":"z"})", {R"(a: Invalid value: "z": a in body should match '^x+$')"}},
      {"minimum", R"({"a":{"type":"integer","minimum":1}})", R"({"a":0})", {"a: Invalid value: 0: a in body should be greater than or equal to 1"}},
      {"exclusive maximum", R"({"a":{"type":"number","maximum":1.5,"exclusiveMaximum":true}})", R"({"a":1.5})", {"a: Invalid value: 1.5: a in body should be less than 1.5"}},
      {"multiple", R"({"a":{"type":"integer","multipleOf":5}})", R"({"a":7})", {"a: Invalid value: 7: a in body should be a multiple of 5"}},
      {"short", R"({"a":{"type":"string","minLength":2}})", R"({"a":"ä"})", {"a: Invalid value: \"ä\": a in body should be at least 2 chars long"}},
      {"long", R"({"a":{"type":"string","maxLength":2}})", R"({"a":"xyz"})", {"a: Too long: may not be more than 2 bytes"}},
      {"items", R"({"l":{"type":"array","maxItems":1,"items":{"type":"integer"}}})", R"({"l":[1,"x"]})",
       {R"(l[1]: Invalid value: "string": l[1] in body must be of type integer: "string")", "l: Too many: 2: must have at most 1 items"}},
      {"few items", R"({"l":{"type":"array","minItems":1,"items":{"type":"integer"}}})", R"({"l":[]})", {"l: Invalid value: 0: l in body should have at least 1 items"}},
      {"any key", R"({"m":{"type":"object","additionalProperties":{"type":"integer"}}})", R"({"m":{"k":"x"}})", {R"(m.k: Invalid value: "string": m.k in body must be of type integer: "string")"}},
      {"all that is wrong", R"({"a":{"type":"integer","enum":[1]}})", R"({"a":"x"})",
       {R"(a: Invalid value: "string": a in body must be of type integer: "string")", R"(a: Unsupported value: "x": supported values: "1")"}},
      {"a format of another type", R"({"a":{"type":"string","format":"date-time"}})", R"({"a":{}})", {R"(a: Invalid value: "": a in body must be of type date-time: "")"}},
      {"a bound with a fraction", R"({"a":{"type":"integer","minimum":0.5}})", R"({"a":3})", {R"(<nil>: Invalid value: "": Minimum boundary value must be of type integer (default format) in a)"}},
      {"a newline at the end", R"({"a":{"type":"string","pattern":"^x+$"}})", R"({"a":"x\n"})", {R"(a: Invalid value: "x\n": a in body should match '^x+$')"}},
      {"a day that is none", R"({"a":{"type":"string","format":"date"}})", R"({"a":"2020-02-30"})", {R"(a: Invalid value: "2020-02-30": a in body must be of type date: "2020-02-30")"}},
      {"zeros in an address", R"({"a":{"type":"string","format":"ipv4"},"b":{"type":"string","format":"ipv4"}})", R"({"a":"01.2.3.4","b":"0.0.0.0"})", {}},
      {"int32", R"({"a":{"type":"integer","format":"int32"}})", R"({"a":4294967296})", {R"(<nil>: Invalid value: "": Checked value must be of type integer with format int32 in a)"}},
      {"a large bound", R"({"a":{"type":"number","maximum":1000000}})", R"({"a":1000000.5})", {"a: Invalid value: 1.0000005e+06: a in body should be less than or equal to 1e+06"}},
      {"int or string", R"({"p":{"x-kubernetes-int-or-string":true}})", R"({"p":true})", {R"(p: Invalid value: "boolean": p in body must be of type integer,string: "boolean")"}},
      {"set", R"({"l":{"type":"array","x-kubernetes-list-type":"set","items":{"type":"string"}}})", R"({"l":["a","a"]})", {R"(l[1]: Duplicate value: "a")"}},
      {"map list", R"({"l":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["n"],"items":{"type":"object","required":["n"],"properties":{"n":{"type":"string"}}}}})",
       R"({"l":[{"n":"a"},{"n":"a"}]})", {R"(l[1]: Duplicate value: {"n":"a"})"}},
      {"date-time", R"({"t":{"type":"string","format":"date-time"}})", R"({"t":"yesterday"})", {R"(t: Invalid value: "yesterday": t in body must be of type date-time: "yesterday")"}},
      {"good formats", R"({"t":{"type":"string","format":"date-time"},"i":{"type":"string","format":"ipv4"},"u":{"type":"string","format":"uuid"},"c":{"type":"string","format":"cidr"}})",
       R"({"t":"2026-01-02T03:04:05Z","i":"10.0.0.1","u":"7d444840-9dc0-11d1-b245-5ffdce74fad2","c":"fd00::/8"})", {}},
      {"one of", R"({"s":{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"string"}},"oneOf":[{"required":["a"]},{"required":["b"]}]}})", R"({"s":{}})",
       {R"(<nil>: Invalid value: "": "s" must validate one and only one schema (oneOf). Found none valid)", "s.a: Required value"}},
      {"not", R"({"a":{"type":"string","not":{"enum":["x"]}}})", R"({"a":"x"})", {R"(<nil>: Invalid value: "": "a" must not validate the schema (not))"}},
      {"embedded", R"({"t":{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true}})", R"({"t":{"kind":"Pod"}})", {"t.apiVersion: Required value"}},
      {"embedded kind", R"({"t":{"type":"object","x-kubernetes-embedded-resource":true,"x-kubernetes-preserve-unknown-fields":true}})", R"({"t":{"kind":"","apiVersion":"a/b/c","metadata":{"name":"a/b"}}})",
       {R"(t.apiVersion: Invalid value: "a/b/c": unexpected GroupVersion string: a/b/c)", R"(t.kind: Invalid value: "": must not be empty)", R"(t.metadata.name: Invalid value: "a/b": may not contain '/')"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(texts(validate_custom(json::parse(row.in), nullptr, version_of(row.properties))), row.want);
  }
}

TEST(ValidateCustom, ScaleAndStatus) {
  CustomVersion version = version_of(R"({"spec":{"type":"object","x-kubernetes-preserve-unknown-fields":true},"status":{"type":"object","properties":{"n":{"type":"integer"}}}})");
  version.replicas_path = "spec.replicas";
  version.status_replicas_path = "status.n";
  version.selector_path = "spec.sel";
  struct Row {
    const char* name;
    const char* in;
    const char* subresource;
    std::vector<std::string> want;
  };
  const Row rows[] = {
      {"fine", R"({"spec":{"replicas":1,"sel":"a"},"status":{"n":1}})", "", {}},
      {"below zero", R"({"spec":{"replicas":-1}})", "", {".spec.replicas: Invalid value: -1: should be a non-negative integer"}},
      {"text", R"({"spec":{"replicas":"x"}})", "", {".spec.replicas: Invalid value: 0: .spec.replicas accessor error: x is of the type string, expected int64"}},
      {"in the way", R"({"spec":[]})", "status", {R"(.spec.sel: Invalid value: "": .spec.sel accessor error: [] is of the type []interface {}, expected map[string]interface{})"}},
      {"large", R"({"spec":{"replicas":4294967296,"sel":1}})", "",
       {".spec.replicas: Invalid value: 4294967296: should be less than or equal to 2147483647", R"(.spec.sel: Invalid value: "": .spec.sel accessor error: 1 is of the type int64, expected string)"}},
      {"status alone", R"({"spec":{"replicas":"x"},"status":{"n":"x"}})", "status",
       {R"(status.n: Invalid value: "string": n in body must be of type integer: "string")", ".status.n: Invalid value: 0: .status.n accessor error: x is of the type string, expected int64"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(texts(validate_custom(json::parse(row.in), nullptr, version, row.subresource)), row.want);
  }
}

TEST(ValidateCustom, WhatIsThereAlreadyIsNotJudgedAgain) {
  const CustomVersion stricter = version_of(R"({"spec":{"type":"object","properties":{"a":{"type":"string","maxLength":2},"b":{"type":"string","maxLength":2}}}})");
  const json old = json::parse(R"({"spec":{"a":"long","b":"x"}})");
  EXPECT_EQ(texts(validate_custom(json::parse(R"({"spec":{"a":"long","b":"y"}})"), &old, stricter)), std::vector<std::string>{});
  EXPECT_EQ(texts(validate_custom(json::parse(R"({"spec":{"a":"longer","b":"y"}})"), &old, stricter)), (std::vector<std::string>{"spec.a: Too long: may not be more than 2 bytes"}));
}

}  // namespace
}  // namespace store
