// serviceaccounts/token: makes a token.
#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "server/api/subresources/handlers.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr int64_t kLeastSeconds = 600;
constexpr int64_t kMostSeconds = int64_t{1} << 32;

base::Status check_seconds(int64_t seconds, const std::string& name) {
  const char* problem = seconds < kLeastSeconds ? "may not specify a duration less than 10 minutes" : seconds > kMostSeconds ? "may not specify a duration larger than 2^32 seconds" : nullptr;
  if (!problem) return {};
  base::Cause cause = cause_invalid("spec.expirationSeconds", seconds, problem);
  base::Error e(base::Code::kInvalid, "TokenRequest.authentication.k8s.io \"" + name + "\" is invalid: spec.expirationSeconds: " + cause.message);
  e.group = "authentication.k8s.io";
  e.kind = "TokenRequest";
  e.name = name;
  e.causes.push_back(std::move(cause));
  return e;
}

base::Result<json> make_token(const Call& call) {
  const store::Type* type = store::find_type("io.k8s.api.authentication.v1.TokenRequest");
  WriteContext context = TRY(write_context(call));
  json body = TRY(read_body(call, context));
  if (!type || !body.is_object()) return bad_request("the body is no TokenRequest");
  store::drop_nulls(body, *type);
  TRY_STATUS(store::check_types(body, *type, "v1", "TokenRequest"));
  const std::string name = store::get_string(body, "metadata.name"), ns = store::get_string(body, "metadata.namespace");
  if (!name.empty() && name != call.info.name) {
    return bad_request("the service account name (" + name + ") does not match the name on the request (" + call.info.name + ")");
  }
  if (!ns.empty() && ns != call.info.ns) return bad_request("the namespace of the provided object does not match the namespace sent on the request");
  store::ensure(body, "spec");
  if (!body["spec"].is_object()) body["spec"] = json::object();
  store::apply_defaults(body, *type);
  const json& spec = body["spec"];
  TokenWish wish;
  wish.ns = call.info.ns;
  wish.account = call.info.name;
  wish.seconds = store::get_int(spec, "expirationSeconds", 3600);
  TRY_STATUS(check_seconds(wish.seconds, call.info.name));
  for (const json& audience : store::get_array(spec, "audiences")) {
    if (audience.is_string() && audience != "") wish.audiences.push_back(audience);
  }
  if (const json* bound = store::find(spec, "boundObjectRef"); bound && bound->is_object()) {
    wish.bound_version = store::get_string(*bound, "apiVersion");
    wish.bound_kind = store::get_string(*bound, "kind");
    wish.bound_name = store::get_string(*bound, "name");
    wish.bound_uid = store::get_string(*bound, "uid");
    if (wish.bound_kind.empty()) return bad_request("cannot bind token to object of type ");
  }
  IssuedToken made = TRY(call.core.access.tokens().issue(wish));
  if (context.dry_run) made.token = "";
  body["apiVersion"] = "authentication.k8s.io/v1";
  body["kind"] = "TokenRequest";
  body["metadata"]["name"] = call.info.name;
  body["metadata"]["namespace"] = call.info.ns;
  body["metadata"]["creationTimestamp"] = base::render_rfc3339(call.core.clock.wall());
  body["spec"]["audiences"] = made.audiences;
  body["status"] = {{"token", made.token}, {"expirationTimestamp", base::render_rfc3339(made.until)}};
  return body;
}

}  // namespace

HttpResponse serve_token(const Call& call) {
  auto made = make_token(call);
  return made.ok() ? json_response(201, *made) : error_response(made.error());
}

}  // namespace server
