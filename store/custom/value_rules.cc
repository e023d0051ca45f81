// What is wrong with a value by its schema, in the words of upstream's validator.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "store/custom/formats.h"
#include "store/custom/values.h"
#include "store/schema/validate.h"

namespace store {
namespace {

using Causes = std::vector<base::Cause>;

constexpr int kMaxDepth = 200;  // Of values; JSON bodies are not deeper.

const char* type_name(const json& value) {
  switch (value.type()) {
    case json::value_t::null: return "null";
    case json::value_t::object: return "object";
    case json::value_t::array: return "array";
    case json::value_t::string: return "string";
    case json::value_t::boolean: return "boolean";
    case json::value_t::number_float: return "number";
    default: return "integer";
  }
}

bool is_whole(const json& value) { return value.is_number_integer() || (value.is_number() && std::floor(value.get<double>()) == value.get<double>()); }

// Characters, not bytes.
int64_t length_of(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xc0) != 0x80; });
}

std::string number_text(double number) {
  if (std::floor(number) == number && std::fabs(number) < 1e15) return std::to_string(static_cast<int64_t>(number));
  return json(number).dump();
}

class Checker {
 public:
  explicit Checker(Causes& causes) : causes_(causes) {}

  void check(const json& value, const json* old, const SchemaNode& schema, const std::string& path, int depth = 0) {
    if (old && *old == value) return;
    if (depth > kMaxDepth) return invalid(path, value, "is nested too deeply");
    if (value.is_null() && schema.nullable) return;
    if (!check_type(value, schema, path)) return;
    check_enum(value, schema, path);
    if (value.is_string()) check_string(value, schema, path);
    else if (value.is_number()) check_number(value, schema, path);
    else if (value.is_array()) check_array(value, old, schema, path, depth);
    else if (value.is_object()) check_object(value, old, schema, path, depth);
    check_junctures(value, schema, path, depth);
  }

 private:
  void invalid(const std::string& path, const json& value, const std::string& detail) { causes_.push_back(cause_invalid(path, value, path + " in body " + detail)); }

  void wrong_type(const std::string& path, const std::string& shown_value, const std::string& wanted) {
    base::Cause cause = cause_invalid(path, shown_value, path + " in body must be of type " + wanted + ": " + json(shown_value).dump());
    cause.reason = "FieldValueTypeInvalid";
    causes_.push_back(std::move(cause));
  }

  bool check_type(const json& value, const SchemaNode& schema, const std::string& path) {
    if (schema.int_or_string) {
      if (value.is_string() || is_whole(value)) return true;
      wrong_type(path, type_name(value), "integer,string");
      return false;
    }
    if (schema.type.empty()) return true;
    const std::string_view type = type_name(value);
    const bool fits = type == schema.type || (schema.type == "number" && value.is_number()) || (schema.type == "integer" && is_whole(value));
    if (!fits) wrong_type(path, std::string(type), schema.type);
    return fits;
  }

  void check_enum(const json& value, const SchemaNode& schema, const std::string& path) {
    if (schema.one_of_values.empty()) return;
    if (std::find(schema.one_of_values.begin(), schema.one_of_values.end(), value) != schema.one_of_values.end()) return;
    std::vector<std::string> texts;
    for (const json& allowed : schema.one_of_values) texts.push_back(allowed.is_string() ? allowed.get<std::string>() : allowed.dump());
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    causes_.push_back(cause_not_supported(path, value, views));
  }

  void check_string(const json& value, const SchemaNode& schema, const std::string& path) {
    const std::string& text = value.get_ref<const std::string&>();
    if (schema.max_length && length_of(text) > *schema.max_length) {
      causes_.push_back({"FieldValueTooLong", "Too long: may not be more than " + std::to_string(*schema.max_length) + " bytes", path});
    }
    if (schema.min_length && length_of(text) < *schema.min_length) invalid(path, value, "should be at least " + std::to_string(*schema.min_length) + " chars long");
    if (schema.pattern && !schema.pattern->search(text)) invalid(path, value, "should match '" + schema.pattern_text + "'");
    if (!schema.format.empty() && !fits_format(schema.format, text)) wrong_type(path, text, schema.format);
  }

  void check_number(const json& value, const SchemaNode& schema, const std::string& path) {
    const double number = value.get<double>();
    if (schema.maximum && (schema.exclusive_maximum ? number >= *schema.maximum : number > *schema.maximum)) {
      invalid(path, value, std::string("should be less than ") + (schema.exclusive_maximum ? "" : "or equal to ") + number_text(*schema.maximum));
    }
    if (schema.minimum && (schema.exclusive_minimum ? number <= *schema.minimum : number < *schema.minimum)) {
      invalid(path, value, std::string("should be greater than ") + (schema.exclusive_minimum ? "" : "or equal to ") + number_text(*schema.minimum));
    }
    if (schema.multiple_of && *schema.multiple_of > 0) {
      const double quotient = number / *schema.multiple_of;
      if (std::fabs(quotient - std::round(quotient)) > 1e-9) invalid(path, value, "should be a multiple of " + number_text(*schema.multiple_of));
    }
    const bool too_large = schema.format == "int32" && (number > 2147483647.0 || number < -2147483648.0);
    if (too_large) invalid(path, value, "Checked value must be of type " + schema.type + " with format int32");
  }

  void too_many(const std::string& path, size_t count, int64_t limit) {
    causes_.push_back({"FieldValueTooMany", "Too many: " + std::to_string(count) + ": must have at most " + std::to_string(limit) + " items", path});
  }

