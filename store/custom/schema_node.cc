#include "store/custom/schema_node.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/custom/formats.h"
#include "store/custom/values.h"
#include "store/object/access.h"

namespace store {
namespace {

const json& schema_member(const json& object, const char* key) {
  static const json kNull;
  const auto at = object.find(key);
  return at == object.end() ? kNull : *at;
}

std::vector<std::string> texts(const json& schema, const char* key) {
  std::vector<std::string> out;
  for (const json& text : get_array(schema, key)) {
    if (text.is_string()) out.push_back(text.get<std::string>());
  }
  return out;
}

void read_scalars(const json& schema, SchemaNode& node) {
  node.type = get_string(schema, "type");
  node.format = get_string(schema, "format");
  node.doc = get_string(schema, "description");
  node.nullable = get_bool(schema, "nullable");
  node.int_or_string = get_bool(schema, "x-kubernetes-int-or-string");
  node.preserve = get_bool(schema, "x-kubernetes-preserve-unknown-fields");
  node.embedded = get_bool(schema, "x-kubernetes-embedded-resource");
  node.atomic_map = get_string(schema, "x-kubernetes-map-type") == "atomic";
  node.list_type = get_string(schema, "x-kubernetes-list-type");
  node.list_keys = texts(schema, "x-kubernetes-list-map-keys");
  node.required = texts(schema, "required");
  if (is_known_format(node.int_or_string ? "" : node.type, node.format)) node.known_format = node.format;
  if (schema_member(schema, "enum").is_array()) node.one_of_values = schema_member(schema, "enum").get<std::vector<json>>();
}

void read_limits(const json& schema, SchemaNode& node) {
  struct Number {
    const char* name;
    std::optional<double> SchemaNode::*member;
  };
  static constexpr Number kNumbers[] = {{"minimum", &SchemaNode::minimum}, {"maximum", &SchemaNode::maximum}, {"multipleOf", &SchemaNode::multiple_of}};
  for (const Number& row : kNumbers) {
    if (schema_member(schema, row.name).is_number()) node.*row.member = schema_member(schema, row.name).get<double>();
  }
  struct Count {
    const char* name;
    std::optional<int64_t> SchemaNode::*member;
  };
  static constexpr Count kCounts[] = {{"minLength", &SchemaNode::min_length},         {"maxLength", &SchemaNode::max_length},
                                      {"minItems", &SchemaNode::min_items},           {"maxItems", &SchemaNode::max_items},
                                      {"minProperties", &SchemaNode::min_properties}, {"maxProperties", &SchemaNode::max_properties}};
  for (const Count& row : kCounts) {
    if (schema_member(schema, row.name).is_number_integer()) node.*row.member = schema_member(schema, row.name).get<int64_t>();
  }
  node.exclusive_minimum = get_bool(schema, "exclusiveMinimum");
  node.exclusive_maximum = get_bool(schema, "exclusiveMaximum");
  node.pattern_text = get_string(schema, "pattern");
  if (node.pattern_text.empty()) return;
  if (auto compiled = base::Regex::compile(node.pattern_text); compiled.ok()) node.pattern = std::move(*compiled);
}

SchemaPtr compile(const json& schema);

void read_children(const json& schema, SchemaNode& node) {
  const json& properties = get_object(schema, "properties");
  for (auto it = properties.begin(); it != properties.end(); ++it) {  // Sorted: a JSON object is a std::map.
    SchemaPtr child = compile(*it);
    node.has_defaults |= child->has_defaults;
    node.properties.emplace_back(it.key(), std::move(child));
  }
  const json& additional = schema_member(schema, "additionalProperties");
  node.any_additional = additional.is_boolean() && additional.get<bool>();
  if (additional.is_object()) node.additional = compile(additional);
  if (schema_member(schema, "items").is_object()) node.items = compile(schema_member(schema, "items"));
  if (node.additional) node.has_defaults |= node.additional->has_defaults;
  if (node.items) node.has_defaults |= node.items->has_defaults;
  struct Row {
    const char* name;
    std::vector<SchemaPtr> SchemaNode::*member;
  };
  static constexpr Row kRows[] = {{"allOf", &SchemaNode::all_of}, {"anyOf", &SchemaNode::any_of}, {"oneOf", &SchemaNode::one_of}};
  for (const Row& row : kRows) {
    for (const json& part : get_array(schema, row.name)) (node.*row.member).push_back(compile(part));
  }
  if (schema_member(schema, "not").is_object()) node.not_of = compile(schema_member(schema, "not"));
}

SchemaPtr compile(const json& schema) {
  auto node = std::make_unique<SchemaNode>();
  if (!schema.is_object()) return node;
  read_scalars(schema, *node);
  read_limits(schema, *node);
  read_children(schema, *node);
  if (const json& value = schema_member(schema, "default"); !value.is_null()) {
    json pruned = value;
    prune_value(pruned, *node);
    node->default_value = std::make_unique<const json>(std::move(pruned));
    node->has_defaults = true;
  }
  return node;
}

}  // namespace

SchemaNode::SchemaNode() = default;
SchemaNode::~SchemaNode() = default;

const SchemaNode* SchemaNode::property(std::string_view name) const {
  const auto at = std::lower_bound(properties.begin(), properties.end(), name, [](const auto& row, std::string_view wanted) { return row.first < wanted; });
  return at != properties.end() && at->first == name ? at->second.get() : nullptr;
}

SchemaPtr compile_schema(const json& schema) { return compile(schema); }

bool has_validation_rules(const json& schema) {
  if (schema.is_array()) return std::any_of(schema.begin(), schema.end(), has_validation_rules);
  if (!schema.is_object()) return false;
  const auto own = schema.find("x-kubernetes-validations");
  if (own != schema.end() && own->is_array() && !own->empty()) return true;
  return std::any_of(schema.begin(), schema.end(), has_validation_rules);
}

}  // namespace store
