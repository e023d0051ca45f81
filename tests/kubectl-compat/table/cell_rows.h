// Rows of a cell's name, an object and what the cell shows of it at ten past midnight.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <span>

#include "kubectl-compat/table/cells.h"

namespace compat {

struct CellCheck {
  const char* name;
  const char* cell;
  const char* object;  // JSON
  json want;
};

inline void check(std::span<const CellCheck> rows) {
  base::WallTime now = base::parse_rfc3339("2026-01-02T00:10:00Z").value();
  for (const CellCheck& row : rows) {
    SCOPED_TRACE(row.name);
    json tree = json::parse(row.object, nullptr, false);
    ASSERT_FALSE(tree.is_discarded());
    CellFn fn = find_cell(row.cell);
    ASSERT_NE(fn, nullptr) << row.cell;
    EXPECT_EQ(fn({tree, now}), row.want);
  }
}

}  // namespace compat
