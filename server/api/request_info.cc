#include "server/api/request_info.h"

#include <vector>

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
    // A watch of one object is a watch of the collection with a field selector; the old /watch/ prefix is gone.
    if (query_flag(request, "watch") && info.subresource.empty()) return Verb::kWatch;
    return one ? Verb::kGet : Verb::kList;
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

bool query_flag(const HttpRequest& request, const std::string& name) {
  std::string value = request.param(name).value_or("");
  // Go's ParseBool; python's client sends "True".
  return value == "true" || value == "1" || value == "True" || value == "TRUE" || value == "t" || value == "T";
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
  info.verb = choose_verb(request, info);
  return info;
}

}  // namespace server
