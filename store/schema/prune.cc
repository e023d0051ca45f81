// Operations that take things out of a tree: unknown fields and nulls; and the list of fields that are only stored.
#include <nlohmann/json.hpp>

#include "store/schema/defaults.h"
#include "store/schema/path.h"
#include "store/schema/schema.h"

namespace store {
namespace {

void prune(json& tree, const Type& type, const Path& path, std::vector<std::string>& removed) {
  if (type.kind == TypeKind::kObject && tree.is_object()) {
    for (auto it = tree.begin(); it != tree.end();) {
      const Field* field = type.find_field(it.key());
      const Path here = path.field(it.key());
      if (!field && type.open) {
        ++it;
        continue;
      }
      if (!field) {
        removed.push_back("unknown field \"" + here.strict_text() + "\"");
        it = tree.erase(it);
        continue;
      }
      prune(it.value(), *field->type, here, removed);
      ++it;
    }
  } else if (type.kind == TypeKind::kMap && tree.is_object()) {
    for (auto it = tree.begin(); it != tree.end(); ++it) prune(it.value(), *type.element, path.key(it.key()), removed);
  } else if (type.kind == TypeKind::kList && tree.is_array()) {
    for (size_t i = 0; i < tree.size(); ++i) prune(tree[i], *type.element, path.at(i), removed);
  }
}

// What Go's decoder leaves in a slice or map element that was null.
json zero_value(const Type& type) {
  switch (type.kind) {
    case TypeKind::kObject:
    case TypeKind::kMap:
      return json::object();
    case TypeKind::kList:
      return json::array();
    case TypeKind::kString:
    case TypeKind::kBytes:
      return "";
    case TypeKind::kInteger:
    case TypeKind::kNumber:
    case TypeKind::kIntOrString:
      return 0;
    case TypeKind::kBoolean:
      return false;
    case TypeKind::kQuantity:
      return "0";
    case TypeKind::kTime:
    case TypeKind::kMicroTime:
    case TypeKind::kAny:
      return nullptr;
  }
  return nullptr;
}

bool says_nothing(const json& value) {
  if (value.is_null()) return true;
  if (value.is_boolean()) return !value.get<bool>();
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  if (value.is_number()) return value == 0;
  return value.empty();
}

void stored_only(const json& tree, const Type& type, const Path& path, std::vector<std::string>& out) {
  if (type.kind == TypeKind::kObject && tree.is_object()) {
    for (auto it = tree.begin(); it != tree.end(); ++it) {
      const Field* field = type.find_field(it.key());
      if (!field) continue;
      const Path here = path.field(it.key());
      if (!field->stored_only) {
        stored_only(it.value(), *field->type, here, out);
      } else if (!says_nothing(it.value()) && (field->default_json.empty() || it.value() != default_value(*field))) {
        out.push_back(here.text());
      }
    }
  } else if (type.kind == TypeKind::kMap && tree.is_object()) {
    for (auto it = tree.begin(); it != tree.end(); ++it) stored_only(it.value(), *type.element, path.key(it.key()), out);
  } else if (type.kind == TypeKind::kList && tree.is_array()) {
    for (size_t i = 0; i < tree.size(); ++i) stored_only(tree[i], *type.element, path.at(i), out);
  }
}

}  // namespace

std::vector<std::string> prune_unknown(json& tree, const Type& type) {
  std::vector<std::string> removed;
  prune(tree, type, Path{}, removed);
  return removed;
}

void drop_nulls(json& tree, const Type& type) {
  if (type.kind == TypeKind::kObject && tree.is_object()) {
    for (auto it = tree.begin(); it != tree.end();) {
      const Field* field = type.find_field(it.key());
      if (field && field->type->kind != TypeKind::kAny && it.value().is_null()) {
        it = tree.erase(it);
        continue;
      }
      if (field) drop_nulls(it.value(), *field->type);
      ++it;
    }
  } else if ((type.kind == TypeKind::kMap && tree.is_object()) || (type.kind == TypeKind::kList && tree.is_array())) {
    for (json& element : tree) {
      if (element.is_null())
        element = zero_value(*type.element);
      else
        drop_nulls(element, *type.element);
    }
  }
}

std::vector<std::string> stored_only_fields(const json& tree, const Type& type) {
  std::vector<std::string> out;
  stored_only(tree, type, Path{}, out);
  return out;
}

}  // namespace store
