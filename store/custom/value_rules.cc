// What is wrong with a value by its schema, in the words and the order of upstream's validator.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "store/custom/formats.h"
#include "store/custom/values.h"
#include "store/schema/validate.h"

namespace store {
namespace {

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

// A number without a fraction; up to 2^53, and some noise is forgiven.
bool is_whole(double number) {
  if (!(std::fabs(number) <= 9007199254740991.0)) return false;
  const double whole = std::trunc(number), off = std::fabs(number - whole);
  return off == 0 || (number != 0 && whole != 0 && off / (std::fabs(number) + std::fabs(whole)) < 1e-9);
}

// Characters, not bytes.
int64_t length_of(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xc0) != 0x80; });
}

// What fmt's %v shows: the shortest text that is the number again, with an exponent from a million on.
std::string number_text(double number) {
  char text[400];
  const double size = std::fabs(number);
  const auto form = size != 0 && (size < 1e-4 || size >= 1e6) ? std::chars_format::scientific : std::chars_format::fixed;
  return std::string(text, std::to_chars(text, std::end(text), number, form).ptr);
}

// Of two values that convert into each other, the first as a value of the second's type is the second.
bool same_value(const json& value, const json& allowed) {
  if (value.is_number_float() && allowed.is_number_integer()) return std::trunc(value.get<double>()) == static_cast<double>(allowed.get<int64_t>());
  return value == allowed;  // Numbers compare by value, whatever they are written as.
}

// What was found, and how many checks a value passed: of alternatives that fail, the one that passed most is told of.
struct Outcome {
  Causes causes;
  int passed = 0;

  // The same thing found twice is told once.
  void add(base::Cause cause) {
    const bool known = std::any_of(causes.begin(), causes.end(), [&](const base::Cause& c) { return c.field == cause.field && c.message == cause.message; });
    if (!known) causes.push_back(std::move(cause));
  }
  void merge(Outcome other) {
    for (base::Cause& cause : other.causes) add(std::move(cause));
    passed += other.passed;
  }
  bool valid() const { return causes.empty(); }
};

class Checker {
 public:
  // `base`: the field of the value, in front of all fields in causes; texts name places without it.
  // `bare`: a default in a definition, which is judged by the schema as it is written.
  Checker(std::string base, bool bare) : base_(std::move(base)), bare_(bare) {}

  // `old`: what stands at this place already, or nullptr; causes that it has, too, are not told.
  Outcome check(const json& value, const json* old, const SchemaNode& schema, const std::string& name, int depth) const {
    Outcome out = judge(value, old, schema, name, depth);
    if (!out.valid() && old && *old == value) out.causes.clear();
    return out;
  }

 private:
  std::string field(const std::string& name) const {
    const std::string own = name.starts_with(".") ? name.substr(1) : name;
    if (own.empty()) return base_.empty() ? "<nil>" : base_;
    return base_.empty() ? own : base_ + "." + own;
  }
  void invalid(Outcome& out, const std::string& name, const json& value, const std::string& detail) const {
    base::Cause cause = cause_invalid(field(name), value, name + " in body " + detail);
    if (value.is_number_float()) cause.message = "Invalid value: " + number_text(value.get<double>()) + ": " + name + " in body " + detail;
    out.add(std::move(cause));
  }
  // Without a value, at the root.
  void note(Outcome& out, const std::string& what) const { out.add(cause_invalid(field(""), "", what)); }

  void wrong_type(Outcome& out, const std::string& name, const std::string& shown_value, const std::string& wanted) const {
    base::Cause cause = cause_invalid(field(name), shown_value, name + " in body must be of type " + wanted + ": " + json(shown_value).dump(-1, ' ', false, json::error_handler_t::replace));
    cause.reason = "FieldValueTypeInvalid";
    out.add(std::move(cause));
  }

  bool either(const SchemaNode& schema) const { return schema.int_or_string && !bare_; }
  std::string types_text(const SchemaNode& schema) const { return either(schema) ? "integer,string" : schema.type; }
  bool has_type(const SchemaNode& schema, std::string_view type) const { return either(schema) ? type == "integer" || type == "string" : schema.type == type; }
  const std::string& format_of(const SchemaNode& schema) const { return bare_ ? schema.format : schema.known_format; }

