// Value checks that the schema table can express: required, enums, ranges, immutability.
#include "store/schema/validate.h"

#include <nlohmann/json.hpp>

#include "store/schema/go_struct.h"
#include "store/schema/path.h"
#include "store/schema/schema.h"

namespace store {

void append(Causes& causes, Causes more) {
  for (base::Cause& cause : more) causes.push_back(std::move(cause));
}

std::string shown(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

base::Cause cause_required(std::string field, const std::string& detail) {
  return {"FieldValueRequired", detail.empty() ? "Required value" : "Required value: " + detail, std::move(field)};
}
base::Cause cause_invalid(std::string field, const json& value, const std::string& detail) {
  return {"FieldValueInvalid", "Invalid value: " + shown(value) + ": " + detail, std::move(field)};
}
base::Cause cause_duplicate(std::string field, const json& value) {
  return {"FieldValueDuplicate", "Duplicate value: " + shown(value), std::move(field)};
}
base::Cause cause_forbidden(std::string field, const std::string& detail) {
  return {"FieldValueForbidden", "Forbidden: " + detail, std::move(field)};
}
base::Cause cause_not_supported(std::string field, const json& value, std::span<const std::string_view> supported) {
  return cause_not_supported_go(std::move(field), shown(value), supported);
}

namespace {

bool is_empty(const json& value) {
  return value.is_null() || (value.is_number_integer() && value == 0) ||
         (value.is_string() && value.get_ref<const std::string&>().empty()) || (value.is_array() && value.empty());
}

void check_integer(const json& value, const Type& type, const Path& path, Causes& causes) {
  if (!value.is_number_integer()) return;
  // An unsigned value above int64's range is out of any range that the schema can name.
  const bool huge = value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
  const int64_t number = huge ? INT64_MAX : value.get<int64_t>();
  const bool low = type.has_min && number < type.min;
  const bool high = type.has_max && (huge || number > type.max);
  if (!low && !high) return;
  std::string detail;
  if (type.has_min && type.has_max)
    detail = "must be between " + std::to_string(type.min) + " and " + std::to_string(type.max) + ", inclusive";
  else if (low)
    detail = "must be greater than or equal to " + std::to_string(type.min);
  else
    detail = "must be less than or equal to " + std::to_string(type.max);
  causes.push_back(cause_invalid(path.text(), value, detail));
}

// `pointer`: upstream's field is one, and so "" is a value like any other.
void check_string(const json& value, const Type& type, const Path& path, bool pointer, Causes& causes) {
  if (!value.is_string()) return;
  const std::string& text = value.get_ref<const std::string&>();
  if (!type.one_of.empty() && (pointer || !text.empty())) {
    bool known = false;
    for (std::string_view allowed : type.one_of) known |= text == allowed;
    if (!known) causes.push_back(cause_not_supported(path.text(), value, type.one_of));
  }
  if (type.has_max && static_cast<int64_t>(text.size()) > type.max) {
    causes.push_back({"FieldValueTooLong", "Too long: may not be more than " + std::to_string(type.max) + " bytes", path.text()});
  }
}

void check(const json& value, const Type& type, const Path& path, bool pointer, Causes& causes);

void check_list(const json& value, const Type& type, const Path& path, Causes& causes) {
  if (!value.is_array()) return;
  const auto count = static_cast<int64_t>(value.size());
  if (type.has_max && count > type.max) {
    causes.push_back({"FieldValueTooMany",
                      "Too many: " + std::to_string(count) + ": must have at most " + std::to_string(type.max) + " items", path.text()});
    return;
  }
  for (size_t i = 0; i < value.size(); ++i) check(value[i], *type.element, path.at(i), false, causes);
}

void check(const json& value, const Type& type, const Path& path, bool pointer, Causes& causes) {
  switch (type.kind) {
    case TypeKind::kObject:
      if (!value.is_object()) return;
      for (const Field& field : type.fields) {
        const auto at = value.find(field.name);
        const Path here = path.field(field.name);
        if (field.nonempty && (at == value.end() || is_empty(*at)))
          causes.push_back(cause_required(here.text()));
        else if (at != value.end() && !field.hooked)
          check(*at, *field.type, here, field.pointer, causes);
      }
      return;
    case TypeKind::kMap:
      if (!value.is_object()) return;
      for (auto it = value.begin(); it != value.end(); ++it) check(it.value(), *type.element, path.key(it.key()), false, causes);
      return;
    case TypeKind::kList:
      return check_list(value, type, path, causes);
    case TypeKind::kInteger:
      return check_integer(value, type, path, causes);
    case TypeKind::kString:
      return check_string(value, type, path, pointer, causes);
    default:
      return;
  }
}

const json& member(const json& object, std::string_view name) {
  static const json kNull;
  if (!object.is_object()) return kNull;
  const auto at = object.find(name);
  return at == object.end() ? kNull : *at;
}

void check_immutable(const json& before, const json& after, const Type& type, const Path& path, Causes& causes) {
  if (type.kind != TypeKind::kObject) return;  // Elements of lists and maps have no identity to hold on to.
  for (const Field& field : type.fields) {
    const json& old_value = member(before, field.name);
    const json& new_value = member(after, field.name);
    if (field.immutable) {
      if (old_value != new_value) causes.push_back(cause_invalid(path.field(field.name).text(), new_value, "field is immutable"));
    } else if (old_value.is_object() && new_value.is_object()) {
      check_immutable(old_value, new_value, *field.type, path.field(field.name), causes);
    }
  }
}

}  // namespace

std::vector<base::Cause> validate_fields(const json& tree, const Type& type) {
  Causes causes;
  check(tree, type, Path{}, false, causes);
  return causes;
}

std::vector<base::Cause> validate_immutable(const json& old_tree, const json& new_tree, const Type& type) {
  Causes causes;
  check_immutable(old_tree, new_tree, type, Path{}, causes);
  return causes;
}

}  // namespace store
