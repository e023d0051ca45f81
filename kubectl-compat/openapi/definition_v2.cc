#include <algorithm>
#include <nlohmann/json.hpp>

#include "kubectl-compat/openapi/model.h"

namespace compat {
namespace {

bool flag(const json& schema, const char* name) {
  const auto found = schema.find(name);
  return found != schema.end() && found->is_boolean() && found->get<bool>();
}

// kubectl's validation (proto models) takes a schema with properties or items as closed, so where anything goes neither may stand.
void open_up(json& schema) {
  schema.erase("items");
  schema.erase("properties");
}

void convert(json& schema);

void convert_children(json& schema) {
  std::vector<std::string> nullable;
  if (const auto properties = schema.find("properties"); properties != schema.end() && properties->is_object()) {
    for (auto& [name, child] : properties->items()) {
      if (flag(child, "nullable")) nullable.push_back(name);
      convert(child);
    }
  }
  for (const char* part : {"items", "additionalProperties"}) {
    if (const auto child = schema.find(part); child != schema.end()) convert(*child);
  }
  const auto required = schema.find("required");
  if (nullable.empty() || required == schema.end() || !required->is_array()) return;
  json kept = json::array();
  for (const json& name : *required) {
    if (std::find(nullable.begin(), nullable.end(), name) == nullable.end()) kept.push_back(name);
  }
  if (kept.empty()) schema.erase(required);
  else *required = std::move(kept);
}

void convert(json& schema) {
  if (!schema.is_object()) return;
  for (const char* part : {"allOf", "anyOf", "oneOf", "not"}) schema.erase(part);
  const bool open = flag(schema, "x-kubernetes-preserve-unknown-fields");
  // Before nullable goes: a parent looks at it first.
  convert_children(schema);
  if (flag(schema, "nullable")) {
    schema.erase("type");
    schema.erase("nullable");
    open_up(schema);
  }
  if (open) open_up(schema);
  const json type = schema.value("type", json());
  if ((type == "array" && !schema.contains("items")) || (open && type == "object")) schema.erase("type");
}

}  // namespace

json definition_for_v2(json schema) {
  // A definition that takes any field at its top is told as an object of which nothing is known.
  if (!schema.is_object() || flag(schema, "x-kubernetes-preserve-unknown-fields")) return {{"type", "object"}};
  convert(schema);
  return schema;
}

}  // namespace compat
