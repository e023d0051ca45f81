// Structural schemas: types are declared once, outside of allOf, anyOf, oneOf and not, which only judge what is declared.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/base/regex.h"
#include "store/custom/schema_rules.h"
#include "store/object/access.h"
#include "store/schema/validate.h"

namespace store {
namespace {

enum class Level { kRoot, kItem, kField };

std::string indexed(const std::string& path, const char* list, size_t i) { return path + "." + list + "[" + std::to_string(i) + "]"; }

// How int-or-string was said before it had a word of its own.
bool is_int_or_string(const json& any_of) {
  static const json kPattern = json::array({{{"type", "integer"}}, {{"type", "string"}}});
  return any_of == kPattern;
}

class Checker {
 public:
  Causes run(const json& schema, const std::string& path) {
    check(schema, Level::kRoot, path);
    complete(schema, &schema, path, path);
    std::stable_sort(causes_.begin(), causes_.end(), [](const base::Cause& a, const base::Cause& b) { return a.field + ": " + a.message < b.field + ": " + b.message; });
    return std::move(causes_);
  }

 private:
  void required(const std::string& field, const std::string& detail) { causes_.push_back(cause_required(field, detail)); }
  void invalid(const std::string& field, const json& value, const std::string& detail) { causes_.push_back(cause_invalid(field, value, detail)); }
  void forbid(const std::string& field, const std::string& detail) { causes_.push_back(cause_forbidden(field, detail)); }

  void check(const json& schema, Level level, const std::string& path) {
    const json* items = find_key(schema, "items");
    if (get_string(schema, "type") == "array" && !items) required(path + ".items", "must be specified");
    if (items) check(*items, Level::kItem, path + ".items");
    const json& properties = get_object(schema, "properties");
    for (auto it = properties.begin(); it != properties.end(); ++it) check(*it, Level::kField, keyed_path(path, "properties", it.key()));
    if (const json* additional = find_key(schema, "additionalProperties")) {
      if (level == Level::kRoot) forbid(path + ".additionalProperties", "must not be used at the root");
      if (additional->is_object()) check(*additional, Level::kField, path + ".additionalProperties");
    }
    check_extensions(schema, path);
    const json& all_of = get_array(schema, "allOf");
    check_junctures(schema, is_int_or_string(get_array(schema, "anyOf")), !all_of.empty() && is_int_or_string(get_array(all_of[0], "anyOf")), path);
    check_type(schema, level, path);
    check_metadata(schema, level, path);
  }

  void check_extensions(const json& schema, const std::string& path) {
    if (!get_bool(schema, "x-kubernetes-int-or-string")) return;
    for (const char* other : {"x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"}) {
      if (get_bool(schema, other)) invalid(path + "." + other, true, "must be false if x-kubernetes-int-or-string is true");
    }
  }

  void check_type(const json& schema, Level level, const std::string& path) {
    const std::string type = get_string(schema, "type"), field = path + ".type";
    const bool embedded = get_bool(schema, "x-kubernetes-embedded-resource"), preserve = get_bool(schema, "x-kubernetes-preserve-unknown-fields");
    if (embedded && type != "object") {
      if (type.empty()) required(field, "must be object if x-kubernetes-embedded-resource is true");
      else invalid(field, type, "must be object if x-kubernetes-embedded-resource is true");
    } else if (type.empty() && !get_bool(schema, "x-kubernetes-int-or-string") && !preserve) {
      required(field, level == Level::kRoot ? "must not be empty at the root" : level == Level::kItem ? "must not be empty for specified array items" : "must not be empty for specified object fields");
    }
    if (embedded && find_key(schema, "additionalProperties")) forbid(path + ".additionalProperties", "must not be used if x-kubernetes-embedded-resource is set");
    if (level == Level::kRoot && !type.empty() && type != "object") invalid(field, type, "must be object at the root");
    if (embedded && !preserve && get_object(schema, "properties").empty()) {
      required(path + ".properties", "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields");
    }
  }

  // What every object has is declared by itself: a schema may restrict its name, and no more.
  void check_metadata(const json& schema, Level level, const std::string& path) {
    const bool resource = level == Level::kRoot || get_bool(schema, "x-kubernetes-embedded-resource");
    const json& properties = get_object(schema, "properties");
    for (const char* name : {"kind", "apiVersion"}) {
      const json* own = find_key(properties, name);
      if (resource && own && get_string(*own, "type") != "string") invalid(keyed_path(path, "properties", name) + ".type", get_string(*own, "type"), "must be string");
    }
    const json* metadata = find_key(properties, "metadata");
    if (!metadata) return;
    const std::string here = keyed_path(path, "properties", "metadata");
    if (resource && get_string(*metadata, "type") != "object") invalid(here + ".type", get_string(*metadata, "type"), "must be object");
    if (level == Level::kRoot && !restricts_name_only(*metadata)) {
      forbid(here, "must not specify anything other than name and generateName, but metadata is implicitly specified");
    }
  }
  static bool restricts_name_only(const json& metadata) {
    for (auto it = metadata.begin(); metadata.is_object() && it != metadata.end(); ++it) {
      if (it.key() != "type" && it.key() != "default" && it.key() != "properties") return false;
    }
    const json& properties = get_object(metadata, "properties");
    return properties.size() == properties.count("name") + properties.count("generateName");
  }

