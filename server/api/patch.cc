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

// fmt.Sprintf("%+v") of decoded JSON, as upstream quotes a patch in errors.
std::string go_value(const json& value) {
  std::string out;
  if (value.is_string()) return value.get<std::string>();
  if (value.is_null()) return "<nil>";
  if (value.is_object()) {
    for (const auto& [k, v] : value.items()) out += (out.empty() ? "" : " ") + k + ":" + go_value(v);
    return "map[" + out + "]";
  }
  if (!value.is_array()) return value.dump();
  for (const json& v : value) out += (out.empty() ? "" : " ") + go_value(v);
  return "[" + out + "]";
}

// A body names its object itself, as a patched one does.
base::Status check_identity(const store::Resource& r, const std::string& ns, const std::string& name, const json& tree) {
  const std::string own = store::get_string(tree, "metadata.namespace");
  if (r.namespaced && !own.empty() && own != ns) return bad_request("the namespace of the provided object does not match the namespace sent on the request");
  return check_path_name(store::get_string(tree, "metadata.name"), name);
}

base::Result<store::Object> patch_stored(const Call& call, const std::string& subresource, PatchKind kind, const json& patch, WriteContext& context) {
  Pipeline& pipeline = call.core.pipeline;
  for (std::string& duplicate : context.duplicates) {
    if (kind == PatchKind::kJson) duplicate = "json patch " + duplicate;
  }
  return pipeline.modify(call.resource, call.info.ns, call.info.name, subresource,
                         [&](const json& stored) -> base::Result<json> {
                           context.warnings.clear();  // This may be a second attempt.
                           json tree = TRY(apply_patch(call.resource, kind, stored, patch));
                           if (kind == PatchKind::kStrategic) {  // Goes into an object that has its type.
                             tree["apiVersion"] = call.resource.api_version();
                             tree["kind"] = call.resource.kind;
                           }
                           const Pipeline::Quote quote = [&] {
                             if (kind == PatchKind::kStrategic) return go_value(patch);
                             auto again = apply_patch(call.resource, kind, stored, patch);
                             return again.ok() ? again->dump(-1, ' ', false, json::error_handler_t::replace) : std::string();
                           };
                           TRY_STATUS(pipeline.decode(call.resource, tree, context, &quote));
                           TRY_STATUS(check_identity(call.resource, call.info.ns, call.info.name, tree));
                           return tree;
                         },
                         context);
}

base::Result<store::Object> serve_apply(const Call& call, const std::string& subresource, const json& config, WriteContext& context, bool* created) {
  ApplyRequest request{call.info.ns, call.info.name, subresource, query_flag(call.request, "force")};
  return apply_object(call.core, call.resource, request, config, context, created);
}

// `/v1, Kind=ConfigMap`
std::string kind_text(const std::string& version, const std::string& kind) {
  return (version.find('/') == std::string::npos ? "/" : "") + version + ", Kind=" + kind;
}

}  // namespace

base::Result<json> apply_patch(const store::Resource& r, PatchKind kind, const json& stored, const json& patch) {
  switch (kind) {
    case PatchKind::kJson:
      return compat::apply_json_patch(stored, patch);
    case PatchKind::kMerge:
      if (patch.is_null()) return bad_request("Invalid JSON Patch");
      if (!patch.is_object()) return bad_request("error decoding patch: json: cannot unmarshal " + std::string(go_kind(patch)) + " into Go value of type map[string]interface {}");
      return compat::apply_merge_patch(stored, patch);
    case PatchKind::kStrategic:
      return compat::apply_strategic_patch(stored, patch, *r.type);
  }
  return stored;
}

