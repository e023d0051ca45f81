// server/gateway/tls/tls_context.h - a certificate, the rules for clients' certificates and the ciphers, as one OpenSSL context. What
// can be wrong is found when it is made; the costly part is built when a client first needs it (0.2 ms).
//
// Immutable to the outside; any thread. For this folder.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "server/gateway/tls/certificates.h"

namespace server::gateway {

// What a context is made from; equal ones share a context.
struct TlsInputs {
  IdentityPtr identity;                           // Never nullptr.
  std::shared_ptr<const ClientAuth> client_auth;  // nullptr: none are asked for.
  std::string ciphers;

  size_t hash() const;
  bool operator==(const TlsInputs& other) const;  // By value, without what handshakes do not depend on.
};

class TlsContext {
 public:
  // kInvalid when the identity cannot be served, as parse_identity().
  static base::Result<std::shared_ptr<const TlsContext>> make(TlsInputs inputs);

  const TlsInputs& inputs() const { return inputs_; }
  size_t hash() const { return hash_; }
  // What handshakes have to do without: unknown ciphers (the usual ones are taken), a CA that cannot be read (no certificate verifies).
  // Empty: nothing.
  const std::string& problem() const { return problem_; }
  // Makes `session`, which is reading its ClientHello, one of this context. False: no memory.
  bool adopt(SSL* session) const;

 private:
  TlsContext() = default;
  SslContextPtr build() const;
  bool asks_client() const { return inputs_.client_auth != nullptr && inputs_.client_auth->mode != ClientAuth::Mode::kOff && !inputs_.client_auth->broken; }

  TlsInputs inputs_;
  size_t hash_ = 0;
  std::string problem_;
  bool usual_ciphers_ = true;
  Trusted trusted_;
  ParsedIdentityPtr identity_;
  mutable std::once_flag built_;
  mutable SslContextPtr context_;
};

}  // namespace server::gateway
