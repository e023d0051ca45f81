#include "server/api/status.h"

#include <nlohmann/json.hpp>
#include <set>

namespace server {
namespace {

base::Error about(base::Code code, const store::Resource& r, const std::string& name, std::string message) {
  base::Error e(code, std::move(message));
  e.name = name;
  e.group = std::string(r.group);
  e.kind = std::string(r.plural);
  return e;
}

// What is wrong for two reasons is two causes, and said once.
std::string causes_text(const std::vector<base::Cause>& causes) {
  std::string text;
  std::set<std::string> said;
  for (const base::Cause& c : causes) {
    const std::string one = c.field + ": " + c.message;
    if (said.insert(one).second) text += (text.empty() ? "" : ", ") + one;
  }
  return said.size() > 1 ? "[" + text + "]" : text;
}

// What upstream's router refuses by itself has details, though nothing is in them.
bool has_empty_details(const base::Error& error) {
  switch (error.code) {
    case base::Code::kInvalid:
    case base::Code::kNotFound:
    case base::Code::kForbidden:
    case base::Code::kMethodNotAllowed: return true;
    case base::Code::kNotAcceptable: return error.message.starts_with("406: ");
    case base::Code::kUnsupportedMediaType: return error.message.starts_with("415: ");
    default: return false;
  }
}

}  // namespace

std::string qualified(const store::Resource& r) {
  return r.group.empty() ? std::string(r.plural) : std::string(r.plural) + "." + std::string(r.group);
}

base::Error not_found(const store::Resource& r, const std::string& name) {
  return about(base::Code::kNotFound, r, name, qualified(r) + " \"" + name + "\" not found");
}
base::Error already_exists(const store::Resource& r, const std::string& name) {
  return about(base::Code::kAlreadyExists, r, name, qualified(r) + " \"" + name + "\" already exists");
}
base::Error conflict(const store::Resource& r, const std::string& name, const std::string& why) {
  return about(base::Code::kConflict, r, name, "Operation cannot be fulfilled on " + qualified(r) + " \"" + name + "\": " + why);
}
base::Error stale(const store::Resource& r, const std::string& name) {
  return conflict(r, name, "the object has been modified; please apply your changes to the latest version and try again");
}
base::Error forbidden(const store::Resource& r, const std::string& name, const std::string& why) {
  return about(base::Code::kForbidden, r, name, qualified(r) + (name.empty() ? "" : " \"" + name + "\"") + " is forbidden: " + why);
}

base::Error invalid(const store::Resource& r, const std::string& name, std::vector<base::Cause> causes) {
  std::string kind = r.group.empty() ? std::string(r.kind) : std::string(r.kind) + "." + std::string(r.group);
  base::Error e = about(base::Code::kInvalid, r, name, kind + " \"" + name + "\" is invalid: " + causes_text(causes));
  e.kind = std::string(r.kind);
  e.causes = std::move(causes);
  return e;
}

base::Error options_invalid(const std::string& kind, std::vector<base::Cause> causes) {
  base::Error e(base::Code::kInvalid, kind + ".meta.k8s.io \"\" is invalid: " + causes_text(causes));
  e.group = "meta.k8s.io";
  e.kind = kind;
  e.causes = std::move(causes);
  return e;
}

base::Status check_path_name(const std::string& name, const std::string& on_path) {
  if (name == on_path) return {};
  if (name.empty()) return bad_request("the name of the object (" + on_path + " based on URL) was undeterminable: name must be provided");
  return bad_request("the name of the object (" + name + ") does not match the name on the URL (" + on_path + ")");
}

base::Error method_not_supported(const store::Resource& r, const std::string& action) {
  base::Error e = about(base::Code::kMethodNotAllowed, r, "", action + " is not supported on resources of kind \"" + qualified(r) + "\"");
  return e;
}
base::Error path_not_found() { return base::Error(base::Code::kNotFound, "the server could not find the requested resource"); }
base::Error method_not_allowed_here() { return base::Error(base::Code::kMethodNotAllowed, "the server does not allow this method on the requested resource"); }
base::Error bad_request(const std::string& message) { return base::Error(base::Code::kBadRequest, message); }
base::Error internal(const std::string& message) { return base::Error(base::Code::kInternal, "Internal error occurred: " + message); }

base::Cause cause_invalid(const std::string& field, const json& value, const std::string& detail) {
  std::string text = value.is_null() ? "null" : value.dump(-1, ' ', false, json::error_handler_t::replace);
  return {"FieldValueInvalid", "Invalid value: " + text + ": " + detail, field};
}
base::Cause cause_required(const std::string& field, const std::string& detail) {
  return {"FieldValueRequired", detail.empty() ? "Required value" : "Required value: " + detail, field};
}
base::Cause cause_forbidden(const std::string& field, const std::string& detail) {
  return {"FieldValueForbidden", "Forbidden: " + detail, field};
}

json render_status(const base::Error& error) {
  json status = {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", json::object()}, {"status", "Failure"}};
  status["message"] = error.message;
  status["code"] = base::http_code(error.code);
  // A plain Go error is a 500 without reason; "InternalError" belongs to "Internal error occurred: ...".
  if (error.code != base::Code::kInternal || error.message.starts_with("Internal error occurred")) status["reason"] = base::reason(error.code);
  json details = json::object();
  auto put = [&](const char* key, const std::string& value) {
    if (!value.empty()) details[key] = value;
  };
  put("name", error.name);
  put("group", error.group);
  put("kind", error.kind);
  put("uid", error.uid);
  for (const base::Cause& c : error.causes) {
    json cause = json::object();
    if (!c.reason.empty()) cause["reason"] = c.reason;
    if (!c.message.empty()) cause["message"] = c.message;
    if (!c.field.empty()) cause["field"] = c.field;
    details["causes"].push_back(std::move(cause));
  }
  if (error.retry_after_seconds > 0) details["retryAfterSeconds"] = error.retry_after_seconds;
  if (!details.empty() || has_empty_details(error)) status["details"] = std::move(details);
  return status;
}

json success_status(const store::Resource& r, const std::string& name, const std::string& uid) {
  json details = {{"name", name}, {"kind", r.plural}};
  if (!r.group.empty()) details["group"] = r.group;
  if (!uid.empty()) details["uid"] = uid;
  return {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", json::object()}, {"status", "Success"}, {"details", std::move(details)}};
}

HttpResponse plain_response(int code, const std::string& text) {
  HttpResponse response;
  response.status = code;
  response.content_type = "text/plain; charset=utf-8";
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.body = text;
  return response;
}

HttpResponse json_response(int code, const json& body) {
  HttpResponse response;
  response.status = code;
  response.body = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  return response;
}

HttpResponse error_response(const base::Error& error) {
  HttpResponse response = json_response(base::http_code(error.code), render_status(error));
  if (error.retry_after_seconds > 0) response.headers.emplace_back("Retry-After", std::to_string(error.retry_after_seconds));
  return response;
}

}  // namespace server