  Outcome judge(const json& value, const json* old, const SchemaNode& schema, const std::string& name, int depth) const {
    Outcome out;
    if (depth > kMaxDepth) return note(out, "nested too deeply"), out;
    const bool typed = !types_text(schema).empty();
    if (value.is_null()) {
      if (typed && !schema.nullable) wrong_type(out, name, "null", types_text(schema));
      else ++out.passed;
      check_enum(out, value, schema, name);
      return out;
    }
    auto run = [&out](Outcome part) {
      out.merge(std::move(part));
      ++out.passed;
    };
    if (typed || !format_of(schema).empty()) run(check_type(value, schema, name));
    run(check_junctures(value, old, schema, name, depth));
    if (value.is_string()) {
      run(check_string(value, schema, name));
      run(check_format(value, schema, name));
    }
    if (value.is_number()) run(check_number(value, schema, name));
    if (value.is_array()) run(check_array(value, old, schema, name, depth));
    Outcome listed;
    check_enum(listed, value, schema, name);
    run(std::move(listed));
    if (value.is_object()) run(check_object(value, old, schema, name, depth));
    ++out.passed;
    return out;
  }

  Outcome check_type(const json& value, const SchemaNode& schema, const std::string& name) const {
    Outcome out;
    const std::string_view type = type_name(value);
    const bool number = has_type(schema, "number"), integer = has_type(schema, "integer");
    const bool fits = has_type(schema, type) || (type == "integer" && number) || (type == "number" && integer && is_whole(value.get<double>()));
    const bool text_or_list = value.is_string() || value.is_array();
    const std::string& format = format_of(schema);
    if (!fits && !format.empty() && !text_or_list) {
      wrong_type(out, name, type == "integer" ? "int64" : type == "number" ? "float64" : "", format);
    } else if (!fits && (format.empty() || number || integer || !text_or_list)) {
      wrong_type(out, name, std::string(type), types_text(schema));
    } else {
      ++out.passed;  // Upstream's validator leaves lists to the format, which is for texts.
    }
    return out;
  }

  void check_enum(Outcome& out, const json& value, const SchemaNode& schema, const std::string& name) const {
    const auto fits = [&](const json& allowed) { return !allowed.is_null() && same_value(value, allowed); };
    if (schema.one_of_values.empty() || std::any_of(schema.one_of_values.begin(), schema.one_of_values.end(), fits)) return;
    std::vector<std::string> texts;
    for (const json& allowed : schema.one_of_values) texts.push_back(allowed.is_string() ? allowed.get<std::string>() : shown(allowed));
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    out.add(cause_not_supported(field(name), value, views));
  }

  // Go's $ is the end of the text, and not also the place before a newline there.
  static bool ends_alike(const base::Regex& pattern, const std::string& text) {
    const bool anchored = pattern.pattern().ends_with("$") && !pattern.pattern().ends_with("\\n$");
    return !anchored || !text.ends_with("\n") || pattern.search(text + "\x01");
  }

  // The first thing that is wrong.
  Outcome check_string(const json& value, const SchemaNode& schema, const std::string& name) const {
    Outcome out;
    const std::string& text = value.get_ref<const std::string&>();
    if (schema.max_length && length_of(text) > *schema.max_length) {
      out.add({"FieldValueTooLong", "Too long: may not be more than " + std::to_string(*schema.max_length) + " bytes", field(name)});
    } else if (schema.min_length && length_of(text) < *schema.min_length) {
      invalid(out, name, value, "should be at least " + std::to_string(*schema.min_length) + " chars long");
    } else if (schema.pattern && !(schema.pattern->search(text) && ends_alike(*schema.pattern, text))) {
      invalid(out, name, value, "should match '" + schema.pattern_text + "'");
    }
    return out;
  }
  Outcome check_format(const json& value, const SchemaNode& schema, const std::string& name) const {
    Outcome out;
    const std::string& text = value.get_ref<const std::string&>();
    if (!schema.known_format.empty() && !fits_format(schema.known_format, text)) wrong_type(out, name, text, schema.known_format);
    return out;
  }

  // A bound is cut to a whole number for whole numbers.
  static std::string bound_text(const json& value, double bound) { return value.is_number_integer() ? std::to_string(static_cast<int64_t>(bound)) : number_text(bound); }
  static bool beyond(const json& value, double bound, bool exclusive, bool above) {
    if (value.is_number_integer()) {
      const int64_t number = value.get<int64_t>(), limit = static_cast<int64_t>(bound);
      return (above ? number > limit : number < limit) || (exclusive && number == limit);
    }
    const double number = value.get<double>();
    return (above ? number > bound : number < bound) || (exclusive && number == bound);
  }
  static bool is_multiple(const json& value, double factor) {
    if (value.is_number_integer()) return value.get<int64_t>() % static_cast<int64_t>(factor) == 0;
    const double number = value.get<double>();
    return is_whole(factor < 1 ? 1 / factor * number : number / factor);
  }

