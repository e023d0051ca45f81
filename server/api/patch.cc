#include "kubectl-compat/patch/patch.h"

#include <nlohmann/json.hpp>

#include "server/api/decode.h"
#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/verbs.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr int kApplyAttempts = 5;

base::Error patch_options_error(const std::string& field, const std::string& message, const char* reason) {
  base::Error e(base::Code::kInvalid, "PatchOptions.meta.k8s.io \"\" is invalid: " + field + ": " + message);
  e.group = "meta.k8s.io";
  e.kind = "PatchOptions";
  e.causes.push_back({reason, message, field});
  return e;
}

base::Result<store::Object> patch_stored(const Call& call, const std::string& subresource, PatchKind kind, const json& patch, WriteContext& context) {
  Pipeline& pipeline = call.core.pipeline;
  const std::vector<std::string> duplicates = context.duplicates;
  return pipeline.modify(call.resource, call.info.ns, call.info.name, subresource,
                         [&](const json& stored) -> base::Result<json> {
                           context.warnings.clear();  // This may be a second attempt.
                           json tree = TRY(apply_patch(call.resource, kind, stored, patch));
                           std::string name = store::get_string(tree, "metadata.name");
                           if (name != call.info.name) {
                             return bad_request("the name of the object (" + name + ") does not match the name on the URL (" + call.info.name + ")");
                           }
                           TRY_STATUS(pipeline.decode(call.resource, tree, context, &patch));
                           return tree;
                         },
                         context);
}

base::Result<store::Object> serve_apply(const Call& call, const std::string& subresource, const json& config, WriteContext& context, bool* created) {
  if (call.request.param("fieldManager").value_or("").empty()) {
    return patch_options_error("fieldManager", "Required value: is required for apply patch", "FieldValueRequired");
  }
  ApplyRequest request{call.info.ns, call.info.name, subresource, query_flag(call.request, "force")};
  return apply_object(call.core, call.resource, request, config, context, created);
}

// The schema's word for a field that it does not have, as the typed converter of upstream puts it.
base::Status check_declared(const store::Resource& r, const ApplyRequest& request, const json& config) {
  json copy = config;
  std::vector<std::string> unknown = store::prune_unknown(copy, *r.type);
  if (unknown.empty()) return {};
  constexpr std::string_view kPrefix = "unknown field \"";
  std::string path = unknown.front().substr(kPrefix.size());
  path.pop_back();
  return base::Error(base::Code::kInternal, "failed to create typed patch object (" + (request.ns.empty() ? "" : request.ns) + "/" + request.name + "; " + r.api_version() +
                                                ", Kind=" + std::string(r.kind) + "): ." + path + ": field not declared in schema");
}

}  // namespace

base::Result<json> apply_patch(const store::Resource& r, PatchKind kind, const json& stored, const json& patch) {
  switch (kind) {
    case PatchKind::kJson:
      return compat::apply_json_patch(stored, patch);
    case PatchKind::kMerge:
      if (!patch.is_object()) return bad_request("error decoding patch: json: cannot unmarshal " + std::string(patch.type_name()) + " into Go value of type map[string]interface {}");
      return compat::apply_merge_patch(stored, patch);
    case PatchKind::kStrategic:
      if (!patch.is_object()) return bad_request("error decoding patch: json: cannot unmarshal " + std::string(patch.type_name()) + " into Go value of type map[string]interface {}");
      return compat::apply_strategic_patch(stored, patch, *r.type);
  }
  return stored;
}

