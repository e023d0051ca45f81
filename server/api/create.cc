#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/api/body_kind.h"
#include "server/api/decode.h"
#include "server/api/json_syntax.h"
#include "server/api/respond.h"
#include "server/api/reviews.h"
#include "server/api/status.h"
#include "server/api/verbs.h"

namespace server {

namespace {

constexpr size_t kMaxManager = 128;

// Something that people can read: Go's unicode.IsPrint, as far as control characters go.
void check_manager(const std::string& manager, std::vector<base::Cause>& causes) {
  if (manager.size() > kMaxManager) causes.push_back({"FieldValueTooLong", "Too long: may not be more than 128 bytes", "fieldManager"});
  for (size_t i = 0; i < manager.size(); ++i) {
    const auto c = static_cast<unsigned char>(manager[i]);
    if (c >= 0x20 && c != 0x7F) continue;
    char text[64];
    snprintf(text, sizeof text, "invalid character U+%04X (at position %zu)", c, i);
    causes.push_back(cause_invalid("fieldManager", manager, text));
  }
}

// What goes with the patch that the request has, if it has one.
void check_patch_options(const Call& call, std::vector<base::Cause>& causes) {
  if (call.info.verb != Verb::kPatch) return;
  auto type = compat::parse_body_type(call.request.header("content-type"));
  const bool apply = type.ok() && *type == compat::BodyType::kApplyPatch;
  if (!apply && call.request.param("force")) causes.push_back(cause_forbidden("force", "may not be specified for non-apply patch"));
  if (apply && call.request.param("fieldManager").value_or("").empty()) causes.push_back(cause_required("fieldManager", "is required for apply patch"));
}

}  // namespace

base::Result<WriteContext> write_context(const Call& call) {
  WriteContext context;
  context.user = &call.user;
  const HttpRequest& request = call.request;
  std::vector<base::Cause> causes;
  check_patch_options(call, causes);
  context.manager = request.param("fieldManager").value_or("");
  check_manager(context.manager, causes);
  json dry_run = json::array();
  for (const auto& [name, value] : request.query) {
    if (name == "dryRun") dry_run.push_back(value);
  }
  context.dry_run = !dry_run.empty();
  if (std::any_of(dry_run.begin(), dry_run.end(), [](const json& value) { return value != "All"; })) {
    causes.push_back({"FieldValueNotSupported", "Unsupported value: " + dry_run.dump() + ": supported values: \"All\"", "dryRun"});
  }
  const std::string validation = request.param("fieldValidation").value_or("");
  if (validation == "Strict") context.validation = FieldValidation::kStrict;
  else if (validation == "Ignore") context.validation = FieldValidation::kIgnore;
  else if (!validation.empty() && validation != "Warn") {
    causes.push_back({"FieldValueNotSupported", "Unsupported value: " + json(validation).dump() + ": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"", "fieldValidation"});
  }
  if (!causes.empty()) return options_invalid(call.info.verb == Verb::kPatch ? "PatchOptions" : call.info.verb == Verb::kUpdate ? "UpdateOptions" : "CreateOptions", std::move(causes));
  if (context.manager.empty()) {
    std::string agent = request.header("user-agent");
    context.manager = agent.substr(0, agent.find('/')).substr(0, kMaxManager);
    if (context.manager.empty()) context.manager = "unknown";
  }
  return context;
}

base::Result<json> read_body(const Call& call, WriteContext& context) { return read_body(call, context, body_kind(call.resource)); }

base::Result<json> read_body(const Call& call, WriteContext& context, const BodyKind& wanted) {
  const std::string& body = call.request.body;
  auto type = TRY(compat::parse_body_type(call.request.header("content-type")));
  if (type != compat::BodyType::kJson && type != compat::BodyType::kYaml && type != compat::BodyType::kProtobuf) {
    return base::Error(base::Code::kUnsupportedMediaType,
                       "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf");
  }
  auto unrecognized = [&](const std::string& why) {
    return bad_request("the object provided is unrecognized (must be of type " + std::string(wanted.kind) + "): " + why + " (" + summarize_body(body) + ")");
  };
  auto tree = decode_body(body, type, &context.duplicates);
  if (!tree.ok()) {
    if (tree.error().code != base::Code::kBadRequest) return std::move(tree).error();
    return unrecognized((type == compat::BodyType::kJson ? "couldn't get version/kind; json parse error: " : "") + tree.error().message);
  }
  if (tree->is_null()) *tree = json::object();  // It says nothing, which is allowed.
  if (auto problem = head_problem(*tree)) return unrecognized(*problem);
  if (type == compat::BodyType::kJson) context.text = &body;
  return std::move(*tree);
}

HttpResponse serve_create(const Call& call) {
  if (ReviewHandler review = find_review_handler(call.resource)) return review(call);
  auto context = write_context(call);
  if (!context.ok()) return error_response(context.error());
  auto tree = read_body(call, *context);
  if (!tree.ok()) return error_response(tree.error());
  auto created = call.core.pipeline.create(call.resource, call.info.ns, std::move(*tree), *context);
  if (!created.ok()) return write_error(created.error(), *context);
  return object_response(call, 201, *created, context->warnings);
}

}  // namespace server
