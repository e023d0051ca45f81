// store/custom/custom_kind.h - a CustomResourceDefinition, compiled into rows of the registry.
//
// A kind owns everything that its rows point to (names, types, columns). Immutable; any thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "store/custom/schema_node.h"
#include "store/schema/schema.h"

namespace store {

// What `Resource::custom` points to: one version of a custom kind.
struct CustomVersion {
  std::string name;
  SchemaPtr schema;               // Of the whole object; apiVersion, kind and metadata need not be in it.
  JsonPtr schema_json;            // As it was written, for OpenAPI.
  std::string deprecation;        // The warning to give with each request; "" = none.
  std::string replicas_path, status_replicas_path, selector_path;  // Of the scale subresource, without the leading dot.
};

class CustomKind {
 public:
  // `definition`: a whole CustomResourceDefinition that passed validate_definition.
  static std::shared_ptr<const CustomKind> compile(const json& definition);
  ~CustomKind();

  std::vector<const Resource*> rows() const;  // Served versions, the preferred one first; and one more if the stored one is not served.

 private:
  CustomKind();
  std::string_view keep(std::string text);  // A copy that lives as long as the kind.
  std::span<const std::string_view> keep_list(const json& strings);
  void add_version(const json& spec, const json& version, const std::string& stored_version);
  const Type* root_type(const SchemaNode& schema, std::string_view name, std::string_view doc);
  const Type* type_of(const SchemaNode& schema);
  void add_columns(Resource& row, const json& version);
  void add_subresources(Resource& row, CustomVersion& custom, const json& version);

  std::string storage_;
  std::deque<std::string> texts_;
  std::deque<std::vector<std::string_view>> lists_;
  std::deque<std::vector<Field>> fields_;
  std::deque<std::vector<Column>> columns_;
  std::deque<std::vector<Subresource>> subresources_;
  std::deque<Type> types_;
  std::deque<CustomVersion> versions_;
  std::deque<Resource> rows_;
};

// Kubernetes' order of versions: v2 before v1 before v1beta1 before v1alpha1 before others by name. True: `a` goes first.
bool version_goes_first(std::string_view a, std::string_view b);

}  // namespace store
