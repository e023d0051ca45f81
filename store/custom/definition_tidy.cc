// A definition as Go's types write it again: what says nothing is left out, and what is always said is there.
#include <nlohmann/json.hpp>

#include "store/base/text.h"
#include "store/custom/definition.h"
#include "store/object/access.h"
#include "store/schema/rules.h"

namespace store {
namespace {

bool is_zero(const json& value) {
  return value.is_null() || value == false || value == "" || (value.is_number() && value == 0) || (value.is_structured() && value.empty());
}

template <size_t N>
void drop_zeros(json& object, const char* const (&fields)[N]) {
  for (const char* field : fields) {
    const auto at = object.find(field);
    if (at != object.end() && is_zero(*at)) object.erase(at);
  }
}

json* tidied_member(json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto at = object.find(name);
  return at == object.end() ? nullptr : &*at;
}

void tidy_schema(json& schema) {
  if (!schema.is_object()) return;
  static constexpr const char* kZeros[] = {"id", "$schema", "description", "type", "format", "title", "pattern", "exclusiveMaximum", "exclusiveMinimum", "uniqueItems", "nullable",
                                           "required", "enum", "allOf", "oneOf", "anyOf", "properties", "patternProperties", "definitions", "x-kubernetes-embedded-resource",
                                           "x-kubernetes-int-or-string", "x-kubernetes-list-map-keys", "x-kubernetes-validations"};
  drop_zeros(schema, kZeros);
  for (const char* name : {"default", "example", "additionalProperties", "additionalItems"}) {
    if (json* value = tidied_member(schema, name); value && value->is_null()) schema.erase(name);
  }
  for (const char* name : {"items", "not", "additionalProperties"}) {
    if (json* child = tidied_member(schema, name)) tidy_schema(*child);
  }
  for (const char* name : {"allOf", "oneOf", "anyOf", "properties"}) {
    if (json* children = tidied_member(schema, name); children && children->is_structured()) {
      for (json& child : *children) tidy_schema(child);
    }
  }
}

// Nothing says what fields a schema below additionalProperties has, for it may also be a boolean: upstream's decoder drops others
// without a word, as it does below items.
void prune_additional(json& schema, const Type& type) {
  if (!schema.is_object()) return;
  if (json* additional = tidied_member(schema, "additionalProperties"); additional && additional->is_object()) {
    drop_nulls(*additional, type);
    prune_unknown(*additional, type);
  }
  for (const char* name : {"items", "not", "additionalProperties"}) {
    if (json* child = tidied_member(schema, name)) prune_additional(*child, type);
  }
  for (const char* name : {"allOf", "oneOf", "anyOf", "properties"}) {
    if (json* children = tidied_member(schema, name); children && children->is_structured()) {
      for (json& child : *children) prune_additional(child, type);
    }
  }
}

void tidy_version(json& version) {
  if (!version.is_object()) return;
  static constexpr const char* kZeros[] = {"deprecated", "additionalPrinterColumns", "selectableFields"}, *kColumn[] = {"format", "description", "priority"};
  drop_zeros(version, kZeros);
  if (json* columns = tidied_member(version, "additionalPrinterColumns"); columns && columns->is_array()) {
    for (json& column : *columns) {
      if (column.is_object()) drop_zeros(column, kColumn);
    }
  }
  json* holder = tidied_member(version, "schema");
  json* schema = holder ? tidied_member(*holder, "openAPIV3Schema") : nullptr;
  if (!schema) return;
  if (const Type* type = find_type("io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps")) prune_additional(*schema, *type);
  tidy_schema(*schema);
}

void fill_names(json& spec) {
  json& names = spec["names"];
  if (names.is_null()) names = json::object();
  if (!names.is_object()) return;
  const std::string kind = get_string(names, "kind");
  if (get_string(names, "singular").empty() && !kind.empty()) names["singular"] = base::lower(kind);
  if (get_string(names, "listKind").empty() && !kind.empty()) names["listKind"] = kind + "List";
  static constexpr const char* kZeros[] = {"shortNames", "categories", "singular", "listKind"};
  drop_zeros(names, kZeros);
}

}  // namespace

void prepare_customresourcedefinition(json& tree) {
  if (!tree.is_object()) return;
  json& spec = tree["spec"];
  if (spec.is_null()) spec = json::object();
  if (!spec.is_object()) return;
  fill_names(spec);
  static constexpr const char* kZeros[] = {"preserveUnknownFields"};
  drop_zeros(spec, kZeros);
  if (json* versions = tidied_member(spec, "versions"); versions && versions->is_array()) {
    for (json& version : *versions) tidy_version(version);
  }
}

}  // namespace store
