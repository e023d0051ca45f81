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
  auto body = read_body(call, *context);
  if (!body.ok()) return error_response(body.error());
  std::string node = store::get_string(*body, "target.name"), kind = store::get_string(*body, "target.kind", "Node");
  if (node.empty() || (kind != "Node" && !kind.empty())) {
    base::Error e(base::Code::kInvalid, "Binding \"" + call.info.name + "\" is invalid: target.name: Required value");
    e.kind = "Binding";
    e.name = call.info.name;
    e.causes.push_back(cause_required("target.name", ""));
    return error_response(e);
  }
  base::Status bound = bind_pod(call.core, call.info.ns, call.info.name, node, store::get_string(*body, "metadata.uid"), *context);
  if (!bound.ok()) return error_response(bound.error());
  return json_response(201, {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", json::object()}, {"status", "Success"}, {"code", 201}});
}

}  // namespace server
