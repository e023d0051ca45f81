#include "kubectl-compat/table/table.h"

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "kubectl-compat/table/columns.h"
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

Columns::Columns(const store::Resource& resource) : resource_(resource) {
  for (const store::Column& column : columns_of(resource)) bound_.push_back({&column, column.cell.empty() ? nullptr : find_cell(column.cell)});
}

json Columns::headers() const {
  json out = json::array();
  for (const Bound& b : bound_) out.push_back(render_header(*b.column));
  return out;
}

json Columns::cells(const store::Object& item, base::WallTime now) const {
  CellInput in{item.tree(), now};
  // Cells know the version that is kept; paths are of the version that was asked for.
  const json stored = resource_.is_stored() ? json() : store::to_stored(resource_, item.tree());
  CellInput kept{resource_.is_stored() ? item.tree() : stored, now};
  json out = json::array();
  for (const Bound& b : bound_) out.push_back(b.cell ? b.cell(kept) : path_cell(in, b.column->path, b.column->type));
  return out;
}

json Columns::conditions(const store::Object& item) const { return resource_.storage_name == "pods" ? pod_conditions(item.tree()) : json(); }

json render_table(const store::Resource& resource, std::span<const store::Object> items, const json& list_meta,
                  const TableOptions& options) {
  const Columns columns(resource);
  json rows = json::array();
  for (const store::Object& item : items) {
    json row = {{"cells", columns.cells(item, options.now)}, {"object", row_object(item, options)}};
    if (json conditions = columns.conditions(item); !conditions.is_null()) row["conditions"] = std::move(conditions);
    rows.push_back(std::move(row));
  }
  return {{"kind", "Table"},
          {"apiVersion", "meta.k8s.io/" + options.version},
          {"metadata", list_meta.is_object() ? list_meta : json::object()},
          {"columnDefinitions", options.headers ? columns.headers() : json(nullptr)},
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