  // A bound with a fraction is none for whole numbers, which makes every value wrong.
  void check_bound(Outcome& out, const SchemaNode& schema, double bound, const char* what, const std::string& name) const {
    if (either(schema) || schema.type != "integer" || std::trunc(bound) == bound) return;
    const bool sized = schema.format == "int32" || schema.format == "int64";
    note(out, std::string(what) + " value must be of type integer " + (sized ? "with format " + schema.format : "(default format)") + " in " + name);
  }

  Outcome check_number(const json& value, const SchemaNode& schema, const std::string& name) const {
    Outcome out;
    check_range(out, value, schema, name);
    if (schema.multiple_of) check_bound(out, schema, *schema.multiple_of, "MultipleOf", name);
    if (schema.multiple_of) {
      const double factor = *schema.multiple_of;
      const bool positive = value.is_number_integer() ? static_cast<int64_t>(factor) > 0 : factor > 0;
      if (!positive) out.add(cause_invalid(field(name), value.is_number_integer() ? json(static_cast<int64_t>(factor)) : json(factor), "factor MultipleOf declared for " + name + " must be positive: " + bound_text(value, factor)));
      else if (!is_multiple(value, factor)) invalid(out, name, value, "should be a multiple of " + bound_text(value, factor));
    }
    if (schema.minimum) check_bound(out, schema, *schema.minimum, "Minimum boundary", name);
    if (schema.minimum && beyond(value, *schema.minimum, schema.exclusive_minimum, false)) {
      invalid(out, name, value, std::string("should be greater than ") + (schema.exclusive_minimum ? "" : "or equal to ") + bound_text(value, *schema.minimum));
    }
    if (schema.maximum) check_bound(out, schema, *schema.maximum, "Maximum boundary", name);
    if (schema.maximum && beyond(value, *schema.maximum, schema.exclusive_maximum, true)) {
      invalid(out, name, value, std::string("should be less than ") + (schema.exclusive_maximum ? "" : "or equal to ") + bound_text(value, *schema.maximum));
    }
    ++out.passed;
    return out;
  }

  void check_range(Outcome& out, const json& value, const SchemaNode& schema, const std::string& name) const {
    if (either(schema)) return;
    const double number = value.get<double>();
    const std::string format = is_known_format(schema.type, schema.format) && schema.type != "string" ? schema.format : "";
    bool fits = true;
    if (schema.type == "integer" && format == "int32") fits = std::trunc(number) == number && number <= 2147483647.0 && number >= -2147483648.0;
    else if (schema.type == "integer") fits = value.is_number_integer() || (std::trunc(number) == number && std::fabs(number) < 9.3e18);
    else if (format == "float") fits = std::fabs(number) <= 3.4028235677973366e38;
    if (!fits) note(out, "Checked value must be of type " + schema.type + (format.empty() ? " (default format)" : " with format " + format) + " in " + name);
  }

  void too_many(Outcome& out, const std::string& name, size_t count, int64_t limit) const {
    out.add({"FieldValueTooMany", "Too many: " + std::to_string(count) + ": must have at most " + std::to_string(limit) + " items", field(name)});
  }

  Outcome check_array(const json& value, const json* old, const SchemaNode& schema, const std::string& name, int depth) const {
    Outcome out;
    for (size_t i = 0; schema.items && i < value.size(); ++i) {
      out.merge(check(value[i], old_item(old, value[i], schema), *schema.items, name + "[" + std::to_string(i) + "]", depth + 1));
    }
    const auto count = static_cast<int64_t>(value.size());
    if (schema.min_items && count < *schema.min_items) invalid(out, name, count, "should have at least " + std::to_string(*schema.min_items) + " items");
    if (schema.max_items && count > *schema.max_items) too_many(out, name, value.size(), *schema.max_items);
    ++out.passed;
    return out;
  }

