// namespaces/finalize: writes spec.finalizers, which nothing else does; the last one's removal ends the namespace.
#include <nlohmann/json.hpp>

#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/subresources/handlers.h"
#include "store/object/access.h"

namespace server {

HttpResponse serve_finalize(const Call& call) {
  auto context = write_context(call);
  if (!context.ok()) return error_response(context.error());
  auto body = read_body(call, *context);
  if (!body.ok()) return error_response(body.error());
  if (base::Status kind = check_body_kind(*body, body_kind(call.resource)); !kind.ok()) return error_response(kind.error());
  if (base::Status named = check_path_name(store::get_string(*body, "metadata.name"), call.info.name); !named.ok()) return error_response(named.error());
  const json finalizers = store::get_array(*body, "spec.finalizers");
  std::string version = store::get_string(*body, "metadata.resourceVersion");
  auto written = call.core.pipeline.rewrite(call.resource, call.info.ns, call.info.name, [&](const json& stored) -> base::Result<json> {
    if (!version.empty() && version != store::get_string(stored, "metadata.resourceVersion")) return stale(call.resource, call.info.name);
    json out = stored;
    if (finalizers.empty()) store::erase(out, "spec.finalizers");
    else store::set(out, "spec.finalizers", finalizers);
    return out;
  }, *context);
  return written.ok() ? object_response(call, 200, *written, context->warnings) : error_response(written.error());
}

}  // namespace server
