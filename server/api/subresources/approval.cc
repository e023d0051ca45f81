// certificatesigningrequests/approval: whether a certificate is to be made. What it may change, role_guard says.
#include "server/api/status.h"
#include "server/api/subresources/handlers.h"

namespace server {

HttpResponse serve_approval(const Call& call) {
  switch (call.info.verb) {
    case Verb::kGet: return serve_get(call);
    case Verb::kUpdate: return serve_update(call, "approval");
    case Verb::kPatch: return serve_patch(call, "approval");
    default: return error_response(method_not_supported(call.resource, verb_name(call.info.verb)));
  }
}

}  // namespace server
