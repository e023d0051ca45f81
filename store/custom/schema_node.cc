#include "store/custom/schema_node.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/custom/values.h"
#include "store/object/access.h"
#include "store/schema/validate.h"

namespace store {
namespace {

using Causes = std::vector<base::Cause>;
using Member = std::optional<double> SchemaNode::*;

constexpr std::string_view kTypes[] = {"array", "boolean", "integer", "number", "object", "string"};

const json& member(const json& object, const char* key) {
  static const json kNull;
  const auto at = object.find(key);
  return at == object.end() ? kNull : *at;
}
std::string keyed(const std::string& path, const char* map, const std::string& key) { return path + "." + map + "[" + key + "]"; }

// Where in a structural schema a part stands: inside allOf, anyOf, oneOf and not only values are judged, nothing is declared.
enum class Place { kRoot, kField, kItems, kAdditional, kJuncture };

class Compiler {
 public:
  explicit Compiler(Causes& causes) : causes_(causes) {}

  SchemaPtr compile(const json& schema, const std::string& path, Place place) {
    auto node = std::make_unique<SchemaNode>();
    if (!schema.is_object()) return node;
    read_scalars(schema, *node);
    read_limits(schema, *node, path);
    if (place == Place::kJuncture) forbid_declarations(schema, path);
    else check_declaration(schema, *node, path, place);
    check_unsupported(schema, path);
    read_children(schema, *node, path, place);
    read_junctures(schema, *node, path);
    check_lists(schema, *node, path, place);
    if (place != Place::kJuncture) read_default(schema, *node, path);
    return node;
  }

 private:
  static void read_scalars(const json& schema, SchemaNode& node) {
    node.type = get_string(schema, "type");
    node.format = get_string(schema, "format");
    node.doc = get_string(schema, "description");
    node.nullable = get_bool(schema, "nullable");
    node.int_or_string = get_bool(schema, "x-kubernetes-int-or-string");
    node.preserve = get_bool(schema, "x-kubernetes-preserve-unknown-fields");
    node.embedded = get_bool(schema, "x-kubernetes-embedded-resource");
    node.atomic_map = get_string(schema, "x-kubernetes-map-type") == "atomic";
    node.list_type = get_string(schema, "x-kubernetes-list-type");
    for (const json& key : get_array(schema, "x-kubernetes-list-map-keys")) {
      if (key.is_string()) node.list_keys.push_back(key.get<std::string>());
    }
    for (const json& name : get_array(schema, "required")) {
      if (name.is_string()) node.required.push_back(name.get<std::string>());
    }
    if (member(schema, "enum").is_array()) node.one_of_values = member(schema, "enum").get<std::vector<json>>();
  }

  void read_limits(const json& schema, SchemaNode& node, const std::string& path) {
    struct Number {
      const char* name;
      Member member;
    };
    static constexpr Number kNumbers[] = {{"minimum", &SchemaNode::minimum}, {"maximum", &SchemaNode::maximum}, {"multipleOf", &SchemaNode::multiple_of}};
    for (const Number& row : kNumbers) {
      if (member(schema, row.name).is_number()) node.*row.member = member(schema, row.name).get<double>();
    }
    struct Count {
      const char* name;
      std::optional<int64_t> SchemaNode::*member;
    };
    static constexpr Count kCounts[] = {{"minLength", &SchemaNode::min_length},         {"maxLength", &SchemaNode::max_length},
                                        {"minItems", &SchemaNode::min_items},           {"maxItems", &SchemaNode::max_items},
                                        {"minProperties", &SchemaNode::min_properties}, {"maxProperties", &SchemaNode::max_properties}};
    for (const Count& row : kCounts) {
      if (member(schema, row.name).is_number_integer()) node.*row.member = member(schema, row.name).get<int64_t>();
    }
    node.exclusive_minimum = get_bool(schema, "exclusiveMinimum");
    node.exclusive_maximum = get_bool(schema, "exclusiveMaximum");
    node.pattern_text = get_string(schema, "pattern");
    if (node.pattern_text.empty()) return;
    auto compiled = base::Regex::compile(node.pattern_text);
    if (compiled.ok()) node.pattern = std::move(*compiled);
    else causes_.push_back(cause_invalid(path + ".pattern", node.pattern_text, "must be a valid regular expression, but isn't: " + compiled.error().message));
  }

