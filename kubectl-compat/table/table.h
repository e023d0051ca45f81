// kubectl-compat/table/table.h - meta.k8s.io/v1 Table and PartialObjectMetadata, from the schema's columns. Pure.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "store/base/clock.h"
#include "store/object/object.h"
#include "store/schema/schema.h"

namespace compat {

using json = nlohmann::json;

enum class IncludeObject { kMetadata, kObject, kNone };

struct TableOptions {
  IncludeObject include = IncludeObject::kMetadata;
  std::string version = "v1";  // of meta.k8s.io
  bool headers = true;         // Watches send columnDefinitions in the first event only.
  base::WallTime now;
};

json render_table(const store::Resource& resource, std::span<const store::Object> items, const json& list_meta,
                  const TableOptions& options);
json partial_metadata(const store::Object& object, std::string_view version);

// The same as text, row by row: the head, rows with commas between them, and "]}".
class Columns;
class TableText {
 public:
  // `resource` must outlive it.
  TableText(const store::Resource& resource, const TableOptions& options);
  TableText(TableText&&) noexcept;
  ~TableText();
  std::string head(const json& list_meta) const;
  std::string row(const store::Object& item) const;

 private:
  std::unique_ptr<Columns> columns_;
  TableOptions options_;
};
std::string partial_metadata_text(const store::Object& object, std::string_view version);
// The value of a key in the text of an object that is compact JSON, as it stands there; empty: it has none.
std::string_view member_text(std::string_view object, std::string_view name);

// "5s", "3m12s", "2d" ... as kubectl prints ages.
std::string human_duration(std::chrono::seconds d);
// True when every `cell:` function that the registry names exists; otherwise the first missing name is in *missing.
bool check_cells(const store::Registry& registry, std::string* missing);

}  // namespace compat
