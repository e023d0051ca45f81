// deployments/scale and the like: one autoscaling/v1 Scale over spec.replicas of any kind, or over the paths that the
// definition of a custom kind names.
#include <nlohmann/json.hpp>

#include "server/api/decode.h"
#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/subresources/handlers.h"
#include "store/custom/custom_kind.h"
#include "store/object/access.h"

namespace server {
namespace {

std::string selector_text(const json& tree) {
  const json* selector = store::find(tree, "spec.selector");
  if (!selector || !selector->is_object()) return "";
  const json* labels = store::find_key(*selector, "matchLabels");
  const json* expressions = store::find_key(*selector, "matchExpressions");
  if (!labels && !expressions) labels = selector;  // ReplicationController: a plain map.
  std::string out;
  auto add = [&](const std::string& term) { out += (out.empty() ? "" : ",") + term; };
  if (labels && labels->is_object()) {
    for (const auto& [k, v] : labels->items()) add(k + "=" + (v.is_string() ? v.get<std::string>() : ""));
  }
  for (const json& e : expressions && expressions->is_array() ? *expressions : json::array()) {
    std::string key = store::get_string(e, "key"), op = store::get_string(e, "operator"), values;
    for (const json& v : store::get_array(e, "values")) values += (values.empty() ? "" : ",") + (v.is_string() ? v.get<std::string>() : "");
    if (op == "In") add(key + " in (" + values + ")");
    if (op == "NotIn") add(key + " notin (" + values + ")");
    if (op == "Exists") add(key);
    if (op == "DoesNotExist") add("!" + key);
  }
  return out;
}

std::string replicas_path(const store::Resource& r) { return r.custom ? r.custom->replicas_path : "spec.replicas"; }

json scale_of(const store::Resource& r, const json& tree) {
  json metadata = json::object();
  for (const char* key : {"name", "namespace", "uid", "resourceVersion", "creationTimestamp"}) {
    if (const json* value = store::find(tree, std::string("metadata.") + key)) metadata[key] = *value;
  }
  json spec = json::object(), status = {{"replicas", store::get_int(tree, r.custom ? r.custom->status_replicas_path : "status.replicas")}};
  if (int64_t replicas = store::get_int(tree, replicas_path(r))) spec["replicas"] = replicas;
  // A custom kind keeps its selector as text already.
  const std::string selector = !r.custom ? selector_text(tree) : r.custom->selector_path.empty() ? "" : store::get_string(tree, r.custom->selector_path);
  if (!selector.empty()) status["selector"] = selector;
  return {{"kind", "Scale"}, {"apiVersion", "autoscaling/v1"}, {"metadata", std::move(metadata)}, {"spec", std::move(spec)}, {"status", std::move(status)}};
}

base::Result<json> apply_scale(const Call& call, const json& stored, const json& scale) {
  const json* replicas = store::find(scale, "spec.replicas");
  if (replicas && !replicas->is_number_integer() && !replicas->is_null()) {
    return bad_request("Scale in version \"v1\" cannot be handled as a Scale: json: cannot unmarshal " + std::string(replicas->type_name()) +
                       " into Go struct field ScaleSpec.spec.replicas of type int32");
  }
  int64_t wanted = replicas && replicas->is_number_integer() ? replicas->get<int64_t>() : 0;
  if (wanted < 0) {
    base::Cause cause = cause_invalid("spec.replicas", wanted, "must be greater than or equal to 0");
    base::Error e(base::Code::kInvalid, "Scale.autoscaling \"" + call.info.name + "\" is invalid: spec.replicas: " + cause.message);
    e.name = call.info.name;
    e.group = "autoscaling";
    e.kind = "Scale";
    e.causes.push_back(cause);
    return e;
  }
  std::string version = store::get_string(scale, "metadata.resourceVersion");
  if (!version.empty() && version != store::get_string(stored, "metadata.resourceVersion")) return stale(call.resource, call.info.name);
  json out = stored;
  store::set(out, replicas_path(call.resource), wanted);
  return out;
}

}  // namespace

HttpResponse serve_scale(const Call& call) {
  Pipeline& pipeline = call.core.pipeline;
  if (call.info.verb == Verb::kGet) {
    auto object = pipeline.get(call.resource, call.info.ns, call.info.name);
    return object.ok() ? json_response(200, scale_of(call.resource, object->tree())) : error_response(object.error());
  }
  auto context = write_context(call);
  if (!context.ok()) return error_response(context.error());
  auto type = compat::parse_body_type(call.request.header("content-type"));
  if (!type.ok()) return error_response(type.error());
  auto body = decode_body(call.request.body, *type, nullptr);
  if (!body.ok()) return error_response(body.error());
  auto changed = pipeline.modify(call.resource, call.info.ns, call.info.name, "", [&](const json& stored) -> base::Result<json> {
    if (call.info.verb == Verb::kUpdate) return apply_scale(call, stored, *body);
    PatchKind kind = *type == compat::BodyType::kJsonPatch ? PatchKind::kJson : PatchKind::kMerge;  // A Scale has no lists: strategic is merge.
    return apply_scale(call, stored, TRY(apply_patch(call.resource, kind, scale_of(call.resource, stored), *body)));
  }, *context);
  return changed.ok() ? json_response(200, scale_of(call.resource, changed->tree())) : error_response(changed.error());
}

}  // namespace server
