// pods/binding: gives a pod its node, once.
#include <nlohmann/json.hpp>

#include "server/api/meta.h"
#include "server/api/status.h"
#include "server/api/subresources/handlers.h"
#include "store/object/access.h"

namespace server {
namespace {

void set_scheduled(json& pod, const std::string& now) {
  json& conditions = store::ensure(pod, "status.conditions");
  if (!conditions.is_array()) conditions = json::array();
  json scheduled = {{"type", "PodScheduled"}, {"status", "True"}, {"lastProbeTime", nullptr}, {"lastTransitionTime", now}};
  for (json& condition : conditions) {
    if (store::get_string(condition, "type") != "PodScheduled") continue;
    condition = std::move(scheduled);
    return;
  }
  conditions.push_back(std::move(scheduled));
}

// Upstream passes on what its rules say as it is, as a 500.
base::Status check_binding(const Call& call, const json& body, const BodyKind& wanted) {
  TRY_STATUS(check_body_kind(body, wanted));
  const std::string ns = store::get_string(body, "metadata.namespace"), kind = store::get_string(body, "target.kind");
  if (!ns.empty() && ns != call.info.ns) return bad_request("the namespace of the provided object does not match the namespace sent on the request");
  if (store::get_string(body, "metadata.name") != call.info.name) return bad_request("name in URL does not match name in Binding object");
  if (!kind.empty() && kind != "Node") return base::Error(base::Code::kInternal, "target.kind: Unsupported value: " + json(kind).dump() + ": supported values: \"Node\", \"<empty>\"");
  if (store::get_string(body, "target.name").empty()) return base::Error(base::Code::kInternal, "target.name: Required value");
  return {};
}

}  // namespace

base::Status bind_pod(Core& core, const std::string& ns, const std::string& pod, const std::string& node, const std::string& uid, WriteContext& context) {
  const store::Resource* pods = core.registry.find("", "v1", "pods");
  if (!pods) return path_not_found();
  auto bound = core.pipeline.rewrite(*pods, ns, pod, [&](const json& stored) -> base::Result<json> {
    std::string assigned = store::get_string(stored, "spec.nodeName");
    auto refuse = [&](const std::string& why) {
      base::Error e = conflict(*pods, pod, why);
      e.message = "Operation cannot be fulfilled on pods/binding \"" + pod + "\": " + why;
      e.kind = "pods/binding";
      return e;
    };
    if (!uid.empty() && uid != store::get_string(stored, "metadata.uid")) {
      return refuse("Precondition failed: UID in precondition: " + uid + ", UID in object meta: " + store::get_string(stored, "metadata.uid"));
    }
    if (is_deleting(stored)) return refuse("pod " + pod + " is being deleted, cannot be assigned to a host");
    if (!assigned.empty()) return refuse("pod " + pod + " is already assigned to node \"" + assigned + "\"");
    json out = stored;
    store::set(out, "spec.nodeName", node);
    set_scheduled(out, base::render_rfc3339(core.clock.wall()));
    return out;
  }, context);
  if (!bound.ok()) return std::move(bound).error();
  return {};
}

HttpResponse serve_binding(const Call& call) {
  auto context = write_context(call);
  if (!context.ok()) return error_response(context.error());
  const BodyKind wanted{"", "v1", "Binding"};
  auto body = read_body(call, *context, wanted);
  if (!body.ok()) return error_response(body.error());
  if (base::Status good = check_binding(call, *body, wanted); !good.ok()) return error_response(good.error());
  const std::string node = store::get_string(*body, "target.name");
  base::Status bound = bind_pod(call.core, call.info.ns, call.info.name, node, store::get_string(*body, "metadata.uid"), *context);
  if (!bound.ok()) return error_response(bound.error());
  return json_response(201, {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", json::object()}, {"status", "Success"}, {"code", 201}});
}

}  // namespace server
