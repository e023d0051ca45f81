// server/api/access_control.h - who sends a request, and whether they may: certificates, tokens, impersonation, RBAC.
// Thread-safe. A question asks an immutable index, which is made anew when a role or binding has changed; members of
// system:masters are never asked about.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

#include "server/api/request_info.h"
#include "server/api/token_authority.h"
#include "server/auth/rbac_index.h"
#include "server/auth/user.h"
#include "server/http/server.h"

namespace server {

// What `info`, of `request`, asks for.
auth::Attributes attributes_of(const HttpRequest& request, const RequestInfo& info);

class AccessControl {
 public:
  AccessControl(const store::Store& store, const base::Clock& clock, const std::string& token_key_pem, const std::string& issuer);

  // kUnauthorized; kForbidden when the user must not impersonate whom the headers name.
  base::Result<auth::User> identify(const HttpRequest& request) const;
  auth::Decision decide(const auth::User& user, const auth::Attributes& what) const;
  // kForbidden worded as upstream.
  base::Status check(const auth::User& user, const auth::Attributes& what) const;
  std::shared_ptr<const auth::RbacIndex> index() const;

  // After each write, before it is answered.
  void changed(const store::Key& key);
  const TokenAuthority& tokens() const { return tokens_; }

 private:
  base::Result<auth::User> authenticate(const HttpRequest& request) const;
  base::Result<auth::User> impersonate(const HttpRequest& request, const auth::User& user) const;

  const store::Store& store_;
  TokenAuthority tokens_;
  std::atomic<uint64_t> version_{1};
  mutable std::mutex mutex_;  // Guards the making of an index.
  mutable auth::RoleCache roles_;
  mutable std::atomic<uint64_t> built_{0};
  mutable std::atomic<std::shared_ptr<const auth::RbacIndex>> index_;
};

}  // namespace server
