// Definitions: which are refused, what they become, and their status.
#include "store/custom/definition.h"

#include <nlohmann/json.hpp>

#include "store/custom/custom_kind.h"
#include "store/object/access.h"
#include "tests/store/schema/rules_support.h"

namespace store {
namespace {

json definition(const std::string& schema = R"({"type":"object"})") {
  json out = json::parse(R"({"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":{"name":"tabs.example.com"},
    "spec":{"group":"example.com","scope":"Namespaced","names":{"plural":"tabs","kind":"Tab"},"versions":[{"name":"v1","served":true,"storage":true}]}})");
  out["spec"]["versions"][0]["schema"]["openAPIV3Schema"] = json::parse(schema);
  return out;
}

TEST(Definition, IsChecked) {
  const std::string v = "spec.validation.openAPIV3Schema";  // One version shares all with all versions.
  struct Row {
    const char* name;
    json in;
    std::vector<std::string> want;
  };
  auto with = [](const char* pointer, json value) {
    json out = definition();
    out[json::json_pointer(pointer)] = std::move(value);
    return out;
  };
  const Row rows[] = {
      {"fine", definition(), {}},
      {"name", with("/metadata/name", "x"), {R"(metadata.name: Invalid value: "x": must be spec.names.plural+"."+spec.group)"}},
      {"scope", with("/spec/scope", "Here"), {R"(spec.scope: Unsupported value: "Here": supported values: "Cluster", "Namespaced")"}},
      {"no storage version", with("/spec/versions/0/storage", false),
       {R"(spec.versions: Invalid value: [{"Name":"v1","Served":true,"Storage":false,"Deprecated":false,"DeprecationWarning":null,"Schema":null,"Subresources":null,"AdditionalPrinterColumns":null,"SelectableFields":null}]: must have exactly one version marked as storage version)",
        "status.storedVersions: Invalid value: null: must have at least one stored version"}},
      {"no schema", with("/spec/versions/0/schema", json::object()), {"spec.versions[0].schema.openAPIV3Schema: Required value"}},
      {"root is no object", definition(R"({"type":"string"})"), {v + R"(.type: Invalid value: "string": must be object at the root)"}},
      {"a field without a type", definition(R"({"type":"object","properties":{"a":{"description":"x"}}})"), {v + ".properties[a].type: Required value: must not be empty for specified object fields"}},
      {"a list without items", definition(R"({"type":"object","properties":{"a":{"type":"array"}}})"), {v + ".properties[a].items: Required value: must be specified"}},
      {"both kinds of properties", definition(R"({"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":true})"),
       {v + ".additionalProperties: Forbidden: must not be used at the root"}},
      {"both kinds of properties below", definition(R"({"type":"object","properties":{"o":{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":{"type":"string"}}}})"),
       {v + ".properties[o].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"}},
      {"a type inside a condition", definition(R"({"type":"object","properties":{"a":{"type":"string","anyOf":[{"type":"string","minLength":1}]}}})"),
       {v + ".properties[a].anyOf[0].type: Forbidden: must be empty to be structural"}},
      {"a condition about nothing", definition(R"({"type":"object","anyOf":[{"properties":{"b":{"minLength":1}}}]})"),
       {v + ".properties[b]: Required value: because it is defined in " + v + ".anyOf[0].properties[b]"}},
      {"a default that is wrong", definition(R"({"type":"object","properties":{"a":{"type":"string","default":1}}})"),
       {v + R"(.properties[a].default: Invalid value: "integer":  in body must be of type string: "integer")"}},
      {"map list without keys", definition(R"({"type":"object","properties":{"a":{"type":"array","x-kubernetes-list-type":"map","items":{"type":"object"}}}})"),
       {v + ".properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"}},
      {"pattern", definition(R"({"type":"object","properties":{"a":{"type":"string","pattern":"("}}})"),
       {v + R"x(.properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn't: regular expression "(": missing closing parenthesis (at offset 1))x"}},
      {"scale path", with("/spec/versions/0/subresources", {{"scale", {{"specReplicasPath", ".replicas"}, {"statusReplicasPath", ".status.replicas"}}}}),
       {R"(spec.subresources.scale.specReplicasPath: Invalid value: ".replicas": should be a json path under .spec)"}},
      {"a group of upstream's", [] { json d = definition(); d["spec"]["group"] = "x.k8s.io"; d["metadata"]["name"] = "tabs.x.k8s.io"; return d; }(),
       {"metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation \"api-approved.kubernetes.io\", see "
        "https://github.com/kubernetes/enhancements/pull/1111"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems("CustomResourceDefinition", row.in.dump()), row.want);
  }
}

TEST(Definition, BecomesRows) {
  json in = definition(R"({"type":"object","description":"A tab.","properties":{"spec":{"type":"object","properties":{"n":{"type":"integer"}}},"raw":{"type":"object","x-kubernetes-preserve-unknown-fields":true}}})");
  in["spec"]["names"]["shortNames"] = {"tb"};
  in["spec"]["versions"][0]["subresources"] = {{"status", json::object()}};
  json beta = in["spec"]["versions"][0];
  beta["name"] = "v1beta1";
  beta["storage"] = false;
  in["spec"]["versions"].insert(in["spec"]["versions"].begin(), beta);
  const auto kind = CustomKind::compile(prepared("CustomResourceDefinition", in.dump()));
  const auto rows = kind->rows();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0]->version, "v1");  // The stable one first.
  EXPECT_TRUE(rows[0]->is_stored());
  EXPECT_EQ(rows[1]->stored_version, "example.com/v1");
  EXPECT_EQ(rows[0]->storage(), "tabs.example.com");
  EXPECT_EQ(rows[0]->list_kind, "TabList");
  EXPECT_EQ(rows[0]->singular, "tab");
  EXPECT_EQ(rows[0]->short_names[0], "tb");
  EXPECT_TRUE(rows[0]->has_status);
  EXPECT_TRUE(rows[0]->find_subresource("status"));
  EXPECT_FALSE(rows[0]->find_subresource("scale"));
  EXPECT_EQ(rows[0]->type->name, "com.example.v1.Tab");
  EXPECT_TRUE(rows[0]->type->find_field("metadata"));
  EXPECT_EQ(rows[0]->type->find_field("raw")->type->kind, TypeKind::kAny);
}

