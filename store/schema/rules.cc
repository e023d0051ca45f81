#include "store/schema/rules.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "store/base/text.h"
#include "store/object/label_syntax.h"
#include "store/object/selector.h"

namespace store {

const json& array_at(const json& object, std::string_view key) {
  static const json kEmpty = json::array();
  if (!object.is_object()) return kEmpty;
  const auto at = object.find(key);
  return at != object.end() && at->is_array() ? *at : kEmpty;
}

const json& object_at(const json& object, std::string_view key) {
  static const json kEmpty = json::object();
  if (!object.is_object()) return kEmpty;
  const auto at = object.find(key);
  return at != object.end() && at->is_object() ? *at : kEmpty;
}

std::string string_at(const json& object, std::string_view key) {
  if (!object.is_object()) return {};
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

std::string item(const std::string& path, std::string_view list, size_t index) {
  std::string out = path.empty() ? std::string() : path + ".";
  return out.append(list).append("[").append(std::to_string(index)).append("]");
}

std::string quantity_text(const json& quantity) { return quantity.is_string() ? quantity.get<std::string>() : quantity.dump(); }

json value_at(const json& object, std::string_view key) { return has(object, key) ? *object.find(key) : json(); }

bool has(const json& object, std::string_view key) {
  const auto at = object.find(key);
  return object.is_object() && at != object.end() && !at->is_null();
}

bool says(const json& object, std::string_view key) { return object.is_object() && object.contains(key); }

bool is_among(std::span<const std::string_view> list, std::string_view value) { return std::find(list.begin(), list.end(), value) != list.end(); }

void check_supported(const json& parent, std::string_view key, std::span<const std::string_view> supported, const std::string& path, Causes& causes) {
  if (!parent.is_object()) return;
  const auto at = parent.find(key);
  if (at == parent.end() || !at->is_string() || is_among(supported, at->get_ref<const std::string&>())) return;
  causes.push_back(cause_not_supported(path + "." + std::string(key), *at, supported));
}

void add_problem(Causes& causes, const std::string& field, const json& value, const std::string& problem) {
  constexpr std::string_view kBetween = "; ";
  for (size_t from = 0; from < problem.size();) {
    const size_t end = std::min(problem.find(kBetween, from), problem.size());
    causes.push_back(cause_invalid(field, value, problem.substr(from, end - from)));
    from = end + kBetween.size();
  }
}

std::string port_name_problem(std::string_view name) {
  auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  std::string problems;
  auto check = [&problems](bool good, const char* problem) {
    if (!good) problems.append(problems.empty() ? "" : "; ").append(problem);
  };
  check(name.size() <= 15, "must be no more than 15 characters");
  check(!name.empty() && std::all_of(name.begin(), name.end(), allowed), "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  check(std::any_of(name.begin(), name.end(), [](char c) { return c >= 'a' && c <= 'z'; }), "must contain at least one letter (a-z)");
  check(name.find("--") == std::string_view::npos, "must not contain consecutive hyphens");
  check(name.empty() || (name.front() != '-' && name.back() != '-'), "must not begin or end with a hyphen");
  return problems;
}

std::string port_number_problem(int64_t port) { return port >= 1 && port <= 65535 ? "" : "must be between 1 and 65535, inclusive"; }

std::string config_key_problem(std::string_view key) {
  auto allowed = [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_' || c == '.'; };
  std::string problems = key.size() > 253 ? "must be no more than 253 characters" : "";
  if (key.empty() || !std::all_of(key.begin(), key.end(), allowed)) {
    problems.append(problems.empty() ? "" : "; ")
        .append(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', "
            "regex used for validation is '[-._a-zA-Z0-9]+')");
  }
  const char* dots = key == "." ? "must not be '.'" : key == ".." ? "must not be '..'" : key.starts_with("..") ? "must not start with '..'" : "";
  return problems.append(problems.empty() || !*dots ? "" : "; ").append(dots);
}

void check_labels(const json& labels, const std::string& field, Causes& causes) {
  if (!labels.is_object()) return;
  for (auto it = labels.begin(); it != labels.end(); ++it) {
    add_problem(causes, field, it.key(), label_key_problem(it.key()));
    if (it.value().is_string()) add_problem(causes, field, it.value(), label_value_problem(it.value().get_ref<const std::string&>()));
  }
}

void check_annotations(const json& annotations, const std::string& field, Causes& causes) {
  constexpr size_t kMaxBytes = 256 * 1024;
  if (!annotations.is_object()) return;
  size_t bytes = 0;
  for (auto it = annotations.begin(); it != annotations.end(); ++it) {
    // Upper case in the prefix is allowed here, unlike in labels.
    add_problem(causes, field, it.key(), label_key_problem(base::lower(it.key())));
    bytes += it.key().size() + (it.value().is_string() ? it.value().get_ref<const std::string&>().size() : 0);
  }
  if (bytes > kMaxBytes)
    causes.push_back({"FieldValueTooLong", "Too long: may not be more than " + std::to_string(kMaxBytes) + " bytes", field});
}

void check_label_selector(const json& selector, const std::string& path, Causes& causes) {
  check_labels(object_at(selector, "matchLabels"), path + ".matchLabels", causes);
  const json& expressions = array_at(selector, "matchExpressions");
  for (size_t i = 0; i < expressions.size(); ++i) {
    const std::string here = item(path, "matchExpressions", i);
    const std::string op = string_at(expressions[i], "operator");
    const json& values = array_at(expressions[i], "values");
    if (op == "In" || op == "NotIn") {
      if (values.empty()) causes.push_back(cause_required(here + ".values", "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (op == "Exists" || op == "DoesNotExist") {
      if (!values.empty())
        causes.push_back(cause_forbidden(here + ".values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
    } else {
      causes.push_back(cause_invalid(here + ".operator", op, "not a valid selector operator"));
    }
    add_problem(causes, here + ".key", string_at(expressions[i], "key"), label_key_problem(string_at(expressions[i], "key")));
    for (size_t v = 0; v < values.size(); ++v) {
      if (values[v].is_string()) add_problem(causes, item(here, "values", v), values[v], label_value_problem(values[v].get<std::string>()));
    }
  }
}

bool selector_matches(const json& selector, const json& labels) {
  const auto parsed = LabelSelector::from_json(selector);
  if (!parsed.ok()) return false;
  std::map<std::string, std::string> values;
  if (labels.is_object()) {
    for (auto it = labels.begin(); it != labels.end(); ++it) values[it.key()] = it.value().is_string() ? it.value().get<std::string>() : "";
  }
  return parsed->matches(values);
}

void check_nonnegative(const json& parent, std::string_view key, const std::string& field, Causes& causes) {
  if (!parent.is_object()) return;
  const auto at = parent.find(key);
  if (at != parent.end() && at->is_number_integer() && at->get<int64_t>() < 0) {
    causes.push_back(cause_invalid(field, *at, "must be greater than or equal to 0"));
  }
}

std::optional<long double> quantity_nanos(const json& quantity) {
  struct Suffix {
    std::string_view text;
    long double factor;
  };
  static constexpr Suffix kSuffixes[] = {{"", 1e9L},
                                         {"n", 1},
                                         {"u", 1e3L},
                                         {"m", 1e6L},
                                         {"k", 1e12L},
                                         {"M", 1e15L},
                                         {"G", 1e18L},
                                         {"T", 1e21L},
                                         {"P", 1e24L},
                                         {"E", 1e27L},
                                         {"Ki", 1e9L * 0x1p10L},
                                         {"Mi", 1e9L * 0x1p20L},
                                         {"Gi", 1e9L * 0x1p30L},
                                         {"Ti", 1e9L * 0x1p40L},
                                         {"Pi", 1e9L * 0x1p50L},
                                         {"Ei", 1e9L * 0x1p60L}};
  const std::string text = quantity.is_string() ? quantity.get<std::string>() : quantity.dump();
  size_t digits = text.find_first_not_of("+-0123456789.");
  digits = std::min(digits, text.size());
  if (digits == 0) return std::nullopt;
  const std::string suffix = text.substr(digits);
  const long double number = std::strtold(text.substr(0, digits).c_str(), nullptr);
  for (const Suffix& known : kSuffixes) {
    if (suffix == known.text) return number * known.factor;
  }
  if (suffix.size() > 1 && (suffix[0] == 'e' || suffix[0] == 'E'))
    return number * std::pow(10.0L, 9 + std::strtol(suffix.c_str() + 1, nullptr, 10));
  return std::nullopt;
}

}  // namespace store
