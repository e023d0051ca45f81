// server/api/meta.h - metadata as the server keeps it: fields that clients cannot write, and deletion. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "store/base/result.h"
#include "store/schema/schema.h"

namespace server {

using json = nlohmann::json;

// What an update must not change in metadata (finalizers while the object is being deleted).
std::vector<base::Cause> validate_metadata_update(const json& old_tree, const json& new_tree);

// Equal but for resourceVersion and managedFields: writing it would tell nobody anything.
bool same_content(const json& a, const json& b);
// managedFields equal but for their times.
bool same_managers(const json& a, const json& b);
// Something besides metadata and status differs: metadata.generation moves.
// Anything but the metadata.
bool body_differs(const json& a, const json& b);
bool spec_differs(const json& a, const json& b);

bool is_deleting(const json& tree);          // metadata.deletionTimestamp is set.
bool has_finalizers(const json& tree);       // metadata.finalizers, and a namespace's spec.finalizers.
// An update left nothing to wait for: the object goes instead of being stored.
bool is_finished(const json& tree);

}  // namespace server