  void forbid(const std::string& field, const std::string& why) { causes_.push_back(cause_forbidden(field, why)); }

  // What structural schemas do not have at all.
  void check_unsupported(const json& schema, const std::string& path) {
    static constexpr const char* kNever[] = {"$ref", "definitions", "dependencies", "patternProperties", "additionalItems"};
    for (const char* name : kNever) {
      const json& value = member(schema, name);
      if (value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty())) continue;
      forbid(path + "." + name, std::string(name) + " is not supported");
    }
    if (get_bool(schema, "uniqueItems")) forbid(path + ".uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
    const bool properties = member(schema, "properties").is_object() && !member(schema, "properties").empty();
    const json& additional = member(schema, "additionalProperties");
    if (additional.is_boolean() && !additional.get<bool>()) forbid(path + ".additionalProperties", "additionalProperties cannot be set to false");
    else if (!additional.is_null() && properties) forbid(path + ".additionalProperties", "additionalProperties and properties are mutual exclusive");
    if (member(schema, "items").is_array()) forbid(path + ".items", "items must be a schema object and not an array");
  }

  void forbid_declarations(const json& schema, const std::string& path) {
    static constexpr const char* kDeclarations[] = {"additionalProperties", "default", "description", "nullable", "title", "x-kubernetes-embedded-resource",
                                                    "x-kubernetes-int-or-string", "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type",
                                                    "x-kubernetes-preserve-unknown-fields"};
    // anyOf: [{type: integer}, {type: string}] is how int-or-string was said before it had a word of its own.
    if (!get_string(schema, "type").empty() && schema.size() > 1) forbid(path + ".type", "must be empty to be structural");
    for (const char* name : kDeclarations) {
      const json& value = member(schema, name);
      if (value.is_null() || value == false || (value.is_string() && value.get_ref<const std::string&>().empty())) continue;
      forbid(path + "." + name, "must be empty to be structural");
    }
  }

  void check_declaration(const json& schema, const SchemaNode& node, const std::string& path, Place place) {
    const std::string field = path + ".type";
    if (node.type.empty() && !node.int_or_string && !node.preserve) {
      const char* what = place == Place::kRoot ? "must not be empty at the root" : place == Place::kItems ? "must not be empty for specified array items"
                                                                               : "must not be empty for specified object fields";
      causes_.push_back(cause_required(field, what));
    } else if (node.type.empty() && place == Place::kRoot) {
      causes_.push_back(cause_required(field, "must not be empty at the root"));
    } else if (node.type == "null") {
      forbid(field, "type cannot be set to null, use nullable as an alternative");
    } else if (!node.type.empty() && std::find(std::begin(kTypes), std::end(kTypes), node.type) == std::end(kTypes)) {
      causes_.push_back(cause_not_supported(field, node.type, kTypes));
    } else if (place == Place::kRoot && node.type != "object") {
      causes_.push_back(cause_invalid(field, node.type, "must be object at the root"));
    }
    if (place == Place::kRoot && node.nullable) forbid(path + ".nullable", "nullable cannot be true at the root");
    if (node.embedded && node.type != "object") causes_.push_back(cause_invalid(field, node.type, "must be object if x-kubernetes-embedded-resource is true"));
    if (node.embedded && !node.preserve && !member(schema, "properties").is_object()) {
      causes_.push_back(cause_required(path + ".properties", "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"));
    }
    if (place == Place::kRoot || node.embedded) check_metadata(member(get_object(schema, "properties"), "metadata"), path + ".properties[metadata]");
  }

