#include "server/api/request_info.h"

#include <algorithm>
#include <vector>

#include "server/api/go_text.h"
#include "store/base/text.h"

namespace server {
namespace {

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  size_t at = 0;
  while (at < path.size()) {
    size_t slash = path.find('/', at);
    if (slash == std::string::npos) slash = path.size();
    if (slash > at) parts.push_back(path.substr(at, slash - at));
    at = slash + 1;
  }
  return parts;
}

Verb choose_verb(const HttpRequest& request, const RequestInfo& info) {
  const bool one = !info.name.empty();
  if (request.method == "GET" || request.method == "HEAD") {
    // A watch of one object is a watch of the collection with a field selector: with a name on the path the flag means nothing.
    if (one) return Verb::kGet;
    return query_flag(request, "watch") ? Verb::kWatch : Verb::kList;
  }
  if (request.method == "POST") return one && info.subresource.empty() ? Verb::kNone : Verb::kCreate;
  if (request.method == "PUT") return one ? Verb::kUpdate : Verb::kNone;
  if (request.method == "PATCH") return one ? Verb::kPatch : Verb::kNone;
  if (request.method == "DELETE") return one ? Verb::kDelete : Verb::kDeleteCollection;
  return Verb::kNone;
}

}  // namespace

const char* verb_name(Verb verb) {
  switch (verb) {
    case Verb::kGet: return "get";
    case Verb::kList: return "list";
    case Verb::kWatch: return "watch";
    case Verb::kCreate: return "create";
    case Verb::kUpdate: return "update";
    case Verb::kPatch: return "patch";
    case Verb::kDelete: return "delete";
    case Verb::kDeleteCollection: return "deletecollection";
    case Verb::kNone: break;
  }
  return "";
}

// Only "false" and "0" say no, as upstream reads a query: python's client sends "True", and "?watch" is a yes.
bool query_flag(const HttpRequest& request, const std::string& name) {
  const auto value = request.param(name);
  return value && *value != "0" && base::lower(*value) != "false";
}

base::Status check_timeout(const HttpRequest& request, const RequestInfo& info) {
  static constexpr std::string_view kLong[] = {"attach", "exec", "proxy", "log", "portforward"};
  const std::string timeout = request.param("timeout").value_or("");
  if (timeout.empty() || info.verb == Verb::kWatch || std::find(std::begin(kLong), std::end(kLong), info.subresource) != std::end(kLong)) return {};
  const std::string problem = duration_problem(timeout);
  if (problem.empty()) return {};
  return base::Error(base::Code::kBadRequest, "invalid timeout specified in the request URL - " + problem);
}

RequestInfo parse_request(const HttpRequest& request) {
  RequestInfo info;
  std::vector<std::string> parts = split_path(request.path);
  size_t at = 0;
  if (parts.size() >= 3 && parts[0] == "api") {
    info.version = parts[1];
    at = 2;
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    info.group = parts[1];
    info.version = parts[2];
    at = 3;
  } else {
    return info;
  }
  info.is_resource = true;
  // How watches were spelt before there was a flag: /api/v1/watch/namespaces/NS/pods/NAME.
  const bool watch = request.method == "GET" && parts[at] == "watch" && parts.size() > at + 1;
  if (watch) ++at;
  // /namespaces/NS/RESOURCE... is about RESOURCE, except for the subresources of namespaces themselves.
  if (parts[at] == "namespaces" && parts.size() > at + 2 && !(info.group.empty() && parts.size() == at + 3 &&
                                                              (parts[at + 2] == "status" || parts[at + 2] == "finalize"))) {
    info.ns = parts[at + 1];
    at += 2;
  }
  info.plural = parts[at++];
  if (at < parts.size()) info.name = parts[at++];
  if (at < parts.size()) info.subresource = parts[at++];
  for (; at < parts.size(); ++at) info.rest += "/" + parts[at];
  info.verb = watch ? Verb::kWatch : choose_verb(request, info);
  return info;
}

}  // namespace server
