#include "server/gateway/policy/cors.h"

#include "server/gateway/policy/encoding.h"
#include "store/base/regex.h"

namespace server::gateway {

bool origin_allowed(const Cors& cors, std::string_view origin) {
  if (cors.any_origin) return true;
  if (origin.empty()) return false;
  for (const RegexPtr& pattern : cors.origins) {
    if (pattern && pattern->search(origin)) return true;
  }
  return false;
}

// ingress-nginx answers every OPTIONS that way, a real preflight (with Access-Control-Request-Method) or not.
std::optional<ResponseHead> answer_preflight(const Cors& cors, const RequestHead& request) {
  if (request.method != "OPTIONS" || !origin_allowed(cors, request.headers.find("origin").value_or(""))) return std::nullopt;
  ResponseHead head;
  head.status = 204;
  head.headers.add("Content-Type", "text/plain charset=UTF-8");
  return head;
}

void add_cors_headers(const Cors& cors, const RequestHead& request, Headers& response) {
  std::string_view origin = request.headers.find("origin").value_or("");
  if (!origin_allowed(cors, origin)) return;
  // With credentials a browser does not take "*", but ingress-nginx says just that when any origin is allowed.
  std::string allowed(cors.any_origin ? std::string_view("*") : origin);
  make_header_safe(&allowed);
  response.set("Access-Control-Allow-Origin", allowed);
  if (cors.credentials) response.set("Access-Control-Allow-Credentials", "true");
  response.set("Access-Control-Allow-Methods", cors.methods);
  response.set("Access-Control-Allow-Headers", cors.headers);
  if (!cors.expose.empty()) response.set("Access-Control-Expose-Headers", cors.expose);
  response.set("Access-Control-Max-Age", std::to_string(cors.max_age_s));
}

}  // namespace server::gateway
