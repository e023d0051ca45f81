// Tables and metadata as text: what a list of many objects is written with, without a tree of all of it.
#include <nlohmann/json.hpp>

#include "kubectl-compat/table/columns.h"
#include "kubectl-compat/table/table.h"

namespace compat {
namespace {

// Behind the string that starts at `at`.
size_t skip_string(std::string_view text, size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at) {
    if (text[at] == '\\') ++at;
  }
  return at + 1;
}

// Behind the value that starts at `at`.
size_t skip_value(std::string_view text, size_t at) {
  for (int depth = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
      if (depth == 0) return at;
      continue;
    }
    if (depth == 0 && (c == ',' || c == '}')) return at;
    if (c == '{' || c == '[') ++depth;
    ++at;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  return at;
}

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::string_view member_text(std::string_view object, std::string_view name) {
  for (size_t at = 1; at < object.size() && object[at] == '"';) {
    const size_t key_end = skip_string(object, at), value_end = skip_value(object, std::min(key_end + 1, object.size()));
    if (key_end >= object.size()) return {};
    if (object.substr(at + 1, key_end - at - 2) == name) return object.substr(key_end + 1, value_end - key_end - 1);
    at = value_end + 1;
  }
  return {};
}

std::string partial_metadata_text(const store::Object& object, std::string_view version) {
  const std::string_view metadata = member_text(object.bytes(), "metadata");
  std::string out = "{\"kind\":\"PartialObjectMetadata\",\"apiVersion\":\"meta.k8s.io/";
  out.append(version).append("\",\"metadata\":").append(metadata.empty() ? "{}" : metadata).append("}");
  return out;
}

TableText::TableText(const store::Resource& resource, const TableOptions& options) : columns_(std::make_unique<Columns>(resource)), options_(options) {}
TableText::TableText(TableText&&) noexcept = default;
TableText::~TableText() = default;

std::string TableText::head(const json& list_meta) const {
  return "{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/" + options_.version + "\",\"metadata\":" + dump(list_meta) +
         ",\"columnDefinitions\":" + (options_.headers ? dump(columns_->headers()) : "null") + ",\"rows\":[";
}

std::string TableText::row(const store::Object& item) const {
  std::string out = "{\"cells\":" + dump(columns_->cells(item, options_.now));
  if (json conditions = columns_->conditions(item); !conditions.is_null()) out += ",\"conditions\":" + dump(conditions);
  out += ",\"object\":";
  switch (options_.include) {
    case IncludeObject::kMetadata: out += partial_metadata_text(item, options_.version); break;
    case IncludeObject::kObject: out += item.bytes(); break;
    case IncludeObject::kNone: out += "null"; break;
  }
  return out + "}";
}

}  // namespace compat
