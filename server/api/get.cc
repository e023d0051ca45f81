#include <nlohmann/json.hpp>

#include "server/api/list_options.h"
#include "server/api/request_info.h"
#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/verbs.h"

namespace server {

namespace {

base::Status check_get(const Call& call) {
  if (query_flag(call.request, "export")) return bad_request("the export parameter, deprecated since v1.14, is no longer supported");
  const auto revision = TRY(requested_revision(call.request));
  return wait_for_revision(call, revision.value_or(0));
}

}  // namespace

HttpResponse serve_get(const Call& call) {
  if (base::Status asked = check_get(call); !asked.ok()) return error_response(asked.error());
  auto object = call.core.pipeline.get(call.resource, call.info.ns, call.info.name);
  if (!object.ok()) return error_response(object.error());
  return object_response(call, 200, *object);
}

}  // namespace server
