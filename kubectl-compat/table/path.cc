// Column paths. The JSONPath form covers what CRDs' additionalPrinterColumns use; a path with anything else gives null.
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "kubectl-compat/table/cells.h"
#include "store/base/clock.h"
#include "store/object/access.h"

namespace compat {
namespace {

struct Step {
  enum Kind { kName, kIndex, kAll, kFilter } kind = kName;
  std::string name;   // kName: the key; kFilter: the dotted path after "@."
  std::string value;  // kFilter: what it must equal
  size_t index = 0;
};

// The text up to the end of a quoted string that starts at text[0]; nothing if it does not end.
std::optional<std::string> take_quoted(std::string_view& text) {
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) return std::nullopt;
  size_t end = text.find(text[0], 1);
  if (end == std::string_view::npos) return std::nullopt;
  std::string out(text.substr(1, end - 1));
  text.remove_prefix(end + 1);
  return out;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// What stands between '[' and ']'.
std::optional<Step> take_bracket(std::string_view& text) {
  Step step;
  if (take(text, "*]")) {
    step.kind = Step::kAll;
    return step;
  }
  if (take(text, "?(@.")) {
    size_t equals = text.find("==");
    if (equals == std::string_view::npos) return std::nullopt;
    step.kind = Step::kFilter;
    step.name = std::string(text.substr(0, equals));
    while (!step.name.empty() && step.name.back() == ' ') step.name.pop_back();
    text.remove_prefix(equals + 2);
    while (take(text, " ")) {
    }
    auto value = take_quoted(text);
    if (!value || !take(text, ")]")) return std::nullopt;
    step.value = *value;
    return step;
  }
  if (auto key = take_quoted(text)) {
    step.name = *key;
    return take(text, "]") ? std::optional(step) : std::nullopt;
  }
  step.kind = Step::kIndex;
  size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9' && digits < 6) {
    step.index = step.index * 10 + static_cast<size_t>(text[digits++] - '0');
  }
  text.remove_prefix(digits);
  return digits > 0 && take(text, "]") ? std::optional(step) : std::nullopt;
}

// ".spec.names['a.b'][0]" in steps. A dot inside a name is written "\.".
std::optional<std::vector<Step>> parse_json_path(std::string_view text) {
  std::vector<Step> steps;
  while (!text.empty()) {
    if (take(text, "[")) {
      auto step = take_bracket(text);
      if (!step) return std::nullopt;
      steps.push_back(*step);
      continue;
    }
    if (!take(text, ".")) return std::nullopt;
    Step step;
    while (!text.empty() && text[0] != '.' && text[0] != '[') {
      if (text[0] == '\\' && text.size() > 1) text.remove_prefix(1);
      step.name += text[0];
      text.remove_prefix(1);
    }
    if (!step.name.empty()) steps.push_back(step);
  }
  return steps;
}

std::vector<const json*> evaluate(const json& tree, const std::vector<Step>& steps) {
  std::vector<const json*> at = {&tree};
  for (const Step& step : steps) {
    std::vector<const json*> next;
    for (const json* node : at) {
      if (step.kind == Step::kName) {
        if (const json* value = store::find_key(*node, step.name)) next.push_back(value);
      } else if (step.kind == Step::kAll && node->is_structured()) {
        for (const json& item : *node) next.push_back(&item);
      } else if (step.kind == Step::kIndex && node->is_array() && step.index < node->size()) {
        next.push_back(&(*node)[step.index]);
      } else if (step.kind == Step::kFilter && node->is_array()) {
        for (const json& item : *node) {
          if (store::get_string(item, step.name) == step.value) next.push_back(&item);
        }
      }
    }
    at = std::move(next);
  }
  return at;
}

std::string as_text(const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>();
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json convert(const json& value, std::string_view type, base::WallTime now) {
  if (type == "date") return value.is_string() ? json(age_of(&value, now)) : json("<unknown>");
  if (type == "string") return as_text(value);
  if (type == "integer" && value.is_number_float() && std::fabs(value.get<double>()) < 9e18) return static_cast<int64_t>(value.get<double>());
  if (type == "integer" && !value.is_number_integer()) return nullptr;
  if (type == "number" && !value.is_number()) return nullptr;
  if (type == "boolean" && !value.is_boolean()) return nullptr;
  return value;
}

}  // namespace

json path_cell(const CellInput& in, std::string_view path, std::string_view type) {
  if (!path.starts_with('.')) {
    const json* value = store::find(in.tree, path);
    if (value == nullptr || value->is_null()) return type == "integer" ? json(0) : type == "date" ? json("<unknown>") : json("");
    return convert(*value, type, in.now);
  }
  auto steps = parse_json_path(path);
  if (!steps) return nullptr;
  std::vector<const json*> found = evaluate(in.tree, *steps);
  if (found.empty() || found[0]->is_null()) return nullptr;
  // The first of what is found, as upstream: columns are meant for one value.
  const json& value = *found[0];
  if (type == "date" && !value.is_string()) return nullptr;
  if (type == "date" && !base::parse_rfc3339(value.get<std::string>()).ok()) return "<invalid>";
  return convert(value, type, in.now);
}

}  // namespace compat
