// server/auth/jwt.h - JSON Web Tokens signed with ECDSA P-256 (ES256) or verified as that or RS256, and the key in the
// forms that clients read. Immutable after construction; any thread.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "store/base/result.h"

namespace auth {

using json = nlohmann::json;

base::Error refused(const char* why);     // kUnauthorized; why is for the log.

std::string base64url(std::string_view bytes);  // Without padding.

// A new P-256 key, PKCS#8 PEM.
base::Result<std::string> make_token_key();

class TokenKey {
 public:
  // A private key (PEM) of P-256 or RSA; kInvalid otherwise.
  static base::Result<TokenKey> from_pem(const std::string& pem);

  base::Result<std::string> sign(const json& claims) const;
  // The claims of a token whose signature is this key's; kUnauthorized otherwise. Nothing else is looked at.
  base::Result<json> verify(std::string_view token) const;
  json jwks() const;                       // {"keys": [...]}
  const char* algorithm() const;           // "ES256" or "RS256"
  const std::string& id() const { return id_; }

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
  std::string id_;                         // Of the public key, as upstream makes it.
};

}  // namespace auth