  void check_junctures(const json& schema, bool skip_any_of, bool skip_first_all_of, const std::string& path) {
    const json &any_of = get_array(schema, "anyOf"), &all_of = get_array(schema, "allOf"), &one_of = get_array(schema, "oneOf");
    for (size_t i = 0; i < any_of.size() && !skip_any_of; ++i) check_nested(any_of[i], false, indexed(path, "anyOf", i));
    for (size_t i = 0; i < all_of.size(); ++i) check_nested(all_of[i], skip_first_all_of && i == 0, indexed(path, "allOf", i));
    for (size_t i = 0; i < one_of.size(); ++i) check_nested(one_of[i], false, indexed(path, "oneOf", i));
    if (const json* inverse = find_key(schema, "not")) check_nested(*inverse, false, path + ".not");
    const std::string pattern = get_string(schema, "pattern");
    if (pattern.empty()) return;
    auto compiled = base::Regex::compile(pattern);
    if (!compiled.ok()) invalid(path + ".pattern", pattern, "must be a valid regular expression, but isn't: " + compiled.error().message);
  }

  void check_nested(const json& schema, bool skip_any_of, const std::string& path) {
    check_junctures(schema, skip_any_of, false, path);
    if (const json* items = find_key(schema, "items")) check_nested(*items, false, path + ".items");
    const json& properties = get_object(schema, "properties");
    for (auto it = properties.begin(); it != properties.end(); ++it) check_nested(*it, false, keyed_path(path, "properties", it.key()));
    const json* additional = find_key(schema, "additionalProperties");
    if (additional && (additional->is_object() || *additional == true)) forbid(path + ".additionalProperties", "must be undefined to be structural");
    struct Row {
      const char* name;
      const char* must;
    };
    // Zeros were taken out before, so what is there says something.
    static constexpr Row kDeclarations[] = {{"type", "empty"}, {"default", "undefined"}, {"title", "empty"}, {"description", "empty"}, {"nullable", "false"},
                                            {"x-kubernetes-preserve-unknown-fields", "false"}, {"x-kubernetes-embedded-resource", "false"},
                                            {"x-kubernetes-int-or-string", "false"}, {"x-kubernetes-list-map-keys", "empty"}, {"x-kubernetes-list-type", "undefined"},
                                            {"x-kubernetes-map-type", "undefined"}, {"x-kubernetes-validations", "empty"}};
    for (const Row& row : kDeclarations) {
      if (find_key(schema, row.name)) forbid(path + "." + row.name, std::string("must be ") + row.must + " to be structural");
    }
    if (properties.contains("metadata")) forbid(keyed_path(path, "properties", "metadata"), "must not be specified in a nested context");
  }

  // Each value that a condition speaks of is declared outside of it. `judging`: the condition, at `there`; `declared` nullptr: nothing
  // is declared where it stands.
  void complete(const json& judging, const json* declared, const std::string& path, const std::string& there) {
    if (const json* inverse = find_key(judging, "not")) complete_nested(*inverse, declared, path, there + ".not");
    for (const char* list : {"allOf", "anyOf", "oneOf"}) {
      const json& parts = get_array(judging, list);
      for (size_t i = 0; i < parts.size(); ++i) complete_nested(parts[i], declared, path, indexed(there, list, i));
    }
  }
  void complete_nested(const json& judging, const json* declared, const std::string& path, const std::string& there) {
    if (!declared) return required(path, "because it is defined in " + there);
    complete(judging, declared, path, there);
    if (const json* items = find_key(judging, "items")) complete_nested(*items, find_key(*declared, "items"), path + ".items", there + ".items");
    const json &properties = get_object(judging, "properties"), &known = get_object(*declared, "properties");
    for (auto it = properties.begin(); it != properties.end(); ++it) {
      complete_nested(*it, find_key(known, it.key()), keyed_path(path, "properties", it.key()), keyed_path(there, "properties", it.key()));
    }
  }

  Causes causes_;
};

}  // namespace

std::vector<base::Cause> check_structure(const json& schema, const std::string& path) { return Checker().run(schema, path); }

}  // namespace store
