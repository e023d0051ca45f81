#include <nlohmann/json.hpp>

#include "server/api/decode.h"
#include "server/api/respond.h"
#include "server/api/reviews.h"
#include "server/api/status.h"
#include "server/api/verbs.h"

namespace server {

base::Result<WriteContext> write_context(const Call& call) {
  WriteContext context;
  context.user = &call.user;
  const HttpRequest& request = call.request;
  std::string options_kind = call.info.verb == Verb::kPatch ? "PatchOptions" : call.info.verb == Verb::kUpdate ? "UpdateOptions" : "CreateOptions";
  auto options_error = [&](const std::string& field, const std::string& message, const char* reason) {
    base::Error e(base::Code::kInvalid, options_kind + ".meta.k8s.io \"\" is invalid: " + field + ": " + message);
    e.group = "meta.k8s.io";
    e.kind = options_kind;
    e.causes.push_back({reason, message, field});
    return e;
  };
  for (const auto& [name, value] : request.query) {
    if (name == "dryRun") {
      if (value != "All") return options_error("dryRun", "Unsupported value: " + json(value).dump() + ": supported values: \"All\"", "FieldValueNotSupported");
      context.dry_run = true;
    } else if (name == "fieldValidation" && !value.empty()) {
      if (value == "Strict") context.validation = FieldValidation::kStrict;
      else if (value == "Warn") context.validation = FieldValidation::kWarn;
      else if (value == "Ignore") context.validation = FieldValidation::kIgnore;
      else return options_error("fieldValidation", "Unsupported value: " + json(value).dump() + ": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"", "FieldValueNotSupported");
    } else if (name == "fieldManager" && value.size() > 128) {
      return options_error("fieldManager", "Too long: may not be more than 128 bytes", "FieldValueTooLong");
    }
  }
  context.manager = request.param("fieldManager").value_or("");
  if (context.manager.empty()) {
    std::string agent = request.header("user-agent");
    context.manager = agent.substr(0, agent.find('/')).substr(0, 128);
    if (context.manager.empty()) context.manager = "unknown";
  }
  return context;
}

base::Result<json> read_body(const Call& call, WriteContext& context) {
  auto type = TRY(compat::parse_body_type(call.request.header("content-type")));
  if (type != compat::BodyType::kJson && type != compat::BodyType::kYaml && type != compat::BodyType::kProtobuf) {
    return base::Error(base::Code::kUnsupportedMediaType,
                       "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf");
  }
  json tree = TRY(decode_body(call.request.body, type, &context.duplicates));
  if (tree.is_null()) tree = json::object();  // Upstream decodes an empty body into an empty object.
  return tree;
}

HttpResponse serve_create(const Call& call) {
  if (ReviewHandler review = find_review_handler(call.resource)) return review(call);
  auto context = write_context(call);
  if (!context.ok()) return error_response(context.error());
  auto tree = read_body(call, *context);
  if (!tree.ok()) return error_response(tree.error());
  auto created = call.core.pipeline.create(call.resource, call.info.ns, std::move(*tree), *context);
  if (!created.ok()) {
    HttpResponse response = error_response(created.error());
    add_warnings(response, context->warnings);
    return response;
  }
  return object_response(call, 201, *created, context->warnings);
}

}  // namespace server
