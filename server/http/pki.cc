#include "server/http/pki.h"

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <memory>

#include "store/base/openssl.h"

namespace server {
namespace {

using base::BioPtr;
using base::BnPtr;
using base::CertificatePtr;
using base::ExtensionPtr;
using base::KeyPtr;
using base::NamesPtr;
using base::ssl_error;

base::Result<KeyPair> to_pem(X509* cert, EVP_PKEY* key) {
  BioPtr cert_bio(BIO_new(BIO_s_mem())), key_bio(BIO_new(BIO_s_mem()));
  if (!PEM_write_bio_X509(cert_bio.get(), cert) ||
      !PEM_write_bio_PKCS8PrivateKey(key_bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr)) {
    return ssl_error("encode certificate");
  }
  return KeyPair{base::bio_text(cert_bio.get()), base::bio_text(key_bio.get())};
}

void add_subject(X509* cert, const CertRequest& request) {
  X509_NAME* name = X509_get_subject_name(cert);
  auto add = [&](const char* field, const std::string& value) {
    X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(value.data()),
                               static_cast<int>(value.size()), -1, 0);
  };
  for (const std::string& o : request.organizations) add("O", o);
  add("CN", request.common_name);
}

base::Status add_extension(X509* cert, X509* issuer, int nid, const char* value) {
  X509V3_CTX ctx;
  X509V3_set_ctx_nodb(&ctx);
  X509V3_set_ctx(&ctx, issuer, cert, nullptr, nullptr, 0);
  ExtensionPtr ext(X509V3_EXT_conf_nid(nullptr, &ctx, nid, value));
  if (!ext || !X509_add_ext(cert, ext.get(), -1)) return ssl_error(std::string("certificate extension ") + OBJ_nid2sn(nid));
  return {};
}

// Built from values rather than from OpenSSL's "DNS:a,IP:b" text, where a comma in a name would add a name.
base::Status add_alt_names(X509* cert, const CertRequest& request) {
  if (request.dns_names.empty() && request.ips.empty()) return {};
  NamesPtr names(sk_GENERAL_NAME_new_null());
  auto push = [&](int type, const unsigned char* data, size_t size) {
    GENERAL_NAME* entry = GENERAL_NAME_new();
    ASN1_STRING* value = type == GEN_DNS ? static_cast<ASN1_STRING*>(ASN1_IA5STRING_new()) : ASN1_OCTET_STRING_new();
    ASN1_STRING_set(value, data, static_cast<int>(size));
    GENERAL_NAME_set0_value(entry, type, value);
    sk_GENERAL_NAME_push(names.get(), entry);
  };
  for (const std::string& name : request.dns_names) push(GEN_DNS, reinterpret_cast<const unsigned char*>(name.data()), name.size());
  for (const std::string& ip : request.ips) {
    unsigned char bytes[16];
    if (inet_pton(AF_INET, ip.c_str(), bytes) == 1) {
      push(GEN_IPADD, bytes, 4);
    } else if (inet_pton(AF_INET6, ip.c_str(), bytes) == 1) {
      push(GEN_IPADD, bytes, 16);
    } else {
      return base::Error(base::Code::kInvalid, "certificate for " + request.common_name + ": \"" + ip + "\" is not an IP address");
    }
  }
  if (X509_add1_ext_i2d(cert, NID_subject_alt_name, names.get(), 0, X509V3_ADD_DEFAULT) != 1) return ssl_error("subject alternative names");
  return {};
}

// Serial numbers are random 159 bit, so that certificates of two clusters with one CA name never collide.
base::Result<CertificatePtr> new_cert(EVP_PKEY* key, const CertRequest& request) {
  CertificatePtr cert(X509_new());
  BnPtr serial(BN_new());
  if (!cert || !serial || !BN_rand(serial.get(), 159, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY)) return ssl_error("random serial");
  BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(cert.get()));
  X509_set_version(cert.get(), 2);
  // An hour back: virtual machines' clocks jump, and a client's clock may lag.
  X509_gmtime_adj(X509_getm_notBefore(cert.get()), -3600);
  X509_time_adj_ex(X509_getm_notAfter(cert.get()), request.days, 0, nullptr);
  X509_set_pubkey(cert.get(), key);
  add_subject(cert.get(), request);
  return cert;
}

}  // namespace

base::Result<KeyPair> make_ca(const std::string& common_name) {
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return ssl_error("generate key");
  CertRequest request;
  request.common_name = common_name;
  CertificatePtr cert = TRY(new_cert(key.get(), request));
  X509_set_issuer_name(cert.get(), X509_get_subject_name(cert.get()));
  TRY_STATUS(add_extension(cert.get(), cert.get(), NID_basic_constraints, "critical,CA:TRUE"));
  TRY_STATUS(add_extension(cert.get(), cert.get(), NID_key_usage, "critical,digitalSignature,keyEncipherment,keyCertSign"));
  TRY_STATUS(add_extension(cert.get(), cert.get(), NID_subject_key_identifier, "hash"));
  if (!X509_sign(cert.get(), key.get(), EVP_sha256())) return ssl_error("sign certificate");
  return to_pem(cert.get(), key.get());
}

base::Result<KeyPair> sign(const KeyPair& ca, const CertRequest& request) {
  BioPtr cert_bio(BIO_new_mem_buf(ca.cert_pem.data(), static_cast<int>(ca.cert_pem.size())));
  BioPtr key_bio(BIO_new_mem_buf(ca.key_pem.data(), static_cast<int>(ca.key_pem.size())));
  CertificatePtr issuer(PEM_read_bio_X509(cert_bio.get(), nullptr, nullptr, nullptr));
  KeyPtr issuer_key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, nullptr, nullptr));
  if (!issuer || !issuer_key) return ssl_error("read the CA");
  KeyPtr key(EVP_EC_gen("P-256"));
  if (!key) return ssl_error("generate key");
  CertificatePtr cert = TRY(new_cert(key.get(), request));
  X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer.get()));
  TRY_STATUS(add_extension(cert.get(), issuer.get(), NID_basic_constraints, "critical,CA:FALSE"));
  TRY_STATUS(add_extension(cert.get(), issuer.get(), NID_key_usage, "critical,digitalSignature,keyEncipherment"));
  TRY_STATUS(add_extension(cert.get(), issuer.get(), NID_ext_key_usage, request.client ? "clientAuth" : "serverAuth"));
  TRY_STATUS(add_extension(cert.get(), issuer.get(), NID_subject_key_identifier, "hash"));
  TRY_STATUS(add_extension(cert.get(), issuer.get(), NID_authority_key_identifier, "keyid"));
  TRY_STATUS(add_alt_names(cert.get(), request));
  if (!X509_sign(cert.get(), issuer_key.get(), EVP_sha256())) return ssl_error("sign certificate");
  return to_pem(cert.get(), key.get());
}

}  // namespace server
