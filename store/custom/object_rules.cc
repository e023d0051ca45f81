// What a custom object must satisfy beyond the values that its schema allows.
#include <algorithm>
#include <climits>
#include <map>
#include <nlohmann/json.hpp>

#include "store/base/text.h"
#include "store/custom/definition.h"
#include "store/custom/values.h"
#include "store/object/access.h"
#include "store/schema/hooks.h"
#include "store/schema/rules.h"

namespace store {
namespace {

std::string field_under(const std::string& path, const std::string& key) { return path.empty() ? key : path + "." + key; }
std::string keyed(const std::string& path, const std::string& key) { return path + "[" + key + "]"; }
std::string item_at(const std::string& path, size_t i) { return path + "[" + std::to_string(i) + "]"; }

// Calls `visit` with each child of an object or a list that the schema speaks of.
template <class Visit>
void each_child(const json& value, const SchemaNode& schema, const std::string& path, const Visit& visit) {
  if (value.is_array() && schema.items) {
    for (size_t i = 0; i < value.size(); ++i) visit(value[i], *schema.items, item_at(path, i));
  }
  if (!value.is_object()) return;
  for (auto it = value.begin(); it != value.end(); ++it) {
    if (const SchemaNode* child = schema.property(it.key())) visit(*it, *child, field_under(path, it.key()));
    else if (schema.additional) visit(*it, *schema.additional, keyed(path, it.key()));
  }
}

// The second of each that are alike.
void check_custom_unique(const std::vector<json>& keys, const std::string& path, Causes& causes) {
  std::map<std::string, int> seen;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (++seen[shown(keys[i])] == 2) causes.push_back(cause_duplicate(item_at(path, i), keys[i]));
  }
}

void check_custom_list(const json& list, const SchemaNode& schema, const std::string& path, Causes& causes) {
  if (schema.list_type == "set") return check_custom_unique(list.get<std::vector<json>>(), path, causes);
  if (schema.list_type != "map") return;
  std::vector<json> keys;
  for (size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_object() && !list[i].is_null()) return causes.push_back(cause_invalid(item_at(path, i), list[i], "must be an object for an array of list-type map"));
    json key = json::object();
    for (const std::string& name : schema.list_keys) {
      if (const json* part = find_key(list[i], name)) key[name] = *part;
    }
    keys.push_back(std::move(key));
  }
  check_custom_unique(keys, path, causes);
}

void check_lists(const json& value, const SchemaNode& schema, const std::string& path, Causes& causes) {
  if (value.is_array()) check_custom_list(value, schema, path, causes);
  each_child(value, schema, path, [&](const json& child, const SchemaNode& node, const std::string& here) { check_lists(child, node, here, causes); });
}

void check_api_version(const json& version, const std::string& path, Causes& causes) {
  if (!version.is_string()) return causes.push_back(cause_invalid(path, version, "must be a string"));
  const std::string& text = version.get_ref<const std::string&>();
  if (text.empty()) causes.push_back(cause_invalid(path, version, "must not be empty"));
  else if (std::count(text.begin(), text.end(), '/') > 1) causes.push_back(cause_invalid(path, version, "unexpected GroupVersion string: " + text));
}

void check_kind(const json& kind, const std::string& path, Causes& causes) {
  if (!kind.is_string()) return causes.push_back(cause_invalid(path, kind, "must be a string"));
  const std::string text = kind.get<std::string>();
  const std::string problem = text.empty() ? "" : text_problem(base::lower(text), NameRule::kDns1035Label);
  if (text.empty()) causes.push_back(cause_invalid(path, kind, "must not be empty"));
  else if (!problem.empty()) causes.push_back(cause_invalid(path, kind, "may have mixed case, but should otherwise match: " + problem));
}

// Metadata of an object within another one: like any other's, but that it needs no name.
void check_inner_metadata(const json& object, const std::string& path, Causes& causes) {
  Resource resource;
  resource.name_rule = NameRule::kPathSegment;
  json head = {{"metadata", get_object(object, "metadata")}};
  if (get_string(head, "metadata.name").empty()) head["metadata"]["name"] = "fakename";
  for (base::Cause& cause : validate_object_meta(head, resource)) {
    cause.field = field_under(path, cause.field);
    causes.push_back(std::move(cause));
  }
}

void check_embedded(const json& value, const SchemaNode& schema, const std::string& path, Causes& causes) {
  if (value.is_object() && schema.embedded) {
    for (const char* name : {"apiVersion", "kind"}) {
      if (!value.contains(name)) causes.push_back(cause_required(field_under(path, name)));
    }
    if (const json* version = find_key(value, "apiVersion")) check_api_version(*version, field_under(path, "apiVersion"), causes);
    if (const json* kind = find_key(value, "kind")) check_kind(*kind, field_under(path, "kind"), causes);
    if (value.contains("metadata")) check_inner_metadata(value, path, causes);
  }
  each_child(value, schema, path, [&](const json& child, const SchemaNode& node, const std::string& here) { check_embedded(child, node, here, causes); });
}

