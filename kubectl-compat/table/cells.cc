#include "kubectl-compat/table/cells.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "kubectl-compat/table/table.h"
#include "store/object/access.h"

namespace compat {
namespace {

constexpr size_t kShown = 3;

// One requirement in the form of labels.Requirement.String().
std::string format_requirement(const std::string& key, const std::string& op, std::vector<std::string> values) {
  if (op == "Exists") return key;
  if (op == "DoesNotExist") return "!" + key;
  std::sort(values.begin(), values.end());
  return key + (op == "NotIn" ? " notin (" : " in (") + join(values, ",") + ")";
}

}  // namespace

CellFn find_cell(std::string_view name) {
  for (auto table : {pod_cells(), network_cells(), workload_cells(), storage_cells(), cluster_cells(), policy_cells(), access_cells()}) {
    for (const CellRow& row : table) {
      if (row.name == name) return row.fn;
    }
  }
  return nullptr;
}

std::string age_of(const json* timestamp, base::WallTime now) {
  if (timestamp == nullptr || !timestamp->is_string()) return "<unknown>";
  auto at = base::parse_rfc3339(timestamp->get_ref<const std::string&>());
  if (!at.ok()) return "<unknown>";
  return human_duration(std::chrono::duration_cast<std::chrono::seconds>(now - *at));
}

std::string or_none(std::string text) { return text.empty() ? "<none>" : std::move(text); }

std::string join(const std::vector<std::string>& items, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += separator;
    out += items[i];
  }
  return out;
}

std::string join_some(const std::vector<std::string>& items) {
  if (items.size() <= kShown) return join(items, ",");
  std::vector<std::string> first(items.begin(), items.begin() + kShown);
  return join(first, ",") + " + " + std::to_string(items.size() - kShown) + " more...";
}

std::vector<std::string> string_items(const json& array) {
  std::vector<std::string> out;
  if (!array.is_array()) return out;
  for (const json& item : array) {
    if (item.is_string()) out.push_back(item.get_ref<const std::string&>());
  }
  return out;
}

std::string format_labels(const json& labels) {
  std::vector<std::string> pairs;
  if (labels.is_object()) {
    for (const auto& [key, value] : labels.items()) {
      if (value.is_string()) pairs.push_back(key + "=" + value.get_ref<const std::string&>());
    }
  }
  return or_none(join(pairs, ","));
}

std::string format_label_selector(const json* selector) {
  if (selector == nullptr || !selector->is_object()) return "<none>";
  std::vector<std::pair<std::string, std::string>> terms;  // key, text
  for (const auto& [key, value] : store::get_string_map(*selector, "matchLabels")) terms.emplace_back(key, key + "=" + value);
  for (const json& item : store::get_array(*selector, "matchExpressions")) {
    std::string key = store::get_string(item, "key");
    terms.emplace_back(
        key, format_requirement(key, store::get_string(item, "operator"), string_items(store::get_array(item, "values"))));
  }
  std::stable_sort(terms.begin(), terms.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> texts;
  for (auto& term : terms) texts.push_back(std::move(term.second));
  return or_none(join(texts, ","));
}

}  // namespace compat
