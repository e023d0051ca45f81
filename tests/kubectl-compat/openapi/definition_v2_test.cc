// What version 2 of OpenAPI keeps of a definition's schema.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kubectl-compat/openapi/model.h"

namespace compat {
namespace {

TEST(DefinitionV2, KeepsWhatKubectlCanValidate) {
  struct Row {
    const char *name, *in, *want;
  };
  const Row rows[] = {
      {"no schema", "null", R"({"type":"object"})"},
      {"plain", R"({"type":"object","required":["a"],"properties":{"a":{"type":"string","pattern":"x"}}})",
       R"({"type":"object","required":["a"],"properties":{"a":{"type":"string","pattern":"x"}}})"},
      {"open at its top", R"({"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"a":{"type":"string"}}})", R"({"type":"object"})"},
      {"open below", R"({"type":"object","properties":{"a":{"type":"object","x-kubernetes-preserve-unknown-fields":true,"properties":{"b":{"type":"string"}}}}})",
       R"({"type":"object","properties":{"a":{"x-kubernetes-preserve-unknown-fields":true}}})"},
      {"alternatives", R"({"type":"object","properties":{"a":{"type":"string","oneOf":[{"pattern":"x"}],"not":{"enum":["y"]}}},"anyOf":[{"required":["a"]}]})",
       R"({"type":"object","properties":{"a":{"type":"string"}}})"},
      {"nullable, which may be left out then", R"({"type":"object","required":["a","b"],"properties":{"a":{"type":"object","nullable":true,"properties":{"c":{"type":"string"}}},"b":{"type":"string"}}})",
       R"({"type":"object","required":["b"],"properties":{"a":{},"b":{"type":"string"}}})"},
      {"all nullable", R"({"type":"object","required":["a"],"properties":{"a":{"type":"string","nullable":true}}})", R"({"type":"object","properties":{"a":{}}})"},
      {"a field called nullable", R"({"type":"object","properties":{"nullable":{"type":"boolean"},"items":{"type":"string"}}})",
       R"({"type":"object","properties":{"nullable":{"type":"boolean"},"items":{"type":"string"}}})"},
      {"open items", R"({"type":"object","properties":{"a":{"type":"array","items":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}}})",
       R"({"type":"object","properties":{"a":{"type":"array","items":{"x-kubernetes-preserve-unknown-fields":true}}}})"},
      {"a list without items", R"({"type":"object","properties":{"a":{"type":"array","x-kubernetes-preserve-unknown-fields":true,"items":{"type":"string"}}}})",
       R"({"type":"object","properties":{"a":{"x-kubernetes-preserve-unknown-fields":true}}})"},
  };
  for (const Row& row : rows) EXPECT_EQ(definition_for_v2(json::parse(row.in)), json::parse(row.want)) << row.name;
}

}  // namespace
}  // namespace compat
