// server/gateway/tls/certificates.h - PEM to OpenSSL's objects, freed by themselves. For this folder. Pure; any thread. No function
// leaves anything in the thread's queue of OpenSSL errors.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/gateway/table/table.h"
#include "store/base/openssl.h"
#include "store/base/result.h"

namespace server::gateway {

using base::BioPtr;
using base::CertificatePtr;
using base::FreeWith;
using base::KeyPtr;
inline void free_certificates(STACK_OF(X509) * stack) { sk_X509_pop_free(stack, X509_free); }

using ChainPtr = std::unique_ptr<STACK_OF(X509), FreeWith<free_certificates>>;
using StorePtr = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, FreeWith<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, FreeWith<SSL_free>>;

// The oldest error of the thread's queue in words, which is then emptied; `otherwise` when there is none.
std::string take_ssl_error(const char* otherwise);

struct ParsedIdentity {
  CertificatePtr leaf;
  ChainPtr chain;  // Without the leaf; may be empty.
  KeyPtr key;
};
using ParsedIdentityPtr = std::shared_ptr<const ParsedIdentity>;
// kInvalid, saying which part: no PEM, a key with a passphrase, a key that does not fit the certificate or is too weak to be served.
// The last few thousand are remembered: to read one takes OpenSSL half a millisecond, and every change of an object asks anew.
base::Result<ParsedIdentityPtr> parse_identity(const std::string& certificate_pem, const std::string& key_pem);

// Certificates to trust, with the revocation lists that stand among them (they are checked then). kInvalid without a certificate.
struct Trusted {
  StorePtr store;
  std::vector<CertificatePtr> certificates;
};
base::Result<Trusted> parse_trusted(const std::string& pem);

// Tells certificates apart by their end, which is their signature, without reading the whole of a thousand.
size_t hash_pem(const std::string& pem);

// RFC 2253.
std::string distinguished_name(const X509_NAME* name);
// The most specific CN; empty: none.
std::string common_name(const X509_NAME* name);
std::string to_pem(X509* certificate);

// TLS 1.2 suites with forward secrecy and authenticated encryption. TLS 1.3 has no others.
inline constexpr char kCiphers[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
// What sessions on non-blocking sockets need, on either side.
void set_common_options(SSL_CTX* context);

}  // namespace server::gateway
