#include "store/object/selector.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "store/object/access.h"
#include "store/object/label_syntax.h"
#include "store/object/selector_check.h"

namespace store {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

// `value` is null when the object does not carry the label.
bool holds(const Requirement& r, const std::string* value) {
  auto listed = [&] { return std::find(r.values.begin(), r.values.end(), *value) != r.values.end(); };
  switch (r.op) {
    case SelectorOp::kIn: return value != nullptr && listed();
    case SelectorOp::kNotIn: return value == nullptr || !listed();
    case SelectorOp::kExists: return value != nullptr;
    case SelectorOp::kNotExists: return value == nullptr;
    case SelectorOp::kGreater:
    case SelectorOp::kLess: {
      if (value == nullptr || r.values.size() != 1) return false;
      std::optional<int64_t> have = parse_integer(*value);
      std::optional<int64_t> limit = parse_integer(r.values[0]);
      if (!have || !limit) return false;
      return r.op == SelectorOp::kGreater ? *have > *limit : *have < *limit;
    }
  }
  return false;
}

struct JsonOperator {
  std::string_view name;
  SelectorOp op;
};
constexpr JsonOperator kJsonOperators[] = {
    {"In", SelectorOp::kIn},
    {"NotIn", SelectorOp::kNotIn},
    {"Exists", SelectorOp::kExists},
    {"DoesNotExist", SelectorOp::kNotExists},
};

Result<Requirement> parse_expression(const json& expression) {
  Requirement out;
  out.key = get_string(expression, "key");
  std::string name = get_string(expression, "operator");
  const auto* row = std::find_if(std::begin(kJsonOperators), std::end(kJsonOperators), [&](const auto& r) { return r.name == name; });
  if (row == std::end(kJsonOperators)) return Error(Code::kBadRequest, go_quoted(name) + " is not a valid label selector operator");
  out.op = row->op;
  for (const json& value : get_array(expression, "values")) {
    if (value.is_string()) out.values.push_back(value.get<std::string>());
  }
  TRY_STATUS(check_requirement(out));
  return out;
}

// Fields that Kubernetes selects on as a Go bool or int: absent is their zero value, not "".
struct ZeroRow {
  std::string_view path;
  std::string_view text;
};
constexpr ZeroRow kZeroValues[] = {
    {"spec.hostNetwork", "false"},
    {"spec.unschedulable", "false"},
    {"status.replicas", "0"},
    {"status.successful", "0"},
};

std::string field_text(const json& object, const std::string& path) {
  const json* value = find(object, path);
  if (value == nullptr || value->is_null()) {
    for (const ZeroRow& row : kZeroValues) {
      if (row.path == path) return std::string(row.text);
    }
    return "";
  }
  if (value->is_string()) return value->get<std::string>();
  return value->is_structured() ? "" : value->dump();
}

// Cuts at commas that no backslash protects; the backslashes stay for unescape().
std::vector<std::string_view> split_terms(std::string_view text) {
  std::vector<std::string_view> out;
  size_t start = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == ',') {
      out.push_back(text.substr(start, i - start));
      start = i + 1;
    }
  }
  out.push_back(text.substr(start));
  return out;
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == ',' || c == '=') {
      return Error(Code::kBadRequest, "invalid field selector: unescaped character in value: " + std::to_string(static_cast<int>(c)));
    }
    if (c == '\\') {
      std::string_view next = text.substr(i + 1, 1);
      if (next != "\\" && next != "," && next != "=") {
        return Error(Code::kBadRequest, "invalid field selector: invalid escape sequence: " + std::string(text.substr(i, 2)));
      }
      c = text[++i];
    }
    out += c;
  }
  return out;
}

}  // namespace

