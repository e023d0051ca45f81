// server/informer/writes.h - the writes controllers make, by storage name instead of Resource. kNotFound naming
// the resource when this build does not serve it. Thread rule as Client's.
#pragma once

#include <string>

#include "server/api/client.h"

namespace server {

base::Result<store::Object> create_object(Client& client, const std::string& storage, json tree);
// Spec and metadata; the tree's resourceVersion is the expected one.
base::Result<store::Object> update_object(Client& client, const std::string& storage, json tree);
// `current` with its status replaced, if nobody wrote `current` since.
base::Result<store::Object> write_status(Client& client, const store::Object& current, json status);
base::Result<store::Object> merge_patch(Client& client, const store::Key& key, const json& patch, const std::string& subresource = "");
// Only this very object (by uid). Already gone: success.
base::Status remove_object(Client& client, const store::Object& object, DeleteOptions options = {});

// The object's metadata.ownerReferences with those of `uid` left out.
json owner_refs_without(const store::Object& object, const std::string& uid);

}  // namespace server
