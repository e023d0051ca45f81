#include "kubectl-compat/table/table.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "kubectl-compat/table/cells.h"
#include "store/object/access.h"
#include "store/schema/conversions.h"

namespace compat {
namespace {

// What a kind without columns of its own shows.
constexpr store::Column kDefaultColumns[] = {
    {.name = "Name", .type = "string", .format = "name", .doc = "The name of the object, unique among its kind in its namespace.",
     .path = "metadata.name"},
    {.name = "Age", .type = "string", .doc = "How long ago the object was created.", .cell = "age"},
};

struct BoundColumn {
  const store::Column* column;
  CellFn cell;  // nullptr: by path
};

std::span<const store::Column> columns_of(const store::Resource& resource) {
  return resource.columns.empty() ? std::span<const store::Column>(kDefaultColumns) : resource.columns;
}

json render_header(const store::Column& column) {
  return {{"name", column.name},
          {"type", column.type},
          {"format", column.format},
          {"description", column.doc},
          {"priority", column.priority}};
}

// Upstream marks finished pods, for clients that hide them.
json pod_conditions(const json& pod) {
  std::string phase = store::get_string(pod, "status.phase");
  const char* message = phase == "Succeeded" ? "The pod has completed successfully." : phase == "Failed" ? "The pod failed." : nullptr;
  if (message == nullptr) return nullptr;
  return json::array({{{"type", "Completed"}, {"status", "True"}, {"reason", phase}, {"message", message}}});
}

json row_object(const store::Object& item, const TableOptions& options) {
  switch (options.include) {
    case IncludeObject::kMetadata: return partial_metadata(item, options.version);
    case IncludeObject::kObject: return item.tree();
    case IncludeObject::kNone: return nullptr;
  }
  return nullptr;
}

}  // namespace

json render_table(const store::Resource& resource, std::span<const store::Object> items, const json& list_meta,
                  const TableOptions& options) {
  std::vector<BoundColumn> bound;
  json headers = json::array();
  for (const store::Column& column : columns_of(resource)) {
    bound.push_back({&column, column.cell.empty() ? nullptr : find_cell(column.cell)});
    if (options.headers) headers.push_back(render_header(column));
  }
  bool pods = resource.storage_name == "pods";
  json rows = json::array();
  for (const store::Object& item : items) {
    CellInput in{item.tree(), options.now};
    // Cells know the version that is kept; paths are of the version that was asked for.
    const json stored = resource.is_stored() ? json() : store::to_stored(resource, item.tree());
    CellInput kept{resource.is_stored() ? item.tree() : stored, options.now};
    json cells = json::array();
    for (const BoundColumn& b : bound) cells.push_back(b.cell ? b.cell(kept) : path_cell(in, b.column->path, b.column->type));
    json row = {{"cells", std::move(cells)}, {"object", row_object(item, options)}};
    if (pods) {
      if (json conditions = pod_conditions(in.tree); !conditions.is_null()) row["conditions"] = std::move(conditions);
    }
    rows.push_back(std::move(row));
  }
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/" + options.version},
          {"metadata", list_meta.is_object() ? list_meta : json::object()},
          {"columnDefinitions", options.headers ? std::move(headers) : json(nullptr)},
          {"rows", std::move(rows)}};
}

json partial_metadata(const store::Object& object, std::string_view version) {
  return {{"kind", "PartialObjectMetadata"},
          {"apiVersion", "meta.k8s.io/" + std::string(version)},
          {"metadata", store::get_object(object.tree(), "metadata")}};
}

bool check_cells(const store::Registry& registry, std::string* missing) {
  for (const store::Resource* resource : registry.resources()) {
    for (const store::Column& column : resource->columns) {
      if (column.cell.empty() || find_cell(column.cell) != nullptr) continue;
      if (missing != nullptr) *missing = std::string(column.cell);
      return false;
    }
  }
  return true;
}

}  // namespace compat
