#include "store/schema/defaults.h"

#include <charconv>
#include <nlohmann/json.hpp>

namespace store {
namespace {

// Upstream's types hold the zero value where a field is absent, unless they are pointers; there "" (and, where
// the schema says so, 0) is replaced by the default too.
bool reads_as_absent(const json& value, const Field& field) {
  if (value.is_null()) return true;
  if (field.default_zero && value.is_number()) return value == 0;
  return value.is_string() && value.get_ref<const std::string&>().empty() && field.type->kind == TypeKind::kString;
}

void defaults(json& tree, const Type& type);

void object_defaults(json::object_t& object, const Type& type) {
  for (const Field& field : type.fields) {
    const TypeKind kind = field.type->kind;
    const bool container = kind == TypeKind::kObject || kind == TypeKind::kMap || kind == TypeKind::kList || kind == TypeKind::kQuantity;
    if (field.default_json.empty() && !container) continue;
    const auto at = object.find(std::string(field.name));
    if (at == object.end()) {
      if (field.default_json.empty()) continue;
      json value = default_value(field);
      defaults(value, *field.type);
      object.emplace(field.name, std::move(value));
    } else {
      if (!field.default_json.empty() && reads_as_absent(at->second, field)) at->second = default_value(field);
      defaults(at->second, *field.type);
    }
  }
}

void defaults(json& tree, const Type& type) {
  switch (type.kind) {
    case TypeKind::kObject:
      if (tree.is_object()) object_defaults(tree.get_ref<json::object_t&>(), type);
      break;
    case TypeKind::kMap:
    case TypeKind::kList: {
      const TypeKind element = type.element->kind;
      const bool leaf =
          element != TypeKind::kObject && element != TypeKind::kMap && element != TypeKind::kList && element != TypeKind::kQuantity;
      if (leaf || !(tree.is_object() || tree.is_array())) break;
      for (json& value : tree) defaults(value, *type.element);
      break;
    }
    case TypeKind::kQuantity:
      if (tree.is_number()) tree = tree.dump();
      break;
    default:
      break;
  }
}

}  // namespace

json default_value(const Field& field) {
  const std::string_view text = field.default_json;
  if (text == "true") return true;
  if (text == "false") return false;
  if (text == "{}") return json::object();
  if (text == "[]") return json::array();
  // Strings of the schema files have nothing to unescape, as a rule; the parser is the exception.
  if (text.front() == '"' && text.find('\\') == std::string_view::npos) return std::string(text.substr(1, text.size() - 2));
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  json value = json::parse(text, nullptr, false);
  return value.is_discarded() ? json() : value;
}

void apply_defaults(json& tree, const Type& type) { defaults(tree, type); }

}  // namespace store
