// Compares every type with an OpenAPI v2 document of Kubernetes, which is not part of this project: set
// KUBELAN_OPENAPI to the path of its JSON. All differences are printed at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "store/schema/schema.h"
#include "store/schema/tables.h"

namespace store {
namespace {

std::string scalar_name(const Type& type) {
  switch (type.kind) {
    case TypeKind::kString:
      return "string";
    case TypeKind::kInteger:
      return "integer/" + std::string(type.format);
    case TypeKind::kNumber:
      return "number";
    case TypeKind::kBoolean:
      return "boolean";
    case TypeKind::kIntOrString:
      return "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
    case TypeKind::kQuantity:
      return "io.k8s.apimachinery.pkg.api.resource.Quantity";
    case TypeKind::kTime:
      return "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
    case TypeKind::kMicroTime:
      return "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
    case TypeKind::kBytes:
      return "string/byte";
    case TypeKind::kAny:
      return "any";
    case TypeKind::kObject:
      return std::string(type.name);
    case TypeKind::kMap:
      return "map of " + scalar_name(*type.element);
    case TypeKind::kList:
      return "list of " + scalar_name(*type.element);
  }
  return {};
}

std::string reference_name(const json& schema) {
  if (schema.contains("$ref")) {
    const std::string ref = schema["$ref"];
    const std::string name = ref.substr(ref.rfind('/') + 1);
    // Of JSON schemas: what is a union there. A list of schemas for items is refused by both.
    constexpr std::string_view kSchemas = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON";
    if (name == std::string(kSchemas) + "SchemaPropsOrArray") return std::string(kSchemas) + "SchemaProps";
    const bool any_schema = name == kSchemas || name == std::string(kSchemas) + "SchemaPropsOrBool" || name == std::string(kSchemas) + "SchemaPropsOrStringArray";
    const bool any = any_schema || name == "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1" || name == "io.k8s.apimachinery.pkg.runtime.RawExtension";
    return any ? "any" : name;
  }
  const std::string type = schema.value("type", ""), format = schema.value("format", "");
  if (type == "array") return "list of " + reference_name(schema["items"]);
  if (type == "object" && schema.contains("additionalProperties")) return "map of " + reference_name(schema["additionalProperties"]);
  if (type == "number") return type;
  return format.empty() ? type : type + "/" + format;
}

const char* list_type_name(ListType type) { return type == ListType::kMap ? "map" : type == ListType::kSet ? "set" : "atomic"; }

class Comparison {
 public:
  std::vector<std::string> differences;
  size_t fields = 0;

  void compare(const Type& type, const json& definition) {
    where_ = type.name;
    same("map type", type.atomic ? "atomic" : "granular", definition.value("x-kubernetes-map-type", "granular"));
    const json properties = definition.value("properties", json::object());
    std::set<std::string> required;
    for (const json& name : definition.value("required", json::array())) required.insert(name);
    for (const Field& field : type.fields) {
      where_ = std::string(type.name) + "." + std::string(field.name);
      const auto at = properties.find(field.name);
      if (at == properties.end()) {
        differences.push_back(where_ + ": the reference has no such field");
        continue;
      }
      same("required", field.required ? "yes" : "no", required.count(std::string(field.name)) ? "yes" : "no");
      compare_field(field, *at);
    }
    for (auto it = properties.begin(); it != properties.end(); ++it) {
      if (!type.find_field(it.key())) differences.push_back(std::string(type.name) + "." + it.key() + ": missing here");
    }
  }

 private:
  std::string where_;

  void same(const std::string& what, const std::string& ours, const std::string& theirs) {
    if (ours != theirs) differences.push_back(where_ + ": " + what + " is " + ours + ", the reference says " + theirs);
  }

  void compare_field(const Field& field, const json& schema) {
    ++fields;
    const Type& type = *field.type;
    same("type", scalar_name(type), reference_name(schema));
    if (type.kind == TypeKind::kList) {
      same("list type", list_type_name(type.list_type), schema.value("x-kubernetes-list-type", "atomic"));
      std::string keys, reference_keys;
      for (std::string_view key : type.list_keys) keys.append(key).append(" ");
      for (const std::string key : schema.value("x-kubernetes-list-map-keys", json::array())) reference_keys += key + " ";
      same("list keys", keys, reference_keys);
    }
    same("merge key", std::string(field.patch_merge_key), schema.value("x-kubernetes-patch-merge-key", ""));
    std::string strategy = field.patch_replace ? "replace" : field.patch_merge ? "merge" : "";
    if (field.patch_retain_keys) strategy += strategy.empty() ? "retainKeys" : ",retainKeys";
    same("patch strategy", strategy, schema.value("x-kubernetes-patch-strategy", ""));
  }
};

// The groups that kubelan serves whole, in the versions that are stable.
constexpr std::pair<const char*, const char*> kGroups[] = {
    {"", "v1"},
    {"admissionregistration.k8s.io", "v1"},
    {"apiextensions.k8s.io", "v1"},
    {"apiregistration.k8s.io", "v1"},
    {"apps", "v1"},
    {"authentication.k8s.io", "v1"},
    {"authorization.k8s.io", "v1"},
    {"autoscaling", "v1"},
    {"autoscaling", "v2"},
    {"batch", "v1"},
    {"certificates.k8s.io", "v1"},
    {"coordination.k8s.io", "v1"},
    {"discovery.k8s.io", "v1"},
    {"events.k8s.io", "v1"},
    {"networking.k8s.io", "v1"},
    {"node.k8s.io", "v1"},
    {"policy", "v1"},
    {"rbac.authorization.k8s.io", "v1"},
    {"scheduling.k8s.io", "v1"},
    {"storage.k8s.io", "v1"},
};

// Kinds of the machinery: they describe the API, or wrap other kinds.
bool is_machinery(const std::string& name) {
  return name.starts_with("io.k8s.apimachinery.") || (name.size() > 4 && name.ends_with("List"));
}

class Reference : public testing::Test {
 protected:
  void SetUp() override {
    const char* path = std::getenv("KUBELAN_OPENAPI");
    if (!path) GTEST_SKIP() << "KUBELAN_OPENAPI is not set: nothing to compare with";
    std::ifstream in(path);
    document_ = json::parse(in, nullptr, false);
    ASSERT_TRUE(document_.is_object()) << path << " is not JSON";
  }
  json document_;
};

TEST_F(Reference, EveryKindOfTheGroupsIsThere) {
  size_t kinds = 0;
  for (const auto& [name, definition] : document_["definitions"].items()) {
    if (is_machinery(name)) continue;
    for (const json& gvk : definition.value("x-kubernetes-group-version-kind", json::array())) {
      const bool in_scope = std::any_of(std::begin(kGroups), std::end(kGroups),
                                        [&](const auto& group) { return gvk["group"] == group.first && gvk["version"] == group.second; });
      kinds += in_scope;
      if (in_scope && !find_type(name)) ADD_FAILURE() << name << ": the tables lack it";
    }
  }
  EXPECT_GT(kinds, 50u);
}

TEST_F(Reference, EveryTypeIsAsInKubernetes) {
  const json& definitions = document_["definitions"];
  Comparison comparison;
  for (const Type& type : builtin_types()) {
    if (type.name.empty()) continue;
    const auto at = definitions.find(type.name);
    if (at == definitions.end())
      comparison.differences.push_back(std::string(type.name) + ": the reference has no such type");
    else
      comparison.compare(type, *at);
  }
  for (const std::string& difference : comparison.differences) ADD_FAILURE() << difference;
  EXPECT_GT(comparison.fields, 900u);
}

}  // namespace
}  // namespace store
