#include <nlohmann/json.hpp>

#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/verbs.h"

namespace server {

HttpResponse serve_update(const Call& call, const std::string& subresource) {
  auto context = write_context(call);
  if (!context.ok()) return error_response(context.error());
  auto tree = read_body(call, *context);
  if (!tree.ok()) return error_response(tree.error());
  auto updated = call.core.pipeline.update(call.resource, call.info.ns, call.info.name, subresource, std::move(*tree), *context);
  if (!updated.ok()) return write_error(updated.error(), *context);
  return object_response(call, context->created ? 201 : 200, *updated, context->warnings);
}

}  // namespace server
