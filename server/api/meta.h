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

// What an update must leave as it is: "" or absent says so too. Of a create nothing is asked.
std::vector<base::Cause> changed_identity(const json& old_metadata, const json& metadata);
// Takes out owner references that are there twice; what the client is told of that.
std::vector<std::string> drop_repeated_owners(json& tree);
// Does a write through /status leave this part of the metadata alone?
bool status_keeps(const store::Resource& r, std::string_view key);

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
