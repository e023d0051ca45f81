#include "server/images/app_tls.h"

#include <openssl/ssl.h>

#include <ctime>

#include "store/base/openssl.h"

namespace server::images {
namespace {

using Key = base::KeyPtr;
using Certificate = base::CertificatePtr;

base::Error tls_error(const std::string& what) { return base::ssl_error(what, base::Code::kInvalid); }

bool add_extension(X509* certificate, int nid, const char* value) {
  base::ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
  return extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1;
}

Certificate make_certificate(EVP_PKEY* key) {
  Certificate certificate(X509_new());
  if (certificate == nullptr) return nullptr;
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), static_cast<long>(::time(nullptr)));
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -24L * 3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 10L * 365 * 24 * 3600);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  bool complete = add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE") &&
                  add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature,keyCertSign") &&
                  add_extension(certificate.get(), NID_subject_alt_name, "DNS:localhost,DNS:example.com,IP:127.0.0.1,IP:::1");
  return complete && X509_sign(certificate.get(), key, EVP_sha256()) > 0 ? std::move(certificate) : nullptr;
}

ssl_ctx_st* make_context() {
  ssl_ctx_st* context = SSL_CTX_new(TLS_server_method());
  if (context != nullptr) SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  return context;
}

}  // namespace

AppTls::~AppTls() { SSL_CTX_free(context_); }

base::Result<std::shared_ptr<AppTls>> AppTls::load(const std::string& cert_file, const std::string& key_file) {
  std::shared_ptr<AppTls> tls(new AppTls(make_context()));
  if (tls->context_ == nullptr) return tls_error("TLS");
  if (SSL_CTX_use_certificate_chain_file(tls->context_, cert_file.c_str()) != 1) return tls_error("open " + cert_file);
  if (SSL_CTX_use_PrivateKey_file(tls->context_, key_file.c_str(), SSL_FILETYPE_PEM) != 1) return tls_error("open " + key_file);
  return tls;
}

base::Result<std::shared_ptr<AppTls>> AppTls::make_own() {
  std::shared_ptr<AppTls> tls(new AppTls(make_context()));
  Key key(EVP_EC_gen("P-256"));
  Certificate certificate = key == nullptr ? nullptr : make_certificate(key.get());
  bool used = tls->context_ != nullptr && certificate != nullptr && SSL_CTX_use_certificate(tls->context_, certificate.get()) == 1 &&
              SSL_CTX_use_PrivateKey(tls->context_, key.get()) == 1;
  if (!used) return tls_error("make a certificate");
  return tls;
}

ssl_st* AppTls::accept(int fd) const {
  ssl_st* session = SSL_new(context_);
  if (session != nullptr && SSL_set_fd(session, fd) == 1 && SSL_accept(session) == 1) return session;
  ERR_clear_error();
  SSL_free(session);
  return nullptr;
}

long read_session(ssl_st* session, void* buffer, size_t size) {
  int n = SSL_read(session, buffer, static_cast<int>(size));
  ERR_clear_error();  // The queue belongs to the thread and would be taken for the next call's.
  return n > 0 ? n : 0;
}

bool write_session(ssl_st* session, const void* data, size_t size) {
  bool written = size == 0 || SSL_write(session, data, static_cast<int>(size)) > 0;
  ERR_clear_error();
  return written;
}

void close_session(ssl_st* session) {
  SSL_shutdown(session);
  ERR_clear_error();
  SSL_free(session);
}

}  // namespace server::images
