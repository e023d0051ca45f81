#include "store/object/access.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace store {
namespace {

// Takes the first step off a dotted path.
std::string_view next_step(std::string_view& path) {
  size_t dot = path.find('.');
  std::string_view step = path.substr(0, dot);
  path = dot == std::string_view::npos ? std::string_view() : path.substr(dot + 1);
  return step;
}

}  // namespace

const json* find_key(const json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  auto it = object.find(key);
  return it == object.end() ? nullptr : &*it;
}

const json* find(const json& tree, std::string_view path) {
  const json* at = &tree;
  while (at != nullptr && !path.empty()) at = find_key(*at, next_step(path));
  return at;
}

std::string get_string(const json& tree, std::string_view path, std::string_view fallback) {
  const json* value = find(tree, path);
  return value != nullptr && value->is_string() ? value->get_ref<const std::string&>() : std::string(fallback);
}

int64_t get_int(const json& tree, std::string_view path, int64_t fallback) {
  const json* value = find(tree, path);
  if (value == nullptr || !value->is_number_integer()) return fallback;
  if (value->is_number_unsigned() && value->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return fallback;
  return value->get<int64_t>();
}

bool get_bool(const json& tree, std::string_view path, bool fallback) {
  const json* value = find(tree, path);
  return value != nullptr && value->is_boolean() ? value->get<bool>() : fallback;
}

const json& get_array(const json& tree, std::string_view path) {
  static const json kEmpty = json::array();
  const json* value = find(tree, path);
  return value != nullptr && value->is_array() ? *value : kEmpty;
}

const json& get_object(const json& tree, std::string_view path) {
  static const json kEmpty = json::object();
  const json* value = find(tree, path);
  return value != nullptr && value->is_object() ? *value : kEmpty;
}

namespace {

const std::string* find_text(const json& tree, std::string_view map, std::string_view name) {
  const json* value = find_key(get_object(tree, map), name);
  return value != nullptr ? value->get_ptr<const std::string*>() : nullptr;
}

}  // namespace

const std::string* find_label(const json& tree, std::string_view name) { return find_text(tree, "metadata.labels", name); }
const std::string* find_annotation(const json& tree, std::string_view name) { return find_text(tree, "metadata.annotations", name); }

std::map<std::string, std::string> get_string_map(const json& tree, std::string_view path) {
  std::map<std::string, std::string> out;
  for (const auto& [key, value] : get_object(tree, path).items()) {
    if (value.is_string()) out.emplace(key, value.get_ref<const std::string&>());
  }
  return out;
}

json& ensure(json& tree, std::string_view path) {
  json* at = &tree;
  while (!path.empty()) {
    // A scalar on the way would make operator[] throw; it gives way to what the caller is building.
    if (!at->is_object()) *at = json::object();
    at = &(*at)[std::string(next_step(path))];
  }
  return *at;
}

void set(json& tree, std::string_view path, json value) { ensure(tree, path) = std::move(value); }

void erase(json& tree, std::string_view path) {
  json* at = &tree;
  for (;;) {
    std::string_view step = next_step(path);
    if (!at->is_object()) return;
    auto it = at->find(step);
    if (it == at->end()) return;
    if (path.empty()) {
      at->erase(it);
      return;
    }
    at = &*it;
  }
}

}  // namespace store
