// server/auth/tokens.h - what is in a service account's token: claims as upstream writes them. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "store/base/clock.h"
#include "store/base/result.h"

namespace auth {

using json = nlohmann::json;

struct ObjectId {
  std::string name, uid;  // Empty: none.
  explicit operator bool() const { return !name.empty(); }
};

struct TokenSubject {
  std::string ns;
  ObjectId account;
  ObjectId pod, secret, node;  // What the token is bound to; a pod's token also names its node.
};

// A token that was asked for.
struct TokenTerms {
  std::string issuer;
  std::vector<std::string> audiences;
  base::WallTime from{}, until{};
  base::WallTime warn_after{};  // Set: tokens used later than this should have been renewed.
  std::string id;               // jti
};
json render_claims(const TokenSubject& subject, const TokenTerms& terms);
// Of the Secret kind, without an end.
json render_legacy_claims(const TokenSubject& subject);

struct CheckedToken {
  TokenSubject subject;
  std::vector<std::string> audiences;  // Those of `wanted` that it is for.
  std::string id;
  bool legacy = false;
  int64_t until = 0;                   // Seconds since 1970; 0: for ever.
};
// kUnauthorized: another issuer, none of the audiences, too early or too late, or not a service account's.
base::Result<CheckedToken> check_claims(const json& claims, const std::string& issuer, const std::vector<std::string>& wanted, base::WallTime now);

}  // namespace auth