TEST(Definition, VersionsHaveKubernetesOrder) {
  const char* wanted[] = {"v10", "v2", "v1", "v11beta2", "v10beta3", "v3beta1", "v12alpha1", "v11alpha2", "foo1", "foo10"};
  for (size_t i = 0; i < std::size(wanted); ++i) {
    for (size_t j = 0; j < std::size(wanted); ++j) EXPECT_EQ(version_goes_first(wanted[i], wanted[j]), i < j) << wanted[i] << " " << wanted[j];
  }
}

TEST(Definition, NamesThatAreTakenAreNotAccepted) {
  json one = prepared("CustomResourceDefinition", definition().dump());
  complete_definition_status(one, {}, "2026-01-01T00:00:00Z");
  EXPECT_TRUE(is_established(one));
  EXPECT_EQ(get_array(one, "status.storedVersions"), json::array({"v1"}));
  const auto kind = CustomKind::compile(one);
  json other = definition();
  other["metadata"]["name"] = "others.example.com";
  other["spec"]["names"]["plural"] = "others";
  other = prepared("CustomResourceDefinition", other.dump());
  complete_definition_status(other, kind->rows(), "2026-01-01T00:00:00Z");
  EXPECT_FALSE(is_established(other));
  EXPECT_EQ(get_array(other, "status.conditions")[0]["reason"], "SingularConflict");
}

TEST(Definition, RulesInCelAreReported) {
  json in = definition(R"({"type":"object","x-kubernetes-validations":[{"rule":"self.a > 1"}]})");
  EXPECT_EQ(definition_warnings(in, nullptr).size(), 1u);
  EXPECT_TRUE(definition_warnings(definition(), nullptr).empty());
}

}  // namespace
}  // namespace store
