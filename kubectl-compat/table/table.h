// kubectl-compat/table/table.h - meta.k8s.io/v1 Table and PartialObjectMetadata, from the schema's columns. Pure.
#pragma once

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
// "5s", "3m12s", "2d" ... as kubectl prints ages.
std::string human_duration(std::chrono::seconds d);
// True when every `cell:` function that the registry names exists; otherwise the first missing name is in *missing.
bool check_cells(const store::Registry& registry, std::string* missing);

}  // namespace compat