  void check_array(const json& value, const json* old, const SchemaNode& schema, const std::string& path, int depth) {
    const auto count = static_cast<int64_t>(value.size());
    if (schema.max_items && count > *schema.max_items) too_many(path, value.size(), *schema.max_items);
    if (schema.min_items && count < *schema.min_items) invalid(path, count, "should have at least " + std::to_string(*schema.min_items) + " items");
    if (schema.list_type == "set" || schema.list_type == "map") check_unique(value, schema, path);
    if (!schema.items) return;
    for (size_t i = 0; i < value.size(); ++i) {
      check(value[i], old_item(old, value[i], schema), *schema.items, path + "[" + std::to_string(i) + "]", depth + 1);
    }
  }

  static json key_of(const json& item, const SchemaNode& schema) {
    if (schema.list_type != "map") return item;
    json key = json::object();
    for (const std::string& name : schema.list_keys) {
      if (item.is_object() && item.contains(name)) key[name] = item[name];
    }
    return key;
  }

  static const json* old_item(const json* old, const json& item, const SchemaNode& schema) {
    if (!old || !old->is_array() || schema.list_type != "map") return nullptr;
    const json key = key_of(item, schema);
    for (const json& other : *old) {
      if (key_of(other, schema) == key) return &other;
    }
    return nullptr;
  }

  void check_unique(const json& value, const SchemaNode& schema, const std::string& path) {
    std::set<json> seen;
    for (size_t i = 0; i < value.size(); ++i) {
      json key = key_of(value[i], schema);
      if (seen.insert(key).second) continue;
      causes_.push_back(cause_duplicate(path + "[" + std::to_string(i) + "]", key));
    }
  }

  void check_object(const json& value, const json* old, const SchemaNode& schema, const std::string& path, int depth) {
    const auto count = static_cast<int64_t>(value.size());
    if (schema.max_properties && count > *schema.max_properties) too_many(path, value.size(), *schema.max_properties);
    if (schema.min_properties && count < *schema.min_properties) invalid(path, count, "should have at least " + std::to_string(*schema.min_properties) + " properties");
    const std::string prefix = path.empty() ? "" : path + ".";
    for (const std::string& name : schema.required) {
      if (!value.contains(name)) causes_.push_back(cause_required(prefix + name));
    }
    if (schema.embedded) check_embedded(value, prefix);
    for (auto it = value.begin(); it != value.end(); ++it) {
      const SchemaNode* child = schema.property(it.key());
      if (!child) child = schema.additional.get();
      if (!child) continue;
      const json* before = nullptr;
      if (old && old->is_object()) {
        const auto at = old->find(it.key());
        if (at != old->end()) before = &*at;
      }
      check(*it, before, *child, prefix + it.key(), depth + 1);
    }
  }

  void check_embedded(const json& value, const std::string& prefix) {
    for (const char* name : {"apiVersion", "kind"}) {
      const auto at = value.find(name);
      if (at == value.end() || !at->is_string() || at->get_ref<const std::string&>().empty()) causes_.push_back(cause_required(prefix + name, "must not be empty"));
    }
  }

  Causes judged(const json& value, const SchemaNode& schema, const std::string& path, int depth) {
    Causes own;
    Checker(own).check(value, nullptr, schema, path, depth + 1);
    return own;
  }

  // Of several alternatives that all fail, the one that comes nearest is told of, too.
  void add_alternatives(const json& value, const std::vector<SchemaPtr>& parts, bool exactly_one, const std::string& path, int depth) {
    if (parts.empty()) return;
    size_t fitting = 0;
    Causes nearest;
    for (const SchemaPtr& part : parts) {
      Causes own = judged(value, *part, path, depth);
      if (own.empty()) ++fitting;
      else if (nearest.empty() || own.size() < nearest.size()) nearest = std::move(own);
    }
    if (fitting == 1 || (fitting > 1 && !exactly_one)) return;
    if (exactly_one) {
      whole(path, "must validate one and only one schema (oneOf). " + (fitting ? "Found " + std::to_string(fitting) + " valid alternatives" : std::string("Found none valid")));
    } else {
      whole(path, "must validate at least one schema (anyOf)");
    }
    if (fitting == 0) causes_.insert(causes_.end(), nearest.begin(), nearest.end());
  }

  void whole(const std::string& path, const std::string& what) { causes_.push_back(cause_invalid("<nil>", "", json(path).dump() + " " + what)); }

  void check_junctures(const json& value, const SchemaNode& schema, const std::string& path, int depth) {
    add_alternatives(value, schema.any_of, false, path, depth);
    add_alternatives(value, schema.one_of, true, path, depth);
    bool all = true;
    for (const SchemaPtr& part : schema.all_of) {
      Causes own = judged(value, *part, path, depth);
      all &= own.empty();
      causes_.insert(causes_.end(), own.begin(), own.end());
    }
    if (!all) whole(path, "must validate all the schemas (allOf)");
    if (schema.not_of && judged(value, *schema.not_of, path, depth).empty()) whole(path, "must not validate the schema (not)");
  }

  Causes& causes_;
};

}  // namespace

std::vector<base::Cause> validate_custom(const json& tree, const json* old, const CustomVersion& version) {
  Causes causes;
  Checker(causes).check(tree, old, *version.schema, "");
  return causes;
}

std::vector<base::Cause> validate_value(const json& value, const SchemaNode& schema, const std::string& path) {
  Causes causes;
  Checker(causes).check(value, nullptr, schema, path);
  return causes;
}

}  // namespace store
