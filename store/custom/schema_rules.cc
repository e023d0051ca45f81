#include "store/custom/schema_rules.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/custom/formats.h"
#include "store/custom/schema_node.h"
#include "store/custom/values.h"
#include "store/object/access.h"
#include "store/schema/validate.h"

namespace store {
namespace {

constexpr std::string_view kTypes[] = {"array", "boolean", "integer", "number", "object", "string"};

// Calls `visit(schema)` with a schema and each one within it; with those that only judge, too.
template <class Visit>
void each_schema(const json& schema, const Visit& visit) {
  if (!schema.is_object()) return;
  visit(schema);
  auto child = [&](const char* name) {
    if (const json* part = find_key(schema, name)) each_schema(*part, visit);
  };
  child("items");
  for (const char* name : {"allOf", "anyOf", "oneOf"}) {
    for (const json& part : get_array(schema, name)) each_schema(part, visit);
  }
  child("not");
  for (const json& part : get_object(schema, "properties")) each_schema(part, visit);
  child("additionalProperties");
}

std::string trimmed(const std::string& text) {
  static constexpr const char* kSpace = " \t\n\v\f\r";
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

// --- Each schema for itself ---

// What holds for a schema from those around it.
struct Place {
  std::string no_default;  // Why there may be no default; "" = there may.
  bool in_metadata = false;
  bool root = false;
};

void check_one(const json& schema, const Place& place, const std::string& path, Causes& causes) {
  const std::string type = get_string(schema, "type");
  auto forbid = [&](const char* field, const std::string& detail) { causes.push_back(cause_forbidden(path + "." + field, detail)); };
  if (!type.empty() && std::find(std::begin(kTypes), std::end(kTypes), type) == std::end(kTypes)) causes.push_back(cause_not_supported(path + ".type", type, kTypes));
  if (schema.contains("default") && !place.no_default.empty()) forbid("default", "must not be set " + place.no_default);
  for (const char* name : {"id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"}) {
    if (schema.contains(name)) forbid(name, std::string(name) + " is not supported");
  }
  if (type == "null") forbid("type", "type cannot be set to null, use nullable as an alternative");
  if (get_bool(schema, "x-kubernetes-embedded-resource") && place.in_metadata) forbid("x-kubernetes-embedded-resource", "must not be used inside of resource meta");
  if (get_bool(schema, "uniqueItems")) forbid("uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
  const json* additional = find_key(schema, "additionalProperties");
  if (additional && *additional != true && !get_object(schema, "properties").empty()) forbid("additionalProperties", "additionalProperties and properties are mutual exclusive");
}

void must_be(const json& schema, const char* extension, const char* wanted, const std::string& path, Causes& causes) {
  const std::string type = get_string(schema, "type"), detail = std::string("must be ") + wanted + " if " + extension + " is specified";
  if (!schema.contains(extension) || type == wanted) return;
  causes.push_back(type.empty() ? cause_required(path + ".type", detail) : cause_invalid(path + ".type", type, detail));
}

// Items of a set are compared whole.
void check_set(const json& items, const std::string& path, Causes& causes) {
  const std::string type = get_string(items, "type"), list_type = get_string(items, "x-kubernetes-list-type");
  static constexpr const char* kDetail = "must be atomic as item of a list with x-kubernetes-list-type=set";
  const json shown_type = list_type.empty() ? json() : json(list_type);
  if (type == "array" && !list_type.empty() && list_type != "atomic") causes.push_back(cause_invalid(path + ".items.x-kubernetes-list-type", shown_type, kDetail));
  if (type == "object" && get_string(items, "x-kubernetes-map-type") != "atomic") causes.push_back(cause_invalid(path + ".items.x-kubernetes-map-type", shown_type, kDetail));
}

void check_list_type(const json& schema, const std::string& path, Causes& causes) {
  static constexpr std::string_view kMapTypes[] = {"atomic", "granular"}, kListTypes[] = {"atomic", "set", "map"};
  must_be(schema, "x-kubernetes-map-type", "object", path, causes);
  const std::string map_type = get_string(schema, "x-kubernetes-map-type"), list_type = get_string(schema, "x-kubernetes-list-type");
  if (schema.contains("x-kubernetes-map-type") && map_type != "atomic" && map_type != "granular") causes.push_back(cause_not_supported(path + ".x-kubernetes-map-type", map_type, kMapTypes));
  must_be(schema, "x-kubernetes-list-type", "array", path, causes);
  if (list_type == "set" && get_string(schema, "type") == "array") check_set(get_object(schema, "items"), path, causes);
  const bool known = std::find(std::begin(kListTypes), std::end(kListTypes), list_type) != std::end(kListTypes);
  if (schema.contains("x-kubernetes-list-type") && !known) causes.push_back(cause_not_supported(path + ".x-kubernetes-list-type", list_type, kListTypes));
  if (get_array(schema, "x-kubernetes-list-map-keys").empty() || list_type == "map") return;
  static constexpr const char* kDetail = "must be map if x-kubernetes-list-map-keys is non-empty";
  const std::string field = path + ".x-kubernetes-list-type";
  causes.push_back(schema.contains("x-kubernetes-list-type") ? cause_invalid(field, list_type, kDetail) : cause_required(field, kDetail));
}

void check_keys(const json& schema, const std::string& path, Causes& causes) {
  const json &keys = get_array(schema, "x-kubernetes-list-map-keys"), &items = get_object(schema, "items");
  const std::string field = path + ".x-kubernetes-list-map-keys", type = get_string(items, "type");
  if (keys.empty()) causes.push_back(cause_required(field, "must not be empty if x-kubernetes-list-type is map"));
  if (!find_key(schema, "items")) return causes.push_back(cause_required(path + ".items", "must have a schema if x-kubernetes-list-type is map"));
  if (type != "object") return causes.push_back(cause_invalid(path + ".items.type", type, "must be object if parent array's x-kubernetes-list-type is map"));
  std::set<json> seen;
  for (const json& key : keys) {
    const json* child = key.is_string() ? find_key(get_object(items, "properties"), key.get_ref<const std::string&>()) : nullptr;
    const std::string child_type = child ? get_string(*child, "type") : "";
    if (!child) {
      causes.push_back(cause_invalid(field, keys, "entries must all be names of item properties"));
    } else if (child_type == "array" || child_type == "object") {
      causes.push_back(cause_invalid(keyed_path(path + ".items", "properties", key.get<std::string>()) + ".type", type, "must be a scalar type if parent array's x-kubernetes-list-type is map"));
    }
    if (!seen.insert(key).second) causes.push_back(cause_invalid(field, keys, "must not contain duplicate entries"));
  }
}

// Items of maps and sets are there, and their keys have values.
void check_item_schema(const json& schema, const std::string& path, Causes& causes) {
  const std::string list_type = get_string(schema, "x-kubernetes-list-type");
  const json& items = get_object(schema, "items");
  if (!find_key(schema, "items") || (list_type != "set" && list_type != "map")) return;
  if (get_bool(items, "nullable")) causes.push_back(cause_forbidden(path + ".items.nullable", "cannot be nullable when x-kubernetes-list-type is " + list_type));
  if (list_type != "map") return;
  const json& required = get_array(items, "required");
  for (const json& key : get_array(schema, "x-kubernetes-list-map-keys")) {
    const json* child = key.is_string() ? find_key(get_object(items, "properties"), key.get_ref<const std::string&>()) : nullptr;
    if (!child) continue;
    const std::string field = keyed_path(path + ".items", "properties", key.get<std::string>());
    if (std::find(required.begin(), required.end(), key) == required.end() && !child->contains("default")) {
      causes.push_back(cause_required(field + ".default", "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"));
    }
    if (get_bool(*child, "nullable")) causes.push_back(cause_forbidden(field + ".nullable", "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"));
  }
}

bool has_newline(const std::string& text) { return text.find('\n') != std::string::npos; }

// Rules in CEL, as far as they can be judged without reading the expression.
void check_schema_rule(const json& rule, const std::string& path, Causes& causes) {
  static constexpr std::string_view kReasons[] = {"FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"};
  const std::string message = get_string(rule, "message"), expression = get_string(rule, "messageExpression"), field = get_string(rule, "fieldPath");
  const std::string text = trimmed(get_string(rule, "rule")), said = trimmed(message);
  if (text.empty()) causes.push_back(cause_required(path + ".rule", "rule is not specified"));
  else if (!message.empty() && said.empty()) causes.push_back(cause_invalid(path + ".message", message, "must be non-empty if specified"));
  else if (has_newline(said)) causes.push_back(cause_invalid(path + ".message", message, "must not contain line breaks"));
  else if (has_newline(text) && said.empty()) causes.push_back(cause_required(path + ".message", "message must be specified if rule contains line breaks"));
  if (!expression.empty() && trimmed(expression).empty()) causes.push_back(cause_required(path + ".messageExpression", "messageExpression must be non-empty if specified"));
  if (const json* reason = find_key(rule, "reason"); reason && std::find(std::begin(kReasons), std::end(kReasons), get_string(rule, "reason")) == std::end(kReasons)) {
    causes.push_back(cause_not_supported(path + ".reason", *reason, kReasons));
  }
  if (!field.empty() && trimmed(field).empty()) causes.push_back(cause_invalid(path + ".fieldPath", field, "must be non-empty if specified"));
  if (has_newline(field)) causes.push_back(cause_invalid(path + ".fieldPath", field, "must not contain line breaks"));
}

void check_all(const json& schema, const Place& place, const std::string& path, Causes& causes);

void check_children(const json& schema, const Place& place, const std::string& path, Causes& causes) {
  Place inner = place;
  inner.root = false;
  if (const json* additional = find_key(schema, "additionalProperties"); additional && additional->is_object()) {
    Place there = inner;
    if (place.in_metadata) there.no_default = "inside additionalProperties applying to object metadata";
    check_all(*additional, there, path + ".additionalProperties", causes);
  }
  const json& properties = get_object(schema, "properties");
  for (auto it = properties.begin(); it != properties.end(); ++it) {
    Place there = inner;
    const std::string& name = it.key();
    if ((place.root || get_bool(schema, "x-kubernetes-embedded-resource")) && (name == "metadata" || name == "kind" || name == "apiVersion")) {
      there.in_metadata = true;
      if (place.root) there.no_default = "in top-level " + name;
    }
    check_all(*it, there, keyed_path(path, "properties", name), causes);
  }
  if (const json* inverse = find_key(schema, "not")) check_all(*inverse, inner, path + ".not", causes);
  for (const char* list : {"allOf", "oneOf", "anyOf"}) {
    const json& parts = get_array(schema, list);
    for (size_t i = 0; i < parts.size(); ++i) check_all(parts[i], inner, path + "." + list + "[" + std::to_string(i) + "]", causes);
  }
  if (const json* items = find_key(schema, "items")) check_all(*items, inner, path + ".items", causes);
}

void check_all(const json& schema, const Place& place, const std::string& path, Causes& causes) {
  if (!schema.is_object()) return;
  check_one(schema, place, path, causes);
  check_children(schema, place, path, causes);
  const json* preserve = find_key(schema, "x-kubernetes-preserve-unknown-fields");
  if (preserve && *preserve == false) causes.push_back(cause_invalid(path + ".x-kubernetes-preserve-unknown-fields", false, "must be true or undefined"));
  check_list_type(schema, path, causes);
  if (get_string(schema, "x-kubernetes-list-type") == "map") check_keys(schema, path, causes);
  check_item_schema(schema, path, causes);
  const json& rules = get_array(schema, "x-kubernetes-validations");
  for (size_t i = 0; i < rules.size(); ++i) check_schema_rule(rules[i], path + ".x-kubernetes-validations[" + std::to_string(i) + "]", causes);
}

// --- Defaults ---

// A default is what a value must be, and says nothing that the schema does not know. `in_metadata`: of an object's own fields,
// which are judged with the object.
void check_defaults(const json& schema, const SchemaNode& node, bool root, bool in_metadata, const std::string& path, Causes& causes) {
  const bool resource = root || node.embedded;
  if (resource) in_metadata = false;
  if (const json* value = find_key(schema, "default"); value && !value->is_null()) {
    const std::string here = path + ".default";
    json pruned = *value;
    if (!in_metadata && !prune_value(pruned, node).empty()) causes.push_back(cause_invalid(here, *value, "must not have unknown fields"));
    Causes own = in_metadata ? Causes() : validate_embedded(*value, node, here);
    append(causes, own.empty() ? validate_default(*value, node, here) : std::move(own));
  }
  if (node.items) check_defaults(get_object(schema, "items"), *node.items, false, in_metadata, path + ".items", causes);
  for (const auto& [name, child] : node.properties) {
    const bool own = resource && (name == "metadata" || name == "apiVersion" || name == "kind");
    const json* part = find_key(get_object(schema, "properties"), name);
    if (part) check_defaults(*part, *child, false, in_metadata || own, keyed_path(path, "properties", name), causes);
  }
}

// --- The root of a version with /status, whose schema is split ---

void check_root_of_status(const json& schema, const std::string& path, Causes& causes) {
  static constexpr const char* kFirst[] = {"id", "$schema", "$ref"};
  static constexpr const char* kRest[] = {"nullable", "default", "enum", "maxProperties", "minProperties", "allOf", "oneOf", "anyOf", "not", "additionalProperties", "patternProperties",
                                          "dependencies", "additionalItems", "definitions", "x-kubernetes-embedded-resource", "x-kubernetes-int-or-string",
                                          "x-kubernetes-list-map-keys", "x-kubernetes-list-type", "x-kubernetes-map-type"};
  static constexpr const char* kDetail =
      "only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties "
      "ExternalDocs Example XPreserveUnknownFields XValidations] fields are allowed at the root of the schema if the status subresource is enabled";
  auto has = [&](const char* name) { return schema.contains(name); };
  const std::string type = get_string(schema, "type");
  if (std::any_of(std::begin(kFirst), std::end(kFirst), has)) return causes.push_back(cause_invalid(path, schema, kDetail));
  if (!type.empty() && type != "object") {
    return causes.push_back(cause_invalid(path + ".type", type, "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled"));
  }
  if (std::any_of(std::begin(kRest), std::end(kRest), has)) causes.push_back(cause_invalid(path, schema, kDetail));
}

}  // namespace

std::string unstructural(const json& schema) {
  std::string why;
  each_schema(schema, [&](const json& one) {
    if (!why.empty()) return;
    static constexpr std::pair<const char*, const char*> kFields[] = {{"id", "id"}, {"$schema", "schema"}, {"$ref", "$ref"}, {"patternProperties", "patternProperties"},
                                                                      {"dependencies", "dependencies"}, {"additionalItems", "additionalItems"}, {"definitions", "definitions"}};
    for (const auto& [field, name] : kFields) {
      const json* value = find_key(one, field);
      const bool empty = value && (*value == "" || (value->is_object() && value->empty() && std::string_view(field) == "dependencies"));
      if (value && !empty) return void(why = std::string("OpenAPIV3Schema '") + name + "' is not supported");
    }
    const json* preserve = find_key(one, "x-kubernetes-preserve-unknown-fields");
    if (preserve && *preserve == false) why = "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
  });
  return why;
}

std::vector<base::Cause> check_parts(const json& schema, const std::string& path) {
  Causes causes;
  check_all(schema, {"", false, true}, path, causes);
  return causes;
}

std::vector<base::Cause> check_schema(const json& schema, const std::string& path, bool has_status) {
  Causes causes;
  if (has_status) check_root_of_status(schema, path, causes);
  if (get_bool(schema, "nullable")) causes.push_back(cause_forbidden(path + ".nullable", "nullable cannot be true at the root"));
  const std::string why = unstructural(schema);
  if (why.empty()) {
    Causes found = check_structure(schema, path);
    if (found.empty()) check_defaults(schema, *compile_schema(schema), true, false, path, found);
    append(causes, std::move(found));
  }
  append(causes, check_parts(schema, path));
  if (causes.empty() && !why.empty()) causes.push_back(cause_invalid(path, "", why));
  return causes;
}

std::vector<std::string> unknown_formats(const json& schema) {
  std::vector<std::string> out;
  each_schema(schema, [&](const json& one) {
    const std::string format = get_string(one, "format");
    if (!format.empty() && !is_known_format(get_string(one, "type"), format)) out.push_back(format);
  });
  return out;
}

}  // namespace store