base::Result<store::Object> apply_object(Core& core, const store::Resource& r, const ApplyRequest& request, const json& config, WriteContext& context, bool* created) {
  if (!config.is_object()) return bad_request("error decoding YAML: the patch is not an object");
  std::string version = store::get_string(config, "apiVersion"), kind = store::get_string(config, "kind");
  if (version != r.api_version() || kind != r.kind) {
    return bad_request("Incorrect version specified in apply patch. Specified patch version: " + version + ", expected: " + r.api_version());
  }
  std::string name = store::get_string(config, "metadata.name"), ns = store::get_string(config, "metadata.namespace");
  if (!name.empty() && name != request.name) return bad_request("the name of the object (" + name + ") does not match the name on the URL (" + request.name + ")");
  if (r.namespaced && !ns.empty() && ns != request.ns) return bad_request("the namespace of the object (" + ns + ") does not match the namespace on the request (" + request.ns + ")");
  TRY_STATUS(check_declared(r, request, config));
  json wanted = config;
  if (!r.custom) {
    store::drop_nulls(wanted, *r.type);
    TRY_STATUS(store::check_types(wanted, r));
  }
  wanted["metadata"]["name"] = request.name;
  if (r.namespaced) wanted["metadata"]["namespace"] = request.ns;
  compat::ApplyOptions options{{context.manager, r.api_version(), request.subresource}, request.force, core.clock.wall()};
  for (int attempt = 1;; ++attempt) {
    *created = false;
    auto stored = core.pipeline.get(r, r.namespaced ? request.ns : "", request.name);
    if (stored.ok()) {
      auto changed = core.pipeline.modify(
          r, request.ns, request.name, request.subresource, [&](const json& live) { return compat::apply_server_side(live, wanted, r, options); }, context,
          Pipeline::Tracking::kDoneByChange);
      if (changed.ok() || changed.error().code != base::Code::kNotFound || attempt == kApplyAttempts) return changed;
      continue;  // Deleted in between: made anew.
    }
    if (stored.error().code != base::Code::kNotFound || !request.subresource.empty()) return stored;
    json merged = TRY(compat::apply_server_side(nullptr, wanted, r, options));
    auto made = core.pipeline.create_applied(r, request.ns, std::move(merged), context);
    *created = made.ok();
    if (made.ok() || made.error().code != base::Code::kAlreadyExists || attempt == kApplyAttempts) return made;
  }
}

HttpResponse serve_patch(const Call& call, const std::string& subresource) {
  auto context = write_context(call);
  if (!context.ok()) return error_response(context.error());
  auto type = compat::parse_body_type(call.request.header("content-type"));
  if (!type.ok()) return error_response(type.error());
  static constexpr struct {
    compat::BodyType type;
    PatchKind kind;
  } kKinds[] = {{compat::BodyType::kJsonPatch, PatchKind::kJson}, {compat::BodyType::kMergePatch, PatchKind::kMerge}, {compat::BodyType::kStrategicPatch, PatchKind::kStrategic}};
  const bool apply = *type == compat::BodyType::kApplyPatch;
  const auto* row = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& k) { return k.type == *type; });
  // A strategic patch wants Go structs with merge keys, which a custom kind has not.
  const bool strategic_custom = call.resource.custom && row != std::end(kKinds) && row->kind == PatchKind::kStrategic;
  if (!apply && (row == std::end(kKinds) || strategic_custom)) {
    return error_response(base::Error(base::Code::kUnsupportedMediaType,
                                      std::string("the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
                                                  "application/merge-patch+json, ") +
                                          (call.resource.custom ? "" : "application/strategic-merge-patch+json, ") + "application/apply-patch+yaml"));
  }
  if (!apply && call.request.param("force")) return error_response(patch_options_error("force", "Forbidden: may not be specified for non-apply patch", "FieldValueForbidden"));
  auto patch = decode_body(call.request.body, *type, &context->duplicates);
  if (!patch.ok()) return error_response(bad_request((apply ? "error decoding YAML: " : "error decoding patch: ") + patch.error().message));
  bool created = false;
  auto written = apply ? serve_apply(call, subresource, *patch, *context, &created) : patch_stored(call, subresource, row->kind, *patch, *context);
  if (!written.ok()) {
    HttpResponse response = error_response(written.error());
    add_warnings(response, context->warnings);
    return response;
  }
  return object_response(call, created ? 201 : 200, *written, context->warnings);
}

}  // namespace server
