// server/api/token_authority.h - service accounts' tokens: makes them, and tells whose a token is while its account and
// what it is bound to exist. Thread-safe.
#pragma once

#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/api/client.h"
#include "server/auth/jwt.h"
#include "server/auth/tokens.h"
#include "server/auth/user.h"
#include "store/base/clock.h"
#include "store/store.h"

namespace server {

class TokenAuthority {
 public:
  // `key_pem` "": a key of its own, that ends with it. Of a key that cannot be read, every use is that error.
  TokenAuthority(const store::Store& store, const base::Clock& clock, const std::string& key_pem, std::string issuer);

  // kNotFound: no such account or object to bind to; kConflict: it has another uid; kBadRequest: a kind that nothing is bound to.
  base::Result<IssuedToken> issue(const TokenWish& wish) const;
  // For a Secret of type kubernetes.io/service-account-token; good as long as both exist.
  base::Result<std::string> issue_legacy(const std::string& ns, const std::string& account, const std::string& secret) const;

  struct Owner {
    auth::User user;
    std::vector<std::string> audiences;
  };
  // kUnauthorized. `audiences` empty: the API server's.
  base::Result<Owner> check(const std::string& token, const std::vector<std::string>& audiences) const;

  const std::string& issuer() const { return issuer_; }
  base::Result<json> jwks() const;
  json discovery(const std::string& server_address) const;  // /.well-known/openid-configuration

 private:
  base::Result<json> verified(const std::string& token) const;
  base::Status check_bound(const auth::CheckedToken& token, const std::string& raw) const;
  base::Status bind(const TokenWish& wish, auth::TokenSubject& subject) const;

  const store::Store& store_;
  const base::Clock& clock_;
  const std::string issuer_;
  base::Result<auth::TokenKey> key_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, json> verified_;  // Claims of tokens whose signature was good: checking one takes longer than all else.
};

}  // namespace server
