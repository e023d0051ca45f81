// Which paths a configuration sets, and whether it fits the schema.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "kubectl-compat/patch/fields_v1.h"
#include "kubectl-compat/patch/typed.h"

namespace compat {

using store::Type;
using store::TypeKind;

Shape shape_of(const Type* type, const json& value) {
  if (type == nullptr || type->kind == TypeKind::kAny) return value.is_object() ? Shape::kMapping : Shape::kLeaf;
  switch (type->kind) {
    case TypeKind::kObject: return type->atomic || !value.is_object() ? Shape::kLeaf : Shape::kStruct;
    case TypeKind::kMap: return type->atomic || !value.is_object() ? Shape::kLeaf : Shape::kMapping;
    case TypeKind::kList: return type->list_type == store::ListType::kAtomic || !value.is_array() ? Shape::kLeaf : Shape::kItems;
    default: return Shape::kLeaf;
  }
}

const Type* child_type(const Type* type, std::string_view name) {
  if (type == nullptr) return nullptr;
  if (type->kind == TypeKind::kMap) return type->element;
  const store::Field* field = type->kind == TypeKind::kObject ? type->find_field(name) : nullptr;
  return field == nullptr ? nullptr : field->type;
}

namespace {

std::string text_of(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

// What Go prints for the value's type.
const char* go_type(const json& value) {
  if (value.is_string()) return "string";
  if (value.is_boolean()) return "bool";
  if (value.is_object()) return "map[string]interface {}";
  return value.is_array() ? "[]interface {}" : "int64";
}

class Walker {
 public:
  explicit Walker(std::vector<std::string>& errors) : errors_(errors) {}

  PathSet walk(const json& value, const Type* type) {
    PathSet out;
    check(value, type);
    switch (shape_of(type, value)) {
      case Shape::kLeaf: out.member = true; break;
      case Shape::kItems: items(value, *type, out); break;
      case Shape::kStruct: fields(value, type, true, out); break;
      case Shape::kMapping: fields(value, type, false, out); break;
    }
    return out;
  }

 private:
  void error(const std::string& text) { errors_.push_back((path_.empty() ? "" : path_ + ": ") + text); }

  void check(const json& value, const Type* type) {
    if (type == nullptr || value.is_null()) return;
    std::string wrapped = "&value.valueUnstructured{Value:" + (value.is_primitive() ? text_of(value) : std::string(go_type(value)) + "{}") + "}";
    switch (type->kind) {
      case TypeKind::kObject:
      case TypeKind::kMap:
        if (!value.is_object()) error("expected map, got &{" + plain(value) + "}");
        break;
      case TypeKind::kList:
        if (!value.is_array()) error("expected list, got &{" + plain(value) + "}");
        break;
      case TypeKind::kInteger:
      case TypeKind::kNumber:
        if (!value.is_number()) error(std::string("expected numeric (int or float), got ") + go_type(value));
        break;
      case TypeKind::kBoolean:
        if (!value.is_boolean()) error("expected boolean, got &{" + plain(value) + "}");
        break;
      case TypeKind::kString:
      case TypeKind::kBytes:
        if (!value.is_string()) error("expected string, got " + wrapped);
        break;
      default: break;  // Untyped scalars
    }
  }

  static std::string plain(const json& value) { return value.is_string() ? value.get<std::string>() : text_of(value); }

  void fields(const json& value, const Type* type, bool declared, PathSet& out) {
    for (auto it = value.begin(); it != value.end(); ++it) {
      size_t mark = path_.size();
      path_ += "." + it.key();
      const Type* below = child_type(type, it.key());
      if (declared && !type->open && type->find_field(it.key()) == nullptr) {
        error("field not declared in schema");
      } else {
        PathSet child = walk(*it, below);
        // Keys of a mapping exist by themselves; a field only by what is in it, unless that is nothing.
        if (!declared || it->is_null() || (it->is_object() && it->empty())) child.member = true;
        out.attach(field_element(it.key()), std::move(child));
      }
      path_.resize(mark);
    }
  }

  void items(const json& value, const Type& type, PathSet& out) {
    std::unordered_set<std::string> seen;
    for (size_t i = 0; i < value.size(); ++i) {
      auto element = item_element(value[i], type);
      if (!element) {
        missing_key(value[i], type, i);
        continue;
      }
      if (!seen.insert(*element).second) {
        error("duplicate entries for key " + render_element(*element));
        continue;
      }
      size_t mark = path_.size();
      path_ += render_element(*element);
      PathSet child = walk(value[i], type.element);
      child.member = true;
      path_.resize(mark);
      out.attach(std::move(*element), std::move(child));
    }
  }

  void missing_key(const json& item, const Type& type, size_t index) {
    std::string where = "element " + std::to_string(index) + ": associative list with keys ";
    if (type.list_type != store::ListType::kMap || !item.is_object()) {
      bool set = type.list_type == store::ListType::kSet;
      error(set ? "element " + std::to_string(index) + ": sets must contain only scalars" : where + "may not have non-map elements");
      return;
    }
    for (std::string_view key : type.list_keys) {
      auto it = item.find(key);
      if (it != item.end() && it->is_primitive() && !it->is_null()) continue;
      const store::Field* field = type.element == nullptr ? nullptr : type.element->find_field(key);
      if (it == item.end() && field != nullptr && !field->default_json.empty()) continue;
      error(where + "has an element that omits key field \"" + std::string(key) + "\" (and doesn't have default value)");
      return;
    }
  }

  std::vector<std::string>& errors_;
  std::string path_;
};

}  // namespace

PathSet field_set(const json& tree, const Type& type, std::vector<std::string>& errors) { return Walker(errors).walk(tree, &type); }

}  // namespace compat
