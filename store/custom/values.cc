// Pruning and defaults of custom objects. What is wrong with them: value_rules.cc, object_rules.cc.
#include "store/custom/values.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "store/object/access.h"
#include "store/schema/schema.h"
#include "store/schema/validate.h"

namespace store {
namespace {

constexpr const char* kObjectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

// Fields that every object has, at the root and in embedded resources.
bool is_object_field(const std::string& name) { return name == "apiVersion" || name == "kind" || name == "metadata"; }

std::string member_under(const std::string& path, const std::string& key) { return path.empty() ? key : path + "." + key; }
std::string element_at(const std::string& path, size_t i) { return path + "[" + std::to_string(i) + "]"; }
std::string unknown(const std::string& path) { return "unknown field \"" + path + "\""; }

using Removed = std::vector<std::string>;

// Below additionalProperties: true nothing is known: keys stay, and what is in them goes.
void prune_all(json& value, const std::string& path, Removed& removed) {
  if (value.is_array()) {
    for (size_t i = 0; i < value.size(); ++i) prune_all(value[i], element_at(path, i), removed);
  } else if (value.is_object()) {
    for (auto it = value.begin(); it != value.end(); ++it) removed.push_back(member_under(path, it.key()));
    value = json::object();
  }
}

// `keeps`: below a schema that keeps what it does not name; it reaches through lists.
void drop_unknown(json& value, const SchemaNode& schema, bool resource, bool keeps, const std::string& path, Removed& removed) {
  if (value.is_array()) {
    for (size_t i = 0; schema.items && i < value.size(); ++i) {
      drop_unknown(value[i], *schema.items, schema.items->embedded, keeps || schema.items->preserve, element_at(path, i), removed);
    }
  }
  if (!value.is_object()) return;
  for (auto it = value.begin(); it != value.end();) {
    const std::string here = member_under(path, it.key());
    const SchemaNode* child = schema.property(it.key());
    if (!child) child = schema.additional.get();
    if (resource && is_object_field(it.key())) {
      ++it;
    } else if (child) {
      drop_unknown(*it, *child, child->embedded, child->preserve, here, removed);
      ++it;
    } else if (schema.any_additional && !keeps) {
      prune_all(*it, here, removed);
      ++it;
    } else if (keeps) {
      ++it;
    } else {
      removed.push_back(here);
      it = value.erase(it);
    }
  }
}

void drop_nulls(json& value, const SchemaNode& schema) {
  if (value.is_array() && schema.items) {
    for (json& item : value) drop_nulls(item, *schema.items);
  }
  if (!value.is_object()) return;
  for (auto it = value.begin(); it != value.end();) {
    const SchemaNode* child = schema.property(it.key());
    if (!child) child = schema.additional.get();
    if (child && it->is_null() && !child->nullable && !child->default_value) {
      it = value.erase(it);
      continue;
    }
    if (child) drop_nulls(*it, *child);
    ++it;
  }
}

base::Error misfit(const std::string& path, const json& value, const std::string& detail) {
  return base::Error(base::Code::kBadRequest, path + ": Invalid value: " + shown(value) + ": " + detail);
}

// Metadata of an object within another has the types and fields of any object's.
base::Status tidy_metadata(json& object, const std::string& path, Removed& removed) {
  const auto metadata = object.find("metadata");
  const Type* type = find_type(kObjectMeta);
  if (metadata == object.end() || !type) return {};
  const std::string here = member_under(path, "metadata");
  if (metadata->is_null()) *metadata = json::object();
  if (!metadata->is_object()) return misfit(here, *metadata, std::string("json: cannot unmarshal ") + metadata->type_name() + " into Go value of type v1.ObjectMeta");
  store::drop_nulls(*metadata, *type);
  if (auto status = check_types(*metadata, *type, "v1", "ObjectMeta"); !status.ok()) {
    const std::string& text = status.error().message;
    return misfit(here, *metadata, text.substr(std::min(text.find("json: "), text.size())));
  }
  for (const std::string& issue : prune_unknown(*metadata, *type)) {
    const size_t quote = issue.find('"');
    if (quote != std::string::npos) removed.push_back(here + "." + issue.substr(quote + 1, issue.size() - quote - 2));
  }
  // Go leaves empty ones out.
  for (auto it = metadata->begin(); it != metadata->end();) it = (it->is_structured() && it->empty()) || *it == "" ? metadata->erase(it) : std::next(it);
  return {};
}

base::Status tidy_embedded(json& value, const SchemaNode& schema, const std::string& path, Removed& removed) {
  if (value.is_array() && schema.items) {
    for (size_t i = 0; i < value.size(); ++i) TRY_STATUS(tidy_embedded(value[i], *schema.items, element_at(path, i), removed));
  }
  if (!value.is_object()) return {};
  if (schema.embedded) {
    for (const char* name : {"apiVersion", "kind"}) {
      const json* text = find_key(value, name);
      if (text && !text->is_string()) return misfit(member_under(path, name), *text, "must be a string");
    }
    TRY_STATUS(tidy_metadata(value, path, removed));
  }
  for (auto it = value.begin(); it != value.end(); ++it) {
    const SchemaNode* child = schema.property(it.key());
    if (!child) child = schema.additional.get();
    if (child) TRY_STATUS(tidy_embedded(*it, *child, member_under(path, it.key()), removed));
  }
  return {};
}

void fill(json& value, const SchemaNode& schema) {
  if (!schema.has_defaults) return;
  if (value.is_array() && schema.items) {
    for (json& element : value) {
      if (element.is_null() && !schema.items->nullable && schema.items->default_value) element = *schema.items->default_value;
      fill(element, *schema.items);
    }
    return;
  }
  if (!value.is_object()) return;
  for (const auto& [name, child] : schema.properties) {
    auto found = value.find(name);
    const bool absent = found == value.end() || (found->is_null() && !child->nullable);
    if (absent && child->default_value) {
      value[name] = *child->default_value;
      found = value.find(name);
    }
    if (found != value.end()) fill(*found, *child);
  }
  if (!schema.additional) return;
  for (auto it = value.begin(); it != value.end(); ++it) {
    if (schema.property(it.key())) continue;
    if (it->is_null() && !schema.additional->nullable && schema.additional->default_value) *it = *schema.additional->default_value;
    fill(*it, *schema.additional);
  }
}

void append(std::vector<std::string>& out, Removed paths) {
  std::sort(paths.begin(), paths.end());
  for (const std::string& path : paths) out.push_back(unknown(path));
}

}  // namespace

base::Result<std::vector<std::string>> prune_custom(json& tree, const CustomVersion& version) {
  const SchemaNode& schema = *version.schema;
  Removed removed, within;
  drop_unknown(tree, schema, true, schema.preserve, "", removed);
  drop_nulls(tree, schema);
  TRY_STATUS(tidy_embedded(tree, schema, "", within));
  std::vector<std::string> out;
  append(out, std::move(removed));
  append(out, std::move(within));
  return out;
}

void default_custom(json& tree, const CustomVersion& version) { fill(tree, *version.schema); }

void tidy_numbers(json& value) {
  constexpr double kExact = 9007199254740992.0;
  if (value.is_structured()) {
    for (json& child : value) tidy_numbers(child);
  } else if (value.is_number_float()) {
    const double number = value.get<double>();
    if (std::trunc(number) == number && std::fabs(number) < kExact) value = static_cast<int64_t>(number);
  }
}

std::vector<std::string> prune_value(json& value, const SchemaNode& schema) {
  Removed removed;
  drop_unknown(value, schema, schema.embedded, schema.preserve, "", removed);
  std::vector<std::string> out;
  append(out, std::move(removed));
  return out;
}

}  // namespace store
