// kubectl-compat/table/cells.h - the functions that schema columns name with `cell:`, and column paths.
// Internal to this folder. Pure; any thread. Fields of the wrong JSON type read as absent.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/clock.h"

namespace compat {

using json = nlohmann::json;

struct CellInput {
  const json& tree;    // The whole object.
  base::WallTime now;  // What ages are measured against.
};

using CellFn = json (*)(const CellInput&);

struct CellRow {
  std::string_view name;
  CellFn fn;
};

CellFn find_cell(std::string_view name);  // nullptr: no such cell.
// One table a topic; names are unique over all of them.
std::span<const CellRow> pod_cells();
std::span<const CellRow> network_cells();
std::span<const CellRow> storage_cells();
std::span<const CellRow> workload_cells();
std::span<const CellRow> cluster_cells();
std::span<const CellRow> policy_cells();
std::span<const CellRow> access_cells();

// The value of a column `path`: dotted ("spec.type"; absent gives 0 or "" by `type`), or, with a leading dot, JSONPath as in
// a CRD's printer columns (names, [0], [*], [?(@.type=="Ready")]; absent gives null). Type "date" gives an age.
json path_cell(const CellInput& in, std::string_view path, std::string_view type);

// Helpers that several topics share.
std::string age_of(const json* timestamp, base::WallTime now);  // "<unknown>" unless a parsable time string.
std::string or_none(std::string text);                          // "<none>" for "".
std::string join(const std::vector<std::string>& items, std::string_view separator);
std::string format_labels(const json& labels);                  // "a=b,c=d" by key; "<none>" when empty.
std::string format_label_selector(const json* selector);        // {matchLabels, matchExpressions}; "<none>" when empty.
// At most three items, then " + N more..." for the rest.
std::string join_some(const std::vector<std::string>& items);
std::vector<std::string> string_items(const json& array);       // Strings of an array; others are skipped.

}  // namespace compat
