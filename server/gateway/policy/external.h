// server/gateway/policy/external.h - another service decides (auth-url): what it is asked, what its answer means, and how
// long that is remembered.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/gateway/message/message.h"
#include "server/gateway/policy/template.h"
#include "server/gateway/table/table.h"
#include "store/base/clock.h"

namespace server::gateway {

// A request without a body for the auth service: target and Host of its URL, the client's headers, X-Original-URL, X-Original-Method,
// X-Sent-From, X-Real-IP, X-Forwarded-For, X-Auth-Request-Redirect, and those that the rules set. Pure.
RequestHead auth_request(const ExternalAuth& auth, const RequestHead& request, const TemplateContext& context);

struct AuthDecision {
  enum class Kind : uint8_t { kAllow, kDeny, kSignIn } kind = Kind::kDeny;
  int status = 500;                           // kDeny
  std::vector<HeaderChange> request_headers;  // kAllow: for the endpoint's request. An answer without one of them takes away the client's.
  std::vector<std::string> cookies;           // Set-Cookie of the auth service, for the client where cookie_goes_with().
  std::string location;                       // kSignIn: where to (302).
  Headers response_headers;                   // kDeny: WWW-Authenticate
};
// `status` 0: the service could not be asked. 2xx: allow; 401, 403: deny, 401 with a sign-in page: go there; else 500. Pure.
AuthDecision decide_external(const ExternalAuth& auth, int status, const Headers& headers, const TemplateContext& context);
// Do the auth service's cookies go with an answer of that status to the client? nginx's add_header: 200, 201, 204, 206, 301 to 304,
// 307, 308; with always_set_cookie all. Pure.
bool cookie_goes_with(const ExternalAuth& auth, int status);

// Answers of auth services by a key. Any thread; bounded: the ones asked for least recently go first.
class AuthCache {
 public:
  struct Answer {
    int status = 0;
    Headers headers;
  };
  AuthCache();
  ~AuthCache();

  std::optional<Answer> find(std::string_view key, base::MonoTime now);
  // Not kept: a status for which the rules have no time, 0, 5xx.
  void keep(const ExternalAuth& auth, std::string_view key, int status, const Headers& headers, base::MonoTime now);
  size_t size() const;

 private:
  struct Shard;
  Shard& shard_of(std::string_view key) const;
  std::unique_ptr<Shard[]> shards_;
};

}  // namespace server::gateway