base::Result<store::Object> apply_object(Core& core, const store::Resource& r, const ApplyRequest& request, const json& config, WriteContext& context, bool* created) {
  if (!config.is_object() && !config.is_null()) {
    return bad_request("error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal " + std::string(go_kind(config)) + " into Go value of type map[string]interface {}");
  }
  std::string version = store::get_string(config, "apiVersion"), kind = store::get_string(config, "kind");
  if (version != r.api_version() || kind != r.kind) return bad_request("invalid object type: " + kind_text(version, kind));
  json wanted = config;
  if (!r.custom) store::drop_nulls(wanted, *r.type);
  compat::ApplyOptions options{{context.manager, r.api_version(), request.subresource}, request.force, core.clock.wall()};
  // Configurations are judged by their schema; what that lets pass has to be of the kind's types still.
  auto apply = [&](const json& live) -> base::Result<json> {
    json merged = TRY(compat::apply_server_side(live, wanted, r, options));
    if (!r.custom) TRY_STATUS(store::check_types(merged, r));
    if (std::string uid = store::get_string(merged, "metadata.uid"); live.is_null() && !uid.empty()) {
      return conflict(r, request.name, "uid mismatch: the provided object specified uid " + uid + ", and no existing object was found");
    }
    TRY_STATUS(check_identity(r, request.ns, request.name, merged));
    return merged;
  };
  for (int attempt = 1;; ++attempt) {
    *created = false;
    auto stored = core.pipeline.get(r, r.namespaced ? request.ns : "", request.name);
    if (stored.ok()) {
      auto changed = core.pipeline.modify(
          r, request.ns, request.name, request.subresource, [&](const json& live) { return apply(live); }, context,
          Pipeline::Tracking::kDoneByChange);
      if (changed.ok() || changed.error().code != base::Code::kNotFound || attempt == kApplyAttempts) return changed;
      continue;  // Deleted in between: made anew.
    }
    if (stored.error().code != base::Code::kNotFound || !request.subresource.empty()) return stored;
    json merged = TRY(apply(nullptr));
    store::erase(merged, "metadata.resourceVersion");  // There is none to differ from.
    TRY_STATUS(core.pipeline.may_create(r, request.ns, request.name, context));
    auto made = core.pipeline.create_applied(r, request.ns, std::move(merged), context);
    *created = made.ok();
    if (made.ok() || made.error().code != base::Code::kAlreadyExists || attempt == kApplyAttempts) return made;
  }
}

HttpResponse serve_patch(const Call& call, const std::string& subresource) {
  auto type = compat::parse_body_type(call.request.header("content-type"));
  if (!type.ok()) {
    return error_response(call.resource.custom ? type.error() : base::Error(base::Code::kUnsupportedMediaType, "415: Unsupported Media Type"));
  }
  static constexpr struct {
    compat::BodyType type;
    PatchKind kind;
  } kKinds[] = {{compat::BodyType::kJsonPatch, PatchKind::kJson}, {compat::BodyType::kMergePatch, PatchKind::kMerge}, {compat::BodyType::kStrategicPatch, PatchKind::kStrategic}};
  const bool apply = *type == compat::BodyType::kApplyPatch;
  const auto* row = std::find_if(std::begin(kKinds), std::end(kKinds), [&](const auto& k) { return k.type == *type; });
  // A strategic patch wants Go structs with merge keys, which a custom kind has not.
  const bool strategic_custom = call.resource.custom && row != std::end(kKinds) && row->kind == PatchKind::kStrategic;
  if (!apply && !call.resource.custom && row == std::end(kKinds)) return error_response(base::Error(base::Code::kUnsupportedMediaType, "415: Unsupported Media Type"));
  if (!apply && (row == std::end(kKinds) || strategic_custom)) {
    return error_response(base::Error(base::Code::kUnsupportedMediaType,
                                      std::string("the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
                                                  "application/merge-patch+json, application/apply-patch+yaml")));
  }
  auto context = write_context(call);
  if (!context.ok()) return error_response(context.error());
  auto patch = decode_body(call.request.body, *type, &context->duplicates);
  if (!patch.ok()) {
    const bool strategic = !apply && row->kind == PatchKind::kStrategic;
    return error_response(bad_request((apply ? "error decoding YAML: " : strategic ? "" : "error decoding patch: ") + patch.error().message));
  }
  bool created = false;
  auto written = apply ? serve_apply(call, subresource, *patch, *context, &created) : patch_stored(call, subresource, row->kind, *patch, *context);
  if (!written.ok()) return write_error(written.error(), *context);
  return object_response(call, created ? 201 : 200, *written, context->warnings);
}

}  // namespace server
