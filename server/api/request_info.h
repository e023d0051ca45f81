// server/api/request_info.h - what a request asks for: path and query as Kubernetes reads them. Pure.
#pragma once

#include <string>

#include "server/http/server.h"

namespace server {

enum class Verb { kNone, kGet, kList, kWatch, kCreate, kUpdate, kPatch, kDelete, kDeleteCollection };
const char* verb_name(Verb verb);  // "get", "deletecollection", ...

struct RequestInfo {
  bool is_resource = false;  // /api/V/... or /apis/G/V/... naming a resource; otherwise a plain path.
  Verb verb = Verb::kNone;   // kNone: the method fits nothing.
  std::string group;
  std::string version;
  std::string plural;
  std::string ns;
  std::string name;
  std::string subresource;
  std::string rest;          // Beyond the subresource: pods/NAME/proxy/REST.
};

RequestInfo parse_request(const HttpRequest& request);
// A `timeout` that is no duration is refused, where there is an end to wait for; kBadRequest.
base::Status check_timeout(const HttpRequest& request, const RequestInfo& info);
bool query_flag(const HttpRequest& request, const std::string& name);  // Given, and neither "false" nor "0"

}  // namespace server
