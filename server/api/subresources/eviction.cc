// pods/eviction: a deletion that PodDisruptionBudgets may refuse.
#include <nlohmann/json.hpp>

#include "server/api/meta.h"
#include "server/api/status.h"
#include "server/api/subresources/handlers.h"
#include "store/object/access.h"

namespace server {
namespace {

bool is_ready(const json& pod) {
  for (const json& c : store::get_array(pod, "status.conditions")) {
    if (store::get_string(c, "type") == "Ready") return store::get_string(c, "status") == "True";
  }
  return false;
}

// The budget that covers the pod and has nothing left, if any.
base::Result<std::optional<base::Error>> refusal(Core& core, const store::Object& pod) {
  store::ListQuery query;
  query.resource = "poddisruptionbudgets.policy";
  query.ns = pod.ns();
  auto page = TRY(core.store.list(query));
  for (const store::Object& pdb : page.items) {
    const json* selector = store::find(pdb.tree(), "spec.selector");
    auto parsed = TRY(store::LabelSelector::from_json(selector ? *selector : json(nullptr)));
    if (!parsed.matches_object(pod.tree())) continue;
    int64_t allowed = store::get_int(pdb.tree(), "status.disruptionsAllowed");
    if (allowed > 0) continue;
    base::Error e(base::Code::kTooManyRequests, "Cannot evict pod as it would violate the pod's disruption budget.");
    e.causes.push_back({"DisruptionBudget",
                        "The disruption budget " + pdb.name() + " needs " + std::to_string(store::get_int(pdb.tree(), "status.desiredHealthy")) +
                            " healthy pods and has " + std::to_string(store::get_int(pdb.tree(), "status.currentHealthy")) + " currently",
                        ""});
    return std::optional(std::move(e));
  }
  return std::optional<base::Error>();
}

}  // namespace

HttpResponse serve_eviction(const Call& call) {
  auto context = write_context(call);
  if (!context.ok()) return error_response(context.error());
  auto body = read_body(call, *context);
  if (!body.ok()) return error_response(body.error());
  std::string name = store::get_string(*body, "metadata.name");
  if (!name.empty() && name != call.info.name) return error_response(bad_request("name in URL does not match name in Eviction object"));
  auto pod = call.core.pipeline.get(call.resource, call.info.ns, call.info.name);
  if (!pod.ok()) return error_response(pod.error());
  std::string phase = store::get_string(pod->tree(), "status.phase");
  // Pods that serve nobody are not what a budget protects.
  if (phase != "Succeeded" && phase != "Failed" && phase != "Pending" && !is_deleting(pod->tree()) && is_ready(pod->tree())) {
    auto refused = refusal(call.core, *pod);
    if (!refused.ok()) return error_response(refused.error());
    if (*refused) return error_response(**refused);
  }
  RemoveOptions options = remove_options_from(store::get_object(*body, "deleteOptions"));
  options.dry_run = options.dry_run || context->dry_run;
  auto removed = call.core.pipeline.remove(call.resource, call.info.ns, call.info.name, options);
  if (!removed.ok()) return error_response(removed.error());
  return json_response(201, {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", json::object()}, {"status", "Success"}, {"code", 201}});
}

}  // namespace server
