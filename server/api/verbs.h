// server/api/verbs.h - one function a verb, each in its own file. Called on connection threads.
#pragma once

#include "server/api/body_kind.h"
#include "server/api/core.h"
#include "server/api/pipeline.h"

namespace server {

HttpResponse serve_get(const Call& call);
HttpResponse serve_list(const Call& call);
HttpResponse serve_watch(const Call& call);
HttpResponse serve_create(const Call& call);
HttpResponse serve_update(const Call& call, const std::string& subresource);
HttpResponse serve_patch(const Call& call, const std::string& subresource);
HttpResponse serve_delete(const Call& call);
HttpResponse serve_delete_collection(const Call& call);

// Subresources that are more than a verb over a part of the object (subresources/*.cc). Nothing: not known.
using SubresourceHandler = HttpResponse (*)(const Call& call);
SubresourceHandler find_subresource_handler(const store::Resource& r, const std::string& name);

// kTimeout when the store does not get there soon.
base::Status wait_for_revision(const Call& call, store::Revision revision);

// dryRun, fieldManager and fieldValidation of a write.
base::Result<WriteContext> write_context(const Call& call);
// The body of a create or update: JSON, YAML or protobuf; any other is kUnsupportedMediaType. It is an object, and `wanted`
// is what errors call it: the resource's own kind, unless a subresource says otherwise.
base::Result<json> read_body(const Call& call, WriteContext& context);
base::Result<json> read_body(const Call& call, WriteContext& context, const BodyKind& wanted);
// DeleteOptions from the body, or else the query.
base::Result<RemoveOptions> remove_options(const HttpRequest& request);
// Fills in what happens to dependents when the client does not say; what it should be told of that.
std::vector<std::string> default_propagation(const store::Resource& r, RemoveOptions& options);
base::Status check_delete_options(const json& options);
RemoveOptions remove_options_from(const json& options);

// Applies a patch of the request's type to `stored`.
enum class PatchKind { kJson, kMerge, kStrategic };
base::Result<json> apply_patch(const store::Resource& r, PatchKind kind, const json& stored, const json& patch);

// Server-side apply: creates or changes. *created says which.
struct ApplyRequest {
  std::string ns;
  std::string name;
  std::string subresource;
  bool force = false;
};
base::Result<store::Object> apply_object(Core& core, const store::Resource& r, const ApplyRequest& request, const json& config, WriteContext& context, bool* created);

// pods/binding: `uid` "" or the pod's. kConflict when it is assigned already.
base::Status bind_pod(Core& core, const std::string& ns, const std::string& pod, const std::string& node, const std::string& uid, WriteContext& context);

}  // namespace server