  // Only items with keys are known again.
  static const json* old_item(const json* old, const json& item, const SchemaNode& schema) {
    if (!old || !old->is_array() || schema.list_type != "map" || !item.is_object()) return nullptr;
    for (const json& other : *old) {
      const bool same = other.is_object() && std::all_of(schema.list_keys.begin(), schema.list_keys.end(), [&](const std::string& key) {
        const auto a = item.find(key), b = other.find(key);
        return a == item.end() ? b == other.end() : b != other.end() && *a == *b;
      });
      if (same) return &other;
    }
    return nullptr;
  }

  Outcome check_object(const json& value, const json* old, const SchemaNode& schema, const std::string& name, int depth) const {
    Outcome out;
    const auto count = static_cast<int64_t>(value.size());
    if (schema.min_properties && count < *schema.min_properties) invalid(out, name, count, "should have at least " + std::to_string(*schema.min_properties) + " properties");
    if (schema.max_properties && count > *schema.max_properties) too_many(out, name, value.size(), *schema.max_properties);
    const bool root = name.empty() && base_.empty();
    auto before = [&](const std::string& key) -> const json* {
      if (!old || !old->is_object() || schema.atomic_map || (root && (key == "apiVersion" || key == "kind"))) return nullptr;
      const auto at = old->find(key);
      return at == old->end() ? nullptr : &*at;
    };
    for (auto it = value.begin(); schema.additional && it != value.end(); ++it) {
      if (!schema.property(it.key())) out.merge(check(*it, before(it.key()), *schema.additional, name + "." + it.key(), depth + 1));
    }
    for (const auto& [key, child] : schema.properties) {
      const auto at = value.find(key);
      if (at != value.end()) out.merge(check(*at, before(key), *child, name.empty() ? key : name + "." + key, depth + 1));
    }
    for (const std::string& key : schema.required) {
      if (!value.contains(key)) out.add(cause_required(field(name + "." + key)));
    }
    return out;
  }

  // Of several alternatives that all fail, the one that comes nearest is told of, too.
  void check_alternatives(Outcome& out, const json& value, const json* old, const std::vector<SchemaPtr>& parts, bool exactly_one, const std::string& name, int depth) const {
    size_t fitting = 0;
    std::optional<Outcome> success, nearest;
    for (const SchemaPtr& part : parts) {
      Outcome own = judge(value, old, *part, name, depth + 1);
      if (own.valid()) {
        ++fitting;
        if (!success) success = std::move(own);
        if (!exactly_one) break;
      } else if (!nearest || own.passed > nearest->passed) {
        nearest = std::move(own);
      }
    }
    if (fitting == 1) return out.merge(std::move(*success));
    if (exactly_one) {
      whole(out, name, "must validate one and only one schema (oneOf). " + (fitting ? "Found " + std::to_string(fitting) + " valid alternatives" : std::string("Found none valid")));
    } else {
      whole(out, name, "must validate at least one schema (anyOf)");
    }
    if (fitting == 0) out.merge(std::move(*nearest));
  }

  void whole(Outcome& out, const std::string& name, const std::string& what) const { note(out, json(name).dump(-1, ' ', false, json::error_handler_t::replace) + " " + what); }

  Outcome check_junctures(const json& value, const json* old, const SchemaNode& schema, const std::string& name, int depth) const {
    Outcome out;
    if (!schema.any_of.empty()) check_alternatives(out, value, old, schema.any_of, false, name, depth);
    if (!schema.one_of.empty()) check_alternatives(out, value, old, schema.one_of, true, name, depth);
    size_t fitting = 0;
    for (const SchemaPtr& part : schema.all_of) {
      Outcome own = judge(value, old, *part, name, depth + 1);
      fitting += own.valid();
      out.merge(std::move(own));
    }
    if (fitting != schema.all_of.size()) whole(out, name, std::string("must validate all the schemas (allOf)") + (fitting ? "" : ". None validated"));
    if (schema.not_of && judge(value, old, *schema.not_of, name, depth + 1).valid()) whole(out, name, "must not validate the schema (not)");
    ++out.passed;
    return out;
  }

  const std::string base_;
  const bool bare_;
};

}  // namespace

std::vector<base::Cause> validate_value(const json& value, const json* old, const SchemaNode& schema, const std::string& path) {
  return Checker(path, false).check(value, old, schema, "", 0).causes;
}
std::vector<base::Cause> validate_default(const json& value, const SchemaNode& schema, const std::string& path) {
  return Checker(path, true).check(value, nullptr, schema, "", 0).causes;
}

}  // namespace store
