#include <charconv>
#include <nlohmann/json.hpp>

#include "server/api/decode.h"
#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/verbs.h"
#include "store/object/access.h"

namespace server {
namespace {

base::Error delete_options_error(const std::string& field, const std::string& message, const char* reason) {
  base::Error e(base::Code::kInvalid, "DeleteOptions.meta.k8s.io \"\" is invalid: " + field + ": " + message);
  e.group = "meta.k8s.io";
  e.kind = "DeleteOptions";
  e.causes.push_back({reason, message, field});
  return e;
}

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

base::Result<RemoveOptions> remove_options(const HttpRequest& request) {
  json options = json::object();
  if (!request.body.empty()) {
    auto type = TRY(compat::parse_body_type(request.header("content-type")));
    if (type != compat::BodyType::kJson && type != compat::BodyType::kYaml && type != compat::BodyType::kProtobuf) {
      return base::Error(base::Code::kUnsupportedMediaType,
                         "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf");
    }
    options = TRY(decode_body(request.body, type, nullptr));
    if (options.is_null()) options = json::object();
    if (!options.is_object()) return bad_request("DeleteOptions: the body is not an object");
    if (std::string kind = store::get_string(options, "kind"); !kind.empty() && kind != "DeleteOptions") {
      return bad_request("converting (" + kind + ") to (DeleteOptions): unknown conversion");
    }
  }
  for (const auto& [name, value] : request.query) {
    if (name == "gracePeriodSeconds") {
      int64_t seconds = 0;
      auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
      if (error != std::errc() || end != value.data() + value.size()) return bad_request("strconv.ParseInt: parsing " + json(value).dump() + ": invalid syntax");
      options["gracePeriodSeconds"] = seconds;
    } else if (name == "propagationPolicy") {
      options["propagationPolicy"] = value;
    } else if (name == "orphanDependents") {
      options["orphanDependents"] = value == "true" || value == "1";
    } else if (name == "dryRun") {
      options["dryRun"] = json::array({value});
    }
  }
  for (const json& value : store::get_array(options, "dryRun")) {
    if (value != "All") return delete_options_error("dryRun", "Unsupported value: " + value.dump() + ": supported values: \"All\"", "FieldValueNotSupported");
  }
  std::string policy = store::get_string(options, "propagationPolicy");
  if (!policy.empty() && policy != "Foreground" && policy != "Background" && policy != "Orphan") {
    return delete_options_error("propagationPolicy", "Unsupported value: " + json(policy).dump() + ": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
                                "FieldValueNotSupported");
  }
  if (!policy.empty() && store::find(options, "orphanDependents")) {
    return delete_options_error("propagationPolicy", "Invalid value: " + json(policy).dump() + ": orphanDependents and deletionPropagation cannot be both set", "FieldValueInvalid");
  }
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
  if (!removed.ok()) return error_response(removed.error());
  if (!removed->gone || returns_object(call.resource)) return object_response(call, 200, removed->object, warnings);
  HttpResponse response = json_response(200, success_status(call.resource, call.info.name, removed->object.uid()));
  add_warnings(response, warnings);
  return response;
}

}  // namespace server
