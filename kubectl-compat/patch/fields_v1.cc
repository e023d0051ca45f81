#include "kubectl-compat/patch/fields_v1.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace compat {
namespace {

constexpr int kMaxFieldsDepth = 200;  // Far beyond any kind's depth; what clients send decides how deep the recursion goes.
constexpr size_t kMaxKeys = 8;

void append_json(std::string& out, const json& value) {
  if (value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    bool plain = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; });
    if (plain) {
      out += '"';
      out += text;
      out += '"';
      return;
    }
  }
  out += value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json encode(const PathSet& set) {
  json out = json::object();
  if (set.member && !set.children().empty()) out["."] = json::object();
  for (const PathSet::Child& child : set.children()) out.emplace(child.element, encode(child.set));
  return out;
}

bool is_element(std::string_view text) {
  return text.size() >= 2 && text[1] == ':' && (text[0] == 'f' || text[0] == 'k' || text[0] == 'v' || text[0] == 'i');
}

// Clients may spell a key or value with other blanks or another order than we do.
std::optional<std::string> canonical(const std::string& element) {
  if (!is_element(element)) return std::nullopt;
  if (element[0] != 'k' && element[0] != 'v') return element;
  json value = json::parse(std::string_view(element).substr(2), nullptr, false);
  if (value.is_discarded() || (element[0] == 'k' && !value.is_object())) return std::nullopt;
  return element.substr(0, 2) + value.dump(-1, ' ', false, json::error_handler_t::replace);
}

bool is_canonical_key(const std::string& element) {
  // The common case by far: one key, a string of plain characters. Parsing is ten times the price.
  constexpr std::string_view kHead = "k:{\"";
  if (!element.starts_with(kHead) || !element.ends_with("\"}")) return false;
  return std::count(element.begin(), element.end(), '"') == 4 && element.find_first_of("\\ \t\n") == std::string::npos;
}

bool decode(const json& fields, PathSet& out, int depth, bool& respelled) {
  if (!fields.is_object() || depth > kMaxFieldsDepth) return false;
  if (fields.empty()) out.member = true;
  for (auto it = fields.begin(); it != fields.end(); ++it) {
    if (it.key() == ".") {
      out.member = true;
      continue;
    }
    PathSet child;
    if (!decode(*it, child, depth + 1, respelled)) return false;
    bool plain = it.key().starts_with("f:") || is_canonical_key(it.key());
    auto element = plain ? it.key() : canonical(it.key());
    if (!element) return false;
    respelled = respelled || *element != it.key();
    out.attach(std::move(*element), std::move(child));
  }
  return true;
}

std::optional<std::string> key_element(const json& item, const store::Type& list) {
  if (!item.is_object() || list.list_keys.empty() || list.list_keys.size() > kMaxKeys) return std::nullopt;
  std::array<std::string_view, kMaxKeys> keys;
  auto end = std::copy(list.list_keys.begin(), list.list_keys.end(), keys.begin());
  std::sort(keys.begin(), end);
  std::string out = "k:{";
  for (auto key = keys.begin(); key != end; ++key) {
    auto value = item.find(*key);
    const store::Field* field = list.element == nullptr ? nullptr : list.element->find_field(*key);
    bool absent = value == item.end() || value->is_null();
    if (absent && (field == nullptr || field->default_json.empty())) return std::nullopt;
    if (!absent && value->is_structured()) return std::nullopt;
    if (key != keys.begin()) out += ',';
    out += '"';
    out += *key;
    out += "\":";
    if (absent) {
      out += field->default_json;
    } else {
      append_json(out, *value);
    }
  }
  return out + "}";
}

std::string render_scalar(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

json encode_fields(const PathSet& set) { return encode(set); }

std::optional<PathSet> decode_fields(const json& fields, bool* respelled) {
  PathSet out;
  bool changed = false;
  if (!decode(fields, out, 0, changed)) return std::nullopt;
  if (respelled != nullptr) *respelled = changed;
  out.member = false;  // The root is no path.
  return out;
}

std::string field_element(std::string_view name) {
  std::string out;
  out.reserve(name.size() + 2);
  out += "f:";
  out += name;
  return out;
}

std::optional<std::string> item_element(const json& item, const store::Type& list) {
  if (list.list_type == store::ListType::kMap) return key_element(item, list);
  if (list.list_type != store::ListType::kSet || item.is_structured()) return std::nullopt;
  std::string out = "v:";
  append_json(out, item);
  return out;
}

std::string render_element(std::string_view element) {
  if (element.size() < 2) return {};
  std::string_view text = element.substr(2);
  if (element[0] == 'f') return "." + std::string(text);
  if (element[0] == 'i') return "[" + std::string(text) + "]";
  if (element[0] == 'v') return "[=" + std::string(text) + "]";
  json key = json::parse(text, nullptr, false);
  std::string out = "[";
  for (auto it = key.begin(); key.is_object() && it != key.end(); ++it) {
    if (out.size() > 1) out += ',';
    out += it.key() + "=" + render_scalar(*it);
  }
  return out + "]";
}

std::string render_path(const std::vector<std::string_view>& path) {
  std::string out;
  for (std::string_view element : path) out += render_element(element);
  return out;
}

}  // namespace compat
