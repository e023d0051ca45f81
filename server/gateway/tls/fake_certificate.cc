#include "server/gateway/tls/fake_certificate.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include "server/gateway/tls/certificates.h"

namespace server::gateway {
namespace {

bool add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool add_name(X509_NAME* name, const char* field, const char* value) {
  return X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC, reinterpret_cast<const unsigned char*>(value), -1, -1, 0) == 1;
}

bool fill(X509* certificate, EVP_PKEY* key) {
  uint64_t serial = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1) return false;
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_time_adj_ex(X509_getm_notAfter(certificate), 365, 0, nullptr);
  X509_set_pubkey(certificate, key);
  X509_NAME* name = X509_get_subject_name(certificate);
  return add_name(name, "O", "Acme Co") && add_name(name, "CN", "Kubernetes Ingress Controller Fake Certificate") && X509_set_issuer_name(certificate, name) == 1 &&
         add_extension(certificate, NID_key_usage, "critical,digitalSignature,keyEncipherment") && add_extension(certificate, NID_ext_key_usage, "serverAuth") &&
         add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") && add_extension(certificate, NID_subject_alt_name, "DNS:ingress.local") &&
         X509_sign(certificate, key, EVP_sha256()) > 0;
}

IdentityPtr make() {
  auto identity = std::make_shared<Identity>();
  KeyPtr key(EVP_EC_gen("P-256"));
  CertificatePtr certificate(X509_new());
  BioPtr writer(BIO_new(BIO_s_mem()));
  bool made = key != nullptr && certificate != nullptr && writer != nullptr && fill(certificate.get(), key.get()) &&
              PEM_write_bio_PKCS8PrivateKey(writer.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
  if (made) {
    char* data = nullptr;
    long size = BIO_get_mem_data(writer.get(), &data);
    identity->key_pem.assign(data, static_cast<size_t>(size));
    identity->certificate_pem = to_pem(certificate.get());
  }
  ERR_clear_error();
  return identity;
}

}  // namespace

IdentityPtr fake_identity() {
  static const IdentityPtr identity = make();
  return identity;
}

}  // namespace server::gateway
