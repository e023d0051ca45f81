// store/object/access.h - reading and writing JSON trees without surprises: no exception, no silent insert
// on read. A path is dotted ("spec.template.metadata"); keys that hold dots are reached with find_key().
// Pure; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace store {

using json = nlohmann::json;

const json* find(const json& tree, std::string_view path);             // nullptr: absent (or a non-object on the way).
const json* find_key(const json& object, std::string_view key);        // One level, key taken literally.
// Absent, null or of another type: the fallback.
std::string get_string(const json& tree, std::string_view path, std::string_view fallback = "");
int64_t get_int(const json& tree, std::string_view path, int64_t fallback = 0);
bool get_bool(const json& tree, std::string_view path, bool fallback = false);
const json& get_array(const json& tree, std::string_view path);        // Empty array when absent.
const json& get_object(const json& tree, std::string_view path);       // Empty object when absent.
// Of metadata; nullptr when the object has none of that name, or one that is no text.
const std::string* find_label(const json& tree, std::string_view name);
const std::string* find_annotation(const json& tree, std::string_view name);
std::map<std::string, std::string> get_string_map(const json& tree, std::string_view path);

json& ensure(json& tree, std::string_view path);                       // Makes objects on the way; null at the end if new.
void set(json& tree, std::string_view path, json value);
void erase(json& tree, std::string_view path);                         // No-op when absent.

}  // namespace store
