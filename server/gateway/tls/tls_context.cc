#include "server/gateway/tls/tls_context.h"

#include <openssl/err.h>
#include <openssl/sha.h>

#include "server/gateway/tls/session_info.h"

namespace server::gateway {
namespace {

// A session may be resumed only where the same rules hold: else a client could pass a host's check of certificates with
// the session of another.
void set_session_context(SSL_CTX* context, const TlsInputs& inputs) {
  std::string all;
  auto add = [&](const std::string& part) { all += std::to_string(part.size()) + ":" + part; };
  add(inputs.identity->certificate_pem);
  add(inputs.ciphers);
  if (inputs.client_auth != nullptr) {
    add(std::to_string(static_cast<int>(inputs.client_auth->mode)) + (inputs.client_auth->broken ? "b" : ""));
    add(inputs.client_auth->trusted_pem);
    add(std::to_string(inputs.client_auth->depth));
  }
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), digest);
  static_assert(sizeof digest <= SSL_MAX_SID_CTX_LENGTH);
  SSL_CTX_set_session_id_context(context, digest, sizeof digest);
}

bool known_ciphers(const std::string& ciphers) {
  SslContextPtr scratch(SSL_CTX_new(TLS_server_method()));
  bool known = scratch != nullptr && SSL_CTX_set_cipher_list(scratch.get(), ciphers.c_str()) == 1;
  ERR_clear_error();
  return known;
}

int accept_any(int, X509_STORE_CTX*) { return 1; }

// Tells clients which certificates fit.
void name_authorities(SSL_CTX* context, const Trusted& trusted) {
  STACK_OF(X509_NAME)* names = sk_X509_NAME_new_null();
  for (const CertificatePtr& certificate : trusted.certificates) {
    X509_NAME* name = X509_NAME_dup(X509_get_subject_name(certificate.get()));
    if (name != nullptr) sk_X509_NAME_push(names, name);
  }
  SSL_CTX_set_client_CA_list(context, names);
}

// What matters of `auth`: whether clients are asked is all that its mode says to a handshake.
bool same_rules(const ClientAuth* a, const ClientAuth* b) {
  if (a == b) return true;
  if (a == nullptr || b == nullptr) return false;
  return a->mode == b->mode && a->trusted_pem == b->trusted_pem && a->depth == b->depth && a->broken == b->broken;
}

bool same_identity(const IdentityPtr& a, const IdentityPtr& b) {
  return a == b || (a->certificate_pem == b->certificate_pem && a->key_pem == b->key_pem);
}

}  // namespace

size_t TlsInputs::hash() const {
  size_t hash = hash_pem(identity->certificate_pem) * 31 + std::hash<std::string>()(ciphers);
  if (client_auth != nullptr) hash = hash * 31 + hash_pem(client_auth->trusted_pem) + static_cast<size_t>(client_auth->mode);
  return hash;
}

bool TlsInputs::operator==(const TlsInputs& other) const {
  return same_identity(identity, other.identity) && same_rules(client_auth.get(), other.client_auth.get()) && ciphers == other.ciphers;
}

base::Result<std::shared_ptr<const TlsContext>> TlsContext::make(TlsInputs inputs) {
  std::shared_ptr<TlsContext> made(new TlsContext);
  made->identity_ = TRY(parse_identity(inputs.identity->certificate_pem, inputs.identity->key_pem));
  made->hash_ = inputs.hash();
  made->inputs_ = std::move(inputs);
  if (!made->inputs_.ciphers.empty()) {
    made->usual_ciphers_ = !known_ciphers(made->inputs_.ciphers);
    if (made->usual_ciphers_) made->problem_ = "none of the ciphers \"" + made->inputs_.ciphers + "\" is known";
  }
  if (made->asks_client()) {
    base::Result<Trusted> trusted = parse_trusted(made->inputs_.client_auth->trusted_pem);
    if (trusted.ok()) made->trusted_ = std::move(*trusted);
    else made->problem_ = trusted.error().message;
  }
  return std::shared_ptr<const TlsContext>(std::move(made));
}

SslContextPtr TlsContext::build() const {
  SslContextPtr context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr) return nullptr;
  set_common_options(context.get());
  SSL_CTX_set_alpn_select_cb(context.get(), select_protocol, nullptr);
  SSL_CTX_set_cipher_list(context.get(), usual_ciphers_ ? kCiphers : inputs_.ciphers.c_str());
  set_session_context(context.get(), inputs_);
  if (asks_client()) {
    StorePtr nobody;
    if (trusted_.store == nullptr) nobody.reset(X509_STORE_new());
    SSL_CTX_set1_verify_cert_store(context.get(), trusted_.store != nullptr ? trusted_.store.get() : nobody.get());
    name_authorities(context.get(), trusted_);
  }
  if (SSL_CTX_use_cert_and_key(context.get(), identity_->leaf.get(), identity_->key.get(), identity_->chain.get(), 1) != 1) context = nullptr;
  ERR_clear_error();
  return context;
}

bool TlsContext::adopt(SSL* session) const {
  std::call_once(built_, [this] { context_ = build(); });
  if (context_ == nullptr || SSL_set_SSL_CTX(session, context_.get()) == nullptr) return false;
  // These do not come with the context.
  if (asks_client()) {
    SSL_set_verify(session, SSL_VERIFY_PEER, accept_any);
    SSL_set_verify_depth(session, inputs_.client_auth->depth);
  } else {
    SSL_set_verify(session, SSL_VERIFY_NONE, nullptr);
  }
  return true;
}

}  // namespace server::gateway
