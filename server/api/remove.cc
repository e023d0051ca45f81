#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/api/body_kind.h"
#include "server/api/decode.h"
#include "server/api/go_text.h"
#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/verbs.h"
#include "store/object/access.h"

namespace server {
namespace {

// Kinds whose deletion answers with the object rather than a Status, as upstream's registries say.
bool returns_object(const store::Resource& r) {
  static constexpr std::string_view kKinds[] = {"pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims", "podtemplates", "resourcequotas"};
  return std::find(std::begin(kKinds), std::end(kKinds), r.storage_name) != std::end(kKinds);
}

}  // namespace

RemoveOptions remove_options_from(const json& options) {
  RemoveOptions out;
  if (const json* grace = store::find(options, "gracePeriodSeconds"); grace && grace->is_number_integer()) out.grace_period_seconds = grace->get<int64_t>();
  out.propagation = store::get_string(options, "propagationPolicy");
  if (const json* orphan = store::find(options, "orphanDependents"); orphan && orphan->is_boolean() && out.propagation.empty()) {
    out.propagation = orphan->get<bool>() ? "Orphan" : "Background";
  }
  out.uid = store::get_string(options, "preconditions.uid");
  out.resource_version = store::get_string(options, "preconditions.resourceVersion");
  for (const json& value : store::get_array(options, "dryRun")) out.dry_run = out.dry_run || value == "All";
  return out;
}

base::Status check_delete_options(const json& options) {
  static constexpr std::string_view kPolicies[] = {"Foreground", "Background", "Orphan"};
  std::vector<base::Cause> causes;
  const json* policy = store::find_key(options, "propagationPolicy");
  if (policy && policy->is_string()) {
    if (store::find_key(options, "orphanDependents")) causes.push_back(cause_invalid("propagationPolicy", *policy, "orphanDependents and deletionPropagation cannot be both set"));
    if (std::find(std::begin(kPolicies), std::end(kPolicies), policy->get<std::string>()) == std::end(kPolicies)) {
      causes.push_back({"FieldValueNotSupported", "Unsupported value: " + policy->dump() + ": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"", "propagationPolicy"});
    }
  }
  const json& dry_run = store::get_array(options, "dryRun");
  if (std::any_of(dry_run.begin(), dry_run.end(), [](const json& value) { return value != "All"; })) {
    causes.push_back({"FieldValueNotSupported", "Unsupported value: " + dry_run.dump() + ": supported values: \"All\"", "dryRun"});
  }
  if (causes.empty()) return {};
  return options_invalid("DeleteOptions", std::move(causes));
}

namespace {

base::Result<json> options_of_body(const HttpRequest& request) {
  auto type = TRY(compat::parse_body_type(request.header("content-type")));
  if (type != compat::BodyType::kJson && type != compat::BodyType::kYaml && type != compat::BodyType::kProtobuf) {
    return base::Error(base::Code::kUnsupportedMediaType,
                       "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf");
  }
  auto decoded = decode_body(request.body, type, nullptr);
  if (!decoded.ok()) return bad_request((type == compat::BodyType::kJson ? "couldn't get version/kind; json parse error: " : "") + decoded.error().message);
  json options = decoded->is_null() ? json::object() : std::move(*decoded);
  if (auto problem = head_problem(options)) return bad_request(*problem);
  const std::string kind = store::get_string(options, "kind"), version = store::get_string(options, "apiVersion");
  if (!kind.empty() && kind != "DeleteOptions") {  // Which every group has.
    return bad_request("no kind \"" + kind + "\" is registered for version \"" + version + "\" in scheme \"pkg/runtime/scheme.go:111\"");
  }
  const store::Type* wanted = store::find_type("io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions");
  if (!wanted) return options;
  store::drop_nulls(options, *wanted);
  base::Status typed = store::check_types(options, *wanted, "v1", "DeleteOptions");
  if (typed.ok()) return options;
  const std::string& message = typed.error().message;
  return bad_request(message.substr(std::min(message.find(": "), message.size() - 2) + 2));
}

base::Result<json> options_of_query(const HttpRequest& request) {
  json options = json::object();
  for (const auto& [name, value] : request.query) {
    if (name == "gracePeriodSeconds" && !value.empty()) options["gracePeriodSeconds"] = TRY(parse_int(value));
    else if (name == "propagationPolicy") options["propagationPolicy"] = value;
    else if (name == "orphanDependents") options["orphanDependents"] = query_flag(request, name);
    else if (name == "dryRun") options["dryRun"].push_back(value);
    else if ((name == "uid" || name == "resourceVersion") && !value.empty()) options["preconditions"][name] = value;
  }
  return options;
}

}  // namespace

// A body says it all: then the query is not asked.
base::Result<RemoveOptions> remove_options(const HttpRequest& request) {
  const json options = TRY(request.body.empty() ? options_of_query(request) : options_of_body(request));
  TRY_STATUS(check_delete_options(options));
  return remove_options_from(options);
}

// Of clients that do not say: pods of these two kinds stayed when their API was made, so they still do.
std::vector<std::string> default_propagation(const store::Resource& r, RemoveOptions& options) {
  const bool job = r.storage_name == "jobs.batch";
  if (!options.propagation.empty() || (!job && r.storage_name != "replicationcontrollers")) return {};
  options.propagation = "Orphan";
  if (!job) return {};
  return {"child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"};
}

HttpResponse serve_delete(const Call& call) {
  auto options = remove_options(call.request);
  if (!options.ok()) return error_response(options.error());
  const std::vector<std::string> warnings = default_propagation(call.resource, *options);
  auto removed = call.core.pipeline.remove(call.resource, call.info.ns, call.info.name, *options);
  if (!removed.ok()) {
    HttpResponse response = error_response(removed.error());
    add_warnings(response, warnings);
    return response;
  }
  if (!removed->gone || returns_object(call.resource)) return object_response(call, 200, removed->object, warnings);
  HttpResponse response = json_response(200, success_status(call.resource, call.info.name, removed->object.uid()));
  add_warnings(response, warnings);
  return response;
}

}  // namespace server
