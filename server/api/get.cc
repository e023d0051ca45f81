#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/verbs.h"

namespace server {

HttpResponse serve_get(const Call& call) {
  auto object = call.core.pipeline.get(call.resource, call.info.ns, call.info.name);
  if (!object.ok()) return error_response(object.error());
  return object_response(call, 200, *object);
}

}  // namespace server
