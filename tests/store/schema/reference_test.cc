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
      return "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1";
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
    return ref.substr(ref.rfind('/') + 1);
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

TEST(Reference, EveryTypeIsAsInKubernetes) {
  const char* path = std::getenv("KUBELAN_OPENAPI");
  if (!path) GTEST_SKIP() << "KUBELAN_OPENAPI is not set: nothing to compare with";
  std::ifstream in(path);
  const json document = json::parse(in, nullptr, false);
  ASSERT_TRUE(document.is_object()) << path << " is not JSON";
  const json& definitions = document["definitions"];
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
