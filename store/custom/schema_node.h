// store/custom/schema_node.h - a structural schema of a CustomResourceDefinition, compiled: what its values may be.
// Immutable once compiled; any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/base/regex.h"
#include "store/base/result.h"

namespace store {

using json = nlohmann::json;

struct SchemaNode;
using SchemaPtr = std::unique_ptr<const SchemaNode>;
using JsonPtr = std::unique_ptr<const json>;

struct SchemaNode {
  SchemaNode();
  ~SchemaNode();
  SchemaNode(const SchemaNode&) = delete;

  std::string type;    // "object", "array", "string", "integer", "number", "boolean"; "" when any or int-or-string.
  std::string format;  // As written.
  std::string known_format;  // The same if it is one that values are judged by; "" = none.
  std::string doc;
  bool nullable = false;
  bool int_or_string = false;
  bool preserve = false;       // x-kubernetes-preserve-unknown-fields
  bool embedded = false;       // x-kubernetes-embedded-resource: has apiVersion, kind and metadata.
  bool atomic_map = false;
  bool any_additional = false;  // additionalProperties: true
  bool has_defaults = false;    // Here or below.
  std::string list_type;        // "", "atomic", "set", "map"
  std::vector<std::string> list_keys;

  std::vector<std::pair<std::string, SchemaPtr>> properties;  // Sorted by name.
  SchemaPtr additional, items;
  std::vector<std::string> required;
  JsonPtr default_value;  // nullptr: none.
  std::vector<json> one_of_values;  // enum

  std::optional<double> minimum, maximum, multiple_of;
  bool exclusive_minimum = false, exclusive_maximum = false;
  std::optional<int64_t> min_length, max_length, min_items, max_items, min_properties, max_properties;
  std::string pattern_text;
  base::RegexPtr pattern;

  std::vector<SchemaPtr> all_of, any_of, one_of;
  SchemaPtr not_of;

  const SchemaNode* property(std::string_view name) const;  // nullptr: none of that name.
  bool keeps_unknown() const { return preserve || any_additional; }
};

// Never nullptr; what is no schema allows everything. Takes any JSON: schema_rules.h says what is wrong with it.
SchemaPtr compile_schema(const json& schema);

// Whether there is x-kubernetes-validations anywhere: kubelan does not evaluate CEL.
bool has_validation_rules(const json& schema);

}  // namespace store