  void check_metadata(const json& metadata, const std::string& path) {
    if (!metadata.is_object()) return;
    for (auto it = get_object(metadata, "properties").begin(); it != get_object(metadata, "properties").end(); ++it) {
      if (it.key() != "name" && it.key() != "generateName") {
        forbid(path, "must not specify anything other than name and generateName, but metadata is implicitly specified");
        return;
      }
    }
  }

  void read_children(const json& schema, SchemaNode& node, const std::string& path, Place place) {
    const bool juncture = place == Place::kJuncture;
    const json& properties = get_object(schema, "properties");
    for (auto it = properties.begin(); it != properties.end(); ++it) {
      // What the server itself keeps needs no type.
      const bool own = place == Place::kRoot && (it.key() == "apiVersion" || it.key() == "kind" || it.key() == "metadata");
      SchemaPtr child = own ? compile_quietly(*it) : compile(*it, keyed(path, "properties", it.key()), juncture ? Place::kJuncture : Place::kField);
      node.has_defaults |= child->has_defaults;
      node.properties.emplace_back(it.key(), std::move(child));
    }
    std::sort(node.properties.begin(), node.properties.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    const json& additional = member(schema, "additionalProperties");
    node.any_additional = additional.is_boolean() && additional.get<bool>();
    if (additional.is_object()) node.additional = compile(additional, path + ".additionalProperties", juncture ? Place::kJuncture : Place::kAdditional);
    if (member(schema, "items").is_object()) node.items = compile(member(schema, "items"), path + ".items", juncture ? Place::kJuncture : Place::kItems);
    if (node.additional) node.has_defaults |= node.additional->has_defaults;
    if (node.items) node.has_defaults |= node.items->has_defaults;
  }

  static SchemaPtr compile_quietly(const json& schema) {
    Causes ignored;
    return Compiler(ignored).compile(schema, "", Place::kField);
  }

  void read_junctures(const json& schema, SchemaNode& node, const std::string& path) {
    struct Row {
      const char* name;
      std::vector<SchemaPtr> SchemaNode::*member;
    };
    static constexpr Row kRows[] = {{"allOf", &SchemaNode::all_of}, {"anyOf", &SchemaNode::any_of}, {"oneOf", &SchemaNode::one_of}};
    for (const Row& row : kRows) {
      const json& parts = member(schema, row.name);
      for (size_t i = 0; parts.is_array() && i < parts.size(); ++i) {
        const std::string here = path + "." + row.name + "[" + std::to_string(i) + "]";
        SchemaPtr part = compile(parts[i], here, Place::kJuncture);
        if (!node.preserve) check_declared_outside(node, *part, path, here);
        (node.*row.member).push_back(std::move(part));
      }
    }
    if (!member(schema, "not").is_object()) return;
    node.not_of = compile(member(schema, "not"), path + ".not", Place::kJuncture);
    if (!node.preserve) check_declared_outside(node, *node.not_of, path, path + ".not");
  }

  // Fields that a condition speaks of must exist.
  void check_declared_outside(const SchemaNode& node, const SchemaNode& part, const std::string& path, const std::string& here) {
    for (const auto& [name, child] : part.properties) {
      const SchemaNode* declared = node.property(name);
      if (declared) check_declared_outside(*declared, *child, keyed(path, "properties", name), keyed(here, "properties", name));
      else if (!node.additional && !node.keeps_unknown()) {
        causes_.push_back(cause_required(keyed(path, "properties", name), "because it is defined in " + keyed(here, "properties", name)));
      }
    }
    if (part.items && !node.items) causes_.push_back(cause_required(path + ".items", "because it is defined in " + here + ".items"));
  }

  void check_lists(const json& schema, const SchemaNode& node, const std::string& path, Place place) {
    if (place == Place::kJuncture) return;
    if (node.type == "array" && !node.items) causes_.push_back(cause_required(path + ".items", "must be specified"));
    static constexpr std::string_view kListTypes[] = {"atomic", "map", "set"};
    if (!node.list_type.empty() && std::find(std::begin(kListTypes), std::end(kListTypes), node.list_type) == std::end(kListTypes)) {
      causes_.push_back(cause_not_supported(path + ".x-kubernetes-list-type", node.list_type, kListTypes));
    }
    if (!node.list_type.empty() && node.type != "array") causes_.push_back(cause_invalid(path + ".type", node.type, "must be array if x-kubernetes-list-type is " + node.list_type));
    const std::string keys = path + ".x-kubernetes-list-map-keys";
    if (node.list_type == "map" && node.list_keys.empty()) causes_.push_back(cause_required(keys, "must not be empty if x-kubernetes-list-type is map"));
    if (node.list_type != "map" && !node.list_keys.empty()) forbid(path + ".x-kubernetes-list-type", "must be map if x-kubernetes-list-map-keys is non-empty");
    static constexpr std::string_view kMapTypes[] = {"atomic", "granular"};
    const std::string map_type = get_string(schema, "x-kubernetes-map-type");
    if (!map_type.empty() && map_type != "atomic" && map_type != "granular") causes_.push_back(cause_not_supported(path + ".x-kubernetes-map-type", map_type, kMapTypes));
    if (node.list_type == "map" && node.items) check_keys(node, path);
  }

  void check_keys(const SchemaNode& node, const std::string& path) {
    if (node.items->type != "object") {
      causes_.push_back(cause_invalid(path + ".items.type", node.items->type, "must be object if parent array's x-kubernetes-list-type is map"));
      return;
    }
    for (size_t i = 0; i < node.list_keys.size(); ++i) {
      const std::string& key = node.list_keys[i];
      const SchemaNode* child = node.items->property(key);
      if (!child) {
        causes_.push_back(cause_invalid(path + ".x-kubernetes-list-map-keys[" + std::to_string(i) + "]", key, "all keys must be defined as properties"));
        continue;
      }
      const std::string field = keyed(path + ".items", "properties", key);
      if (child->type == "array" || child->type == "object") {
        causes_.push_back(cause_invalid(field + ".type", child->type, "must be a scalar type if parent array's x-kubernetes-list-type is map"));
      }
      const bool required = std::find(node.items->required.begin(), node.items->required.end(), key) != node.items->required.end();
      if (!required && !child->default_value) {
        causes_.push_back(cause_required(field + ".default", "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"));
      }
    }
  }

  void read_default(const json& schema, SchemaNode& node, const std::string& path) {
    const auto at = schema.find("default");
    if (at == schema.end()) return;
    json value = *at;
    if (!prune_value(value, node).empty()) causes_.push_back(cause_invalid(path + ".default", *at, "must not have unknown fields"));
    for (base::Cause& cause : validate_value(value, node, path + ".default")) causes_.push_back(std::move(cause));
    node.default_value = std::make_unique<const json>(std::move(value));
    node.has_defaults = true;
  }

  Causes& causes_;
};

}  // namespace

SchemaNode::SchemaNode() = default;
SchemaNode::~SchemaNode() = default;

const SchemaNode* SchemaNode::property(std::string_view name) const {
  const auto at = std::lower_bound(properties.begin(), properties.end(), name, [](const auto& row, std::string_view wanted) { return row.first < wanted; });
  return at != properties.end() && at->first == name ? at->second.get() : nullptr;
}

SchemaPtr compile_schema(const json& schema, const std::string& path, Causes& causes) { return Compiler(causes).compile(schema, path, Place::kRoot); }

bool has_validation_rules(const json& schema) {
  if (schema.is_array()) return std::any_of(schema.begin(), schema.end(), has_validation_rules);
  if (!schema.is_object()) return false;
  const auto own = schema.find("x-kubernetes-validations");
  if (own != schema.end() && own->is_array() && !own->empty()) return true;
  return std::any_of(schema.begin(), schema.end(), has_validation_rules);
}

}  // namespace store
