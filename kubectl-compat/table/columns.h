// kubectl-compat/table/columns.h - a kind's columns, found once for many rows. Internal to this folder.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "kubectl-compat/table/cells.h"
#include "store/object/object.h"
#include "store/schema/schema.h"

namespace compat {

class Columns {
 public:
  // `resource` must outlive it.
  explicit Columns(const store::Resource& resource);
  json headers() const;
  json cells(const store::Object& item, base::WallTime now) const;
  // Of the row; null for most.
  json conditions(const store::Object& item) const;

 private:
  struct Bound {
    const store::Column* column;
    CellFn cell;  // nullptr: by path
  };
  const store::Resource& resource_;
  std::vector<Bound> bound_;
};

}  // namespace compat