std::optional<int64_t> parse_integer(std::string_view text) {
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  int64_t value = 0;
  auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Status check_requirement(const Requirement& r) {
  std::vector<std::string> problems;
  if (std::string problem = label_key_problem(r.key); !problem.empty()) {
    problems.push_back("key: Invalid value: " + go_quoted(r.key) + ": " + problem);
  }
  bool takes_set = r.op == SelectorOp::kIn || r.op == SelectorOp::kNotIn;
  bool takes_none = r.op == SelectorOp::kExists || r.op == SelectorOp::kNotExists;
  if (takes_set && r.values.empty()) {
    problems.push_back("values: Invalid value: []string(nil): for 'in', 'notin' operators, values set can't be empty");
  }
  if (takes_none && !r.values.empty()) {
    problems.push_back("values: Invalid value: " + json(r.values).dump() + ": values set must be empty for exists and does not exist");
  }
  for (size_t i = 0; i < r.values.size(); ++i) {
    std::string at = "values[" + std::to_string(i) + "]";
    if (!takes_set && !takes_none && !parse_integer(r.values[i])) {
      problems.push_back(at + ": Invalid value: " + go_quoted(r.values[i]) + ": for 'Gt', 'Lt' operators, the value must be an integer");
    }
  }
  for (size_t i = 0; i < r.values.size(); ++i) {
    std::string problem = label_value_problem(r.values[i]);
    if (problem.empty()) continue;
    problems.push_back("values[" + std::to_string(i) + "][" + r.key + "]: Invalid value: " + go_quoted(r.values[i]) + ": " + problem);
  }
  if (problems.empty()) return {};
  if (problems.size() == 1) return Error(Code::kBadRequest, problems[0]);
  std::string joined;
  for (const std::string& problem : problems) joined += (joined.empty() ? "" : ", ") + problem;
  return Error(Code::kBadRequest, "[" + joined + "]");
}

bool LabelSelector::matches(const std::map<std::string, std::string>& labels) const {
  if (nothing) return false;
  return std::all_of(requirements.begin(), requirements.end(), [&](const Requirement& r) {
    auto it = labels.find(r.key);
    return holds(r, it == labels.end() ? nullptr : &it->second);
  });
}

bool LabelSelector::matches_object(const json& object) const {
  if (nothing) return false;
  if (requirements.empty()) return true;
  const json& labels = get_object(object, "metadata.labels");
  return std::all_of(requirements.begin(), requirements.end(), [&](const Requirement& r) {
    const json* value = find_key(labels, r.key);
    return holds(r, value == nullptr ? nullptr : value->get_ptr<const std::string*>());
  });
}

Result<LabelSelector> LabelSelector::from_json(const json& selector) {
  LabelSelector out;
  if (!selector.is_object()) {
    out.nothing = true;
    return out;
  }
  out = from_map(get_string_map(selector, "matchLabels"));
  for (const json& expression : get_array(selector, "matchExpressions")) out.requirements.push_back(TRY(parse_expression(expression)));
  return out;
}

LabelSelector LabelSelector::from_map(const std::map<std::string, std::string>& labels) {
  LabelSelector out;
  for (const auto& [key, value] : labels) out.requirements.push_back({key, SelectorOp::kIn, {value}});
  return out;
}

Result<FieldSelector> FieldSelector::parse(std::string_view text) {
  FieldSelector out;
  for (std::string_view term : split_terms(text)) {
    if (term.empty()) continue;
    size_t at = term.find('=');
    if (at == std::string_view::npos) {
      return Error(Code::kBadRequest, "invalid selector: '" + std::string(text) + "'; can't understand '" + std::string(term) + "'");
    }
    FieldTerm parsed;
    parsed.negated = at > 0 && term[at - 1] == '!';
    parsed.path = std::string(term.substr(0, parsed.negated ? at - 1 : at));
    std::string_view value = term.substr(at + 1);
    if (!parsed.negated && !value.empty() && value[0] == '=') value.remove_prefix(1);
    parsed.value = TRY(unescape(value));
    out.terms.push_back(std::move(parsed));
  }
  return out;
}

bool FieldSelector::matches(const json& object) const {
  return std::all_of(terms.begin(), terms.end(),
                     [&](const FieldTerm& term) { return (field_text(object, term.path) == term.value) != term.negated; });
}

std::optional<std::string> FieldSelector::exact(std::string_view path) const {
  for (const FieldTerm& term : terms) {
    if (!term.negated && term.path == path) return term.value;
  }
  return std::nullopt;
}

}  // namespace store