// fmt's %v and %T of decoded JSON.
std::string go_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "<nil>";
  std::string out;
  if (value.is_object()) {
    for (auto it = value.begin(); it != value.end(); ++it) out += (out.empty() ? "" : " ") + it.key() + ":" + go_text(*it);
    return "map[" + out + "]";
  }
  if (!value.is_array()) return shown(value);
  for (const json& item : value) out += (out.empty() ? "" : " ") + go_text(item);
  return "[" + out + "]";
}
const char* go_value_type(const json& value) {
  switch (value.type()) {
    case json::value_t::null: return "<nil>";
    case json::value_t::object: return "map[string]interface {}";
    case json::value_t::array: return "[]interface {}";
    case json::value_t::string: return "string";
    case json::value_t::boolean: return "bool";
    case json::value_t::number_float: return "float64";
    default: return "int64";
  }
}
std::string accessor_problem(const std::string& path, const json& value, const char* wanted) {
  return "." + path + " accessor error: " + go_text(value) + " is of the type " + go_value_type(value) + ", expected " + wanted;
}

// What a path of the scale subresource leads to; nullptr: nothing, or (then *problem is set) something that is in the way.
const json* follow(const json& tree, const std::string& path, std::string* problem) {
  const json* value = &tree;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('.', begin), path.size());
    if (value->is_null()) return nullptr;
    if (!value->is_object()) {
      *problem = accessor_problem(path.substr(0, end), *value, "map[string]interface{}");
      return nullptr;
    }
    value = find_key(*value, path.substr(begin, end - begin));
    if (!value) return nullptr;
    begin = end + 1;
  }
  return value;
}

void check_replicas(const json& tree, const std::string& path, Causes& causes) {
  if (path.empty()) return;
  std::string problem;
  const json* value = follow(tree, path, &problem);
  if (value && !value->is_number_integer()) problem = accessor_problem(path, *value, "int64");
  const int64_t replicas = value && value->is_number_integer() ? value->get<int64_t>() : 0;
  if (problem.empty() && replicas < 0) problem = "should be a non-negative integer";
  if (problem.empty() && replicas > INT32_MAX) problem = "should be less than or equal to 2147483647";
  if (!problem.empty()) causes.push_back(cause_invalid("." + path, replicas, problem));
}

void check_selector(const json& tree, const std::string& path, Causes& causes) {
  if (path.empty()) return;
  std::string problem;
  const json* value = follow(tree, path, &problem);
  if (value && !value->is_string()) problem = accessor_problem(path, *value, "string");
  if (!problem.empty()) causes.push_back(cause_invalid("." + path, "", problem));
}

}  // namespace

std::vector<std::string> custom_warnings(const json& tree, const json* old) {
  std::vector<std::string> added, out;
  static const json kNone = json::object();
  const json& before = get_array(old ? *old : kNone, "metadata.finalizers");
  for (const json& name : get_array(tree, "metadata.finalizers")) {
    if (name.is_string() && std::find(before.begin(), before.end(), name) == before.end()) added.push_back(name.get<std::string>());
  }
  std::sort(added.begin(), added.end());
  added.erase(std::unique(added.begin(), added.end()), added.end());
  for (const std::string& name : added) {
    if (name.find('/') != std::string::npos || name == "orphan" || name == "foregroundDeletion" || name == "kubernetes") continue;
    const char* path = name.find('.') == std::string::npos ? "" : " including a path (/)";
    out.push_back("metadata.finalizers: " + shown(name) + ": prefer a domain-qualified finalizer name" + path + " to avoid accidental conflicts with other finalizer writers");
  }
  return out;
}

// Upstream's older checks count the same bytes as characters.
std::string text_problem(const std::string& name, NameRule rule) {
  std::string problem = name_problem(name, rule);
  if (problem.starts_with("must be no more than ") && problem.ends_with(" bytes")) problem.replace(problem.size() - 5, 5, "characters");
  return problem;
}

Causes validate_lists(const json& value, const SchemaNode& schema, const std::string& path) {
  Causes causes;
  check_lists(value, schema, path, causes);
  return causes;
}

Causes validate_embedded(const json& value, const SchemaNode& schema, const std::string& path) {
  Causes causes;
  check_embedded(value, schema, path, causes);
  return causes;
}

Causes validate_custom(const json& tree, const json* old, const CustomVersion& version, std::string_view subresource) {
  Causes causes;
  const bool status = subresource == "status";
  const SchemaNode& schema = *version.schema;
  if (!status) {
    append(causes, validate_value(tree, old, schema, ""));
    check_replicas(tree, version.replicas_path, causes);
  } else if (const json* value = find_key(tree, "status"); value && schema.property("status")) {
    append(causes, validate_value(*value, old ? find_key(*old, "status") : nullptr, *schema.property("status"), "status"));
  }
  check_replicas(tree, version.status_replicas_path, causes);
  check_selector(tree, version.selector_path, causes);
  if (!status) append(causes, validate_embedded(tree, schema, ""));
  if (!old || validate_lists(*old, schema, "").empty()) append(causes, validate_lists(tree, schema, ""));
  return causes;
}

}  // namespace store
