// kubectl-compat/patch/patch.h - the four patch types, as pure functions (tree, patch, schema) -> tree.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "store/base/clock.h"
#include "store/base/result.h"
#include "store/schema/schema.h"

namespace compat {

using json = nlohmann::json;

// RFC 6902. Undecodable document: kBadRequest; an operation that fails (test, missing path): kInvalid, worded as upstream.
base::Result<json> apply_json_patch(const json& tree, const json& patch);
// RFC 7386.
json apply_merge_patch(const json& tree, const json& patch);
// Strategic merge with every directive ($patch, $retainKeys, $setElementOrder, $deleteFromPrimitiveList).
base::Result<json> apply_strategic_patch(const json& tree, const json& patch, const store::Type& type);

// --- Server-side apply (managed fields) ---

struct Manager {
  std::string name;
  std::string api_version;   // of the request's object
  std::string subresource;   // "" = main
};

struct ApplyOptions {
  Manager manager;
  bool force = false;
  base::WallTime now;
};

// Server-side apply of `config` onto `live` (null when it does not exist yet). Returns the merged tree with
// metadata.managedFields updated. kConflict with one cause a field; kBadRequest for a config that carries managedFields.
base::Result<json> apply_server_side(const json& live, const json& config, const store::Resource& resource, const ApplyOptions& options);

// Ownership after an ordinary create or update: fields that changed between `before` (null on create) and
// `after` go to the manager's Update entry. Returns `after` with metadata.managedFields set. An update whose
// `after` has managedFields [] or [{}] clears them.
json track_update(const json& before, json after, const store::Resource& resource, const Manager& manager, base::WallTime now);

}  // namespace compat
