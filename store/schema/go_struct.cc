#include "store/schema/go_struct.h"

#include <nlohmann/json.hpp>

#include "store/schema/validate.h"

namespace store {
namespace {

using nlohmann::json;

std::string field_text(const json& value, const GoField& field) {
  if (field.fields.empty()) return shown(value);
  if (!value.is_array()) return go_struct(value, field.fields);
  std::string out = "[";
  for (const json& element : value) out.append(out.size() > 1 ? "," : "").append(go_struct(element, field.fields));
  return out + "]";
}

}  // namespace

std::string go_struct(const json& value, std::span<const GoField> fields) {
  std::string out = "{";
  for (const GoField& field : fields) {
    out.append(out.size() > 1 ? "," : "").append("\"").append(field.name).append("\":");
    const auto at = value.is_object() ? value.find(field.key) : value.end();
    out.append(value.is_object() && at != value.end() && !at->is_null() ? field_text(*at, field) : field.zero);
  }
  return out + "}";
}

base::Cause cause_invalid_go(std::string field, const std::string& text, const std::string& detail) {
  return {"FieldValueInvalid", "Invalid value: " + text + ": " + detail, std::move(field)};
}

base::Cause cause_not_supported_go(std::string field, const std::string& text, std::span<const std::string_view> supported) {
  std::string message = "Unsupported value: " + text + ": supported values: ";
  for (size_t i = 0; i < supported.size(); ++i) message.append(i ? ", " : "").append("\"").append(supported[i]).append("\"");
  return {"FieldValueNotSupported", std::move(message), std::move(field)};
}

}  // namespace store
