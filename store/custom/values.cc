// Pruning and defaults of custom objects. What is wrong with them: value_rules.cc.
#include "store/custom/values.h"

#include <nlohmann/json.hpp>


namespace store {
namespace {

// Fields that every object has, at the root and in embedded resources.
bool is_object_field(const std::string& name) { return name == "apiVersion" || name == "kind" || name == "metadata"; }

void prune(json& value, const SchemaNode& schema, bool resource, const std::string& path, std::vector<std::string>& removed);

void prune_object(json& value, const SchemaNode& schema, bool resource, const std::string& path, std::vector<std::string>& removed) {
  for (auto it = value.begin(); it != value.end();) {
    const std::string here = path.empty() ? it.key() : path + "." + it.key();
    const SchemaNode* child = schema.property(it.key());
    if (!child) child = schema.additional.get();
    if (resource && is_object_field(it.key())) {
      ++it;
    } else if (child) {
      prune(*it, *child, child->embedded, here, removed);
      ++it;
    } else if (schema.keeps_unknown()) {
      ++it;
    } else {
      removed.push_back("unknown field \"" + here + "\"");
      it = value.erase(it);
    }
  }
}

void prune(json& value, const SchemaNode& schema, bool resource, const std::string& path, std::vector<std::string>& removed) {
  if (value.is_object()) {
    prune_object(value, schema, resource, path, removed);
  } else if (value.is_array() && schema.items) {
    for (size_t i = 0; i < value.size(); ++i) prune(value[i], *schema.items, schema.items->embedded, path + "[" + std::to_string(i) + "]", removed);
  }
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
    auto at = value.find(name);
    const bool absent = at == value.end() || (at->is_null() && !child->nullable);
    if (absent && child->default_value) {
      value[name] = *child->default_value;
      at = value.find(name);
    }
    if (at != value.end()) fill(*at, *child);
  }
  if (!schema.additional) return;
  for (json& element : value) {
    if (element.is_null() && !schema.additional->nullable && schema.additional->default_value) element = *schema.additional->default_value;
    fill(element, *schema.additional);
  }
}

}  // namespace

std::vector<std::string> prune_custom(json& tree, const CustomVersion& version) {
  std::vector<std::string> removed;
  prune(tree, *version.schema, true, "", removed);
  return removed;
}

void default_custom(json& tree, const CustomVersion& version) { fill(tree, *version.schema); }

std::vector<std::string> prune_value(json& value, const SchemaNode& schema) {
  std::vector<std::string> removed;
  prune(value, schema, schema.embedded, "", removed);
  return removed;
}

}  // namespace store
