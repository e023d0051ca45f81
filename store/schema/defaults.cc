#include "store/schema/defaults.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "store/schema/canonical.h"

namespace store {
namespace {

bool holds_values(TypeKind kind) { return kind == TypeKind::kObject || kind == TypeKind::kMap || kind == TypeKind::kList; }
bool has_forms(TypeKind kind) {
  return kind == TypeKind::kQuantity || kind == TypeKind::kTime || kind == TypeKind::kMicroTime || kind == TypeKind::kBytes;
}

// Upstream's types hold the zero value where a field is absent, unless they are pointers.
bool says_nothing(const json& value, const Field& field) {
  const TypeKind kind = field.type->kind;
  if (value.is_null()) return kind != TypeKind::kAny || !field.pointer;
  if (field.pointer) return false;
  switch (value.type()) {
    case json::value_t::string:
      return (kind == TypeKind::kString || kind == TypeKind::kBytes) && value.get_ref<const std::string&>().empty();
    case json::value_t::boolean:
      return kind == TypeKind::kBoolean && !value.get<bool>();
    case json::value_t::array:
      return kind == TypeKind::kList && value.empty();
    case json::value_t::object:
      return kind == TypeKind::kMap && value.empty();
    default:
      return (kind == TypeKind::kInteger || kind == TypeKind::kNumber) && value == 0;
  }
}

void complete(json& tree, const Type& type);

// Fields and members are both sorted by name.
void complete_object(json::object_t& object, const Type& type) {
  auto at = object.begin();
  for (const Field& field : type.fields) {
    while (at != object.end() && std::string_view(at->first) < field.name) ++at;
    const bool present = at != object.end() && at->first == field.name;
    if (present && !says_nothing(at->second, field)) {
      complete(at->second, *field.type);
      ++at;
      continue;
    }
    const bool defaulted = !field.default_json.empty();
    if (!defaulted && !field.always) {
      if (present) at = object.erase(at);
      continue;
    }
    json value = defaulted ? default_value(field) : zero_value(field);
    complete(value, *field.type);
    if (present) at->second = std::move(value);
    else at = object.emplace_hint(at, field.name, std::move(value));
    ++at;
  }
}

void complete(json& tree, const Type& type) {
  switch (type.kind) {
    case TypeKind::kObject:
      if (tree.is_object()) complete_object(tree.get_ref<json::object_t&>(), type);
      break;
    case TypeKind::kMap:
    case TypeKind::kList:
      if (!tree.is_structured() || !(holds_values(type.element->kind) || has_forms(type.element->kind))) break;
      for (json& value : tree) complete(value, *type.element);
      break;
    default:
      if (has_forms(type.kind)) canonicalise(tree, type.kind);
      break;
  }
}

}  // namespace

const json& zero_value(const Field& field) {
  static const json kNull, kObject = json::object(), kText = "", kZero = 0, kFalse = false, kQuantity = "0";
  if (field.pointer) return kNull;
  switch (field.type->kind) {
    case TypeKind::kObject:
      return kObject;
    case TypeKind::kString:
      return kText;
    case TypeKind::kInteger:
    case TypeKind::kNumber:
    case TypeKind::kIntOrString:
      return kZero;
    case TypeKind::kBoolean:
      return kFalse;
    case TypeKind::kQuantity:
      return kQuantity;
    default:
      return kNull;
  }
}

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

void apply_defaults(json& tree, const Type& type) { complete(tree, type); }

}  // namespace store
