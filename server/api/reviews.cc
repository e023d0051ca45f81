#include "server/api/reviews.h"

#include <nlohmann/json.hpp>

#include "server/api/respond.h"
#include "server/api/status.h"
#include "server/api/verbs.h"
#include "store/object/access.h"

namespace server {
namespace {

using store::find;
using store::get_string;

struct Question {
  json tree;
  std::vector<std::string> warnings;
};

base::Result<Question> read_question(const Call& call) {
  WriteContext context = TRY(write_context(call));
  Question out;
  out.tree = TRY(read_body(call, context));
  TRY_STATUS(call.core.pipeline.decode(call.resource, out.tree, context, nullptr));
  store::apply_defaults(out.tree, *call.resource.type);
  out.warnings = std::move(context.warnings);
  return out;
}

HttpResponse answer(Question& question, json status) {
  question.tree["status"] = std::move(status);
  if (!question.tree.contains("metadata")) question.tree["metadata"] = json::object();
  HttpResponse response = json_response(201, question.tree);
  add_warnings(response, question.warnings);
  return response;
}

json render_user(const auth::User& user) {
  json out = {{"username", user.name}};
  if (!user.uid.empty()) out["uid"] = user.uid;
  if (!user.groups.empty()) out["groups"] = user.groups;
  if (!user.extra.empty()) out["extra"] = user.extra;
  return out;
}

std::vector<std::string> strings(const json& list) {
  std::vector<std::string> out;
  for (const json& s : list) {
    if (s.is_string()) out.push_back(s);
  }
  return out;
}

base::Status check_spec(const Call& call, const json& spec) {
  const json *resource = find(spec, "resourceAttributes"), *path = find(spec, "nonResourceAttributes");
  std::vector<base::Cause> causes;
  if (resource && path) causes.push_back(cause_invalid("spec.nonResourceAttributes", *path, "cannot be specified in combination with resourceAttributes"));
  if (!resource && !path) causes.push_back(cause_invalid("spec.resourceAttributes", nullptr, "exactly one of nonResourceAttributes or resourceAttributes must be specified"));
  const bool self = call.resource.kind == "SelfSubjectAccessReview";
  if (!self && get_string(spec, "user").empty() && store::get_array(spec, "groups").empty()) {
    causes.push_back(cause_invalid("spec.user", "", "at least one of user or group must be specified"));
  }
  if (causes.empty()) return {};
  return invalid(call.resource, "", std::move(causes));
}

auth::Attributes attributes_from(const json& spec) {
  auth::Attributes out;
  if (const json* path = find(spec, "nonResourceAttributes")) {
    out.is_resource = false;
    out.verb = get_string(*path, "verb");
    out.path = get_string(*path, "path");
    return out;
  }
  const json& r = store::get_object(spec, "resourceAttributes");
  out.verb = get_string(r, "verb");
  out.group = get_string(r, "group");
  out.version = get_string(r, "version");
  out.resource = get_string(r, "resource");
  out.subresource = get_string(r, "subresource");
  out.ns = get_string(r, "namespace");
  out.name = get_string(r, "name");
  return out;
}

auth::User user_from(const json& spec) {
  auth::User out;
  out.name = get_string(spec, "user");
  out.uid = get_string(spec, "uid");
  out.groups = strings(store::get_array(spec, "groups"));
  for (const auto& [key, values] : store::get_object(spec, "extra").items()) out.extra[key] = strings(values);
  return out;
}

HttpResponse review_access(const Call& call) {
  auto question = read_question(call);
  if (!question.ok()) return error_response(question.error());
  const json& spec = store::get_object(question->tree, "spec");
  if (base::Status good = check_spec(call, spec); !good.ok()) return error_response(good.error());
  auth::Attributes what = attributes_from(spec);
  if (call.resource.kind == "LocalSubjectAccessReview") {
    if (what.is_resource && what.ns != call.info.ns) {
      return error_response(bad_request("spec.resourceAttributes.namespace must match namespace: " + call.info.ns));
    }
    store::set(question->tree, "metadata.namespace", call.info.ns);
  }
  const bool self = call.resource.kind == "SelfSubjectAccessReview";
  const auth::Decision decision = call.core.access.decide(self ? call.user : user_from(spec), what);
  json status = {{"allowed", decision.allowed}};
  if (!decision.reason.empty()) status["reason"] = decision.reason;
  return answer(*question, std::move(status));
}

HttpResponse review_rules(const Call& call) {
  auto question = read_question(call);
  if (!question.ok()) return error_response(question.error());
  const std::string ns = get_string(question->tree, "spec.namespace");
  if (ns.empty()) return error_response(bad_request("no namespace on request"));
  json resources = json::array(), paths = json::array();
  std::vector<std::string> missing;
  for (const json& rule : auth::render_rules(call.core.access.index()->rules_for(call.user, ns, &missing))) {
    if (!store::get_array(rule, "nonResourceURLs").empty()) paths.push_back({{"verbs", rule["verbs"]}, {"nonResourceURLs", rule["nonResourceURLs"]}});
    else resources.push_back(rule);
  }
  json status = {{"resourceRules", std::move(resources)}, {"nonResourceRules", std::move(paths)}, {"incomplete", !missing.empty()}};
  if (!missing.empty()) {
    std::string text;
    for (const std::string& one : missing) text += (text.empty() ? "" : ", ") + one;
    status["evaluationError"] = missing.size() > 1 ? "[" + text + "]" : text;
  }
  return answer(*question, std::move(status));
}

HttpResponse review_self(const Call& call) {
  auto question = read_question(call);
  if (!question.ok()) return error_response(question.error());
  store::set(question->tree, "metadata.creationTimestamp", base::render_rfc3339(call.core.clock.wall()));
  return answer(*question, {{"userInfo", render_user(call.user)}});
}

HttpResponse review_token(const Call& call) {
  auto question = read_question(call);
  if (!question.ok()) return error_response(question.error());
  const std::string token = get_string(question->tree, "spec.token");
  if (token.empty()) return error_response(bad_request("token is required for TokenReview in authentication"));
  auto owner = call.core.access.tokens().check(token, strings(store::get_array(question->tree, "spec.audiences")));
  if (!owner.ok()) return answer(*question, {{"user", json::object()}, {"error", "invalid bearer token"}});
  return answer(*question, {{"authenticated", true}, {"user", render_user(owner->user)}, {"audiences", owner->audiences}});
}

}  // namespace

ReviewHandler find_review_handler(const store::Resource& r) {
  struct Row {
    std::string_view resource;  // Storage name.
    ReviewHandler handler;
  };
  static constexpr Row kRows[] = {
      {"selfsubjectaccessreviews.authorization.k8s.io", review_access}, {"subjectaccessreviews.authorization.k8s.io", review_access},
      {"localsubjectaccessreviews.authorization.k8s.io", review_access}, {"selfsubjectrulesreviews.authorization.k8s.io", review_rules},
      {"tokenreviews.authentication.k8s.io", review_token},             {"selfsubjectreviews.authentication.k8s.io", review_self},
  };
  if (r.verbs.size() != 1) return nullptr;
  for (const Row& row : kRows) {
    if (row.resource == r.storage_name) return row.handler;
  }
  return nullptr;
}

}  // namespace server
