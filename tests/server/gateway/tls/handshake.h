// Handshakes within the process: two OpenSSL sessions joined by memory, and certificates of every kind.
#pragma once

#include <openssl/err.h>
#include <openssl/pem.h>

#include <memory>
#include <string>
#include <vector>

#include "server/gateway/tls/certificates.h"
#include "server/gateway/tls/server_tls.h"
#include "server/http/pki.h"

namespace server::gateway {

// ---- Certificates ------------------------------------------------------------------------------------------------

inline const KeyPair& test_ca() {
  static const KeyPair ca = make_ca("test-ca").value();
  return ca;
}
inline const KeyPair& other_ca() {
  static const KeyPair ca = make_ca("other-ca").value();
  return ca;
}

inline IdentityPtr to_identity(const KeyPair& pair) {
  auto identity = std::make_shared<Identity>();
  identity->certificate_pem = pair.cert_pem;
  identity->key_pem = pair.key_pem;
  return identity;
}

// A server's, whose CN is `cn`.
inline IdentityPtr identity_for(const std::string& cn, std::vector<std::string> dns_names, int days = 30, const KeyPair& ca = test_ca()) {
  CertRequest request;
  request.common_name = cn;
  request.dns_names = std::move(dns_names);
  request.days = days;
  return to_identity(sign(ca, request).value());
}

inline IdentityPtr client_identity(const std::string& cn, const KeyPair& ca = test_ca(), int days = 30) {
  CertRequest request;
  request.common_name = cn;
  request.organizations = {"Testers, Inc"};
  request.client = true;
  request.days = days;
  return to_identity(sign(ca, request).value());
}

// A certificate with extensions as OpenSSL's text writes them; signed by `ca`, or by itself without one.
inline KeyPair make_certificate(const std::string& cn, const std::vector<std::pair<int, std::string>>& extensions, const KeyPair* ca = nullptr, int rsa_bits = 0) {
  KeyPtr key(rsa_bits > 0 ? EVP_RSA_gen(static_cast<unsigned>(rsa_bits)) : EVP_EC_gen("P-256"));
  CertificatePtr certificate(X509_new()), issuer;
  KeyPtr issuer_key;
  if (ca != nullptr) {
    BioPtr cert_reader(BIO_new_mem_buf(ca->cert_pem.data(), -1)), key_reader(BIO_new_mem_buf(ca->key_pem.data(), -1));
    issuer.reset(PEM_read_bio_X509(cert_reader.get(), nullptr, nullptr, nullptr));
    issuer_key.reset(PEM_read_bio_PrivateKey(key_reader.get(), nullptr, nullptr, nullptr));
  }
  X509_set_version(certificate.get(), X509_VERSION_3);
  static long serial = 1000;
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 86400);
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>(cn.c_str()), -1, -1, 0);
  X509* by = issuer != nullptr ? issuer.get() : certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(by));
  for (const auto& [nid, value] : extensions) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, by, certificate.get(), nullptr, nullptr, 0);
    std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>> extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
    if (extension != nullptr) X509_add_ext(certificate.get(), extension.get(), -1);
  }
  X509_sign(certificate.get(), issuer_key != nullptr ? issuer_key.get() : key.get(), EVP_sha256());
  BioPtr writer(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(writer.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  long size = BIO_get_mem_data(writer.get(), &data);
  return {to_pem(certificate.get()), std::string(data, static_cast<size_t>(size))};
}

inline KeyPair make_intermediate(const std::string& cn, const KeyPair& ca) {
  return make_certificate(cn, {{NID_basic_constraints, "critical,CA:TRUE"}, {NID_key_usage, "critical,keyCertSign"}, {NID_subject_key_identifier, "hash"}}, &ca);
}

// ---- Sessions ----------------------------------------------------------------------------------------------------

// Ended as engine/socket does: OpenSSL would resume no session whose connection ended without a word.
inline void hang_up(SSL* session) {
  SSL_set_quiet_shutdown(session, 1);
  SSL_shutdown(session);
  SSL_free(session);
  ERR_clear_error();
}
using EndPtr = std::unique_ptr<SSL, FreeWith<hang_up>>;

// Lets both go on until neither has anything to say. True: both have finished the handshake.
inline bool shake_hands(SSL* client, SSL* server) {
  BIO *client_end = nullptr, *server_end = nullptr;
  BIO_new_bio_pair(&client_end, 64 * 1024, &server_end, 64 * 1024);
  SSL_set_bio(client, client_end, client_end);
  SSL_set_bio(server, server_end, server_end);
  bool client_done = false, server_done = false;
  for (int turn = 0; turn < 10 && !(client_done && server_done); ++turn) {
    ERR_clear_error();
    client_done = client_done || SSL_do_handshake(client) == 1;
    server_done = server_done || SSL_do_handshake(server) == 1;
  }
  // TLS 1.3: tickets come with the first read, a refusal of the client's certificate too.
  char byte;
  if (client_done && server_done) {
    SSL_read(client, &byte, 1);
    SSL_read(server, &byte, 1);
  }
  ERR_clear_error();
  return client_done && server_done;
}

// One byte each way.
inline bool talk(SSL* client, SSL* server) {
  char byte = 0;
  if (SSL_write(client, "q", 1) != 1 || SSL_read(server, &byte, 1) != 1 || byte != 'q') return false;
  return SSL_write(server, "a", 1) == 1 && SSL_read(client, &byte, 1) == 1 && byte == 'a';
}

using ResumePtr = std::unique_ptr<SSL_SESSION, FreeWith<SSL_SESSION_free>>;

// A plain client that trusts everybody.
class TestClient {
 public:
  explicit TestClient(int version = TLS1_3_VERSION, IdentityPtr shown = nullptr) : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    SSL_CTX_set_mode(context_.get(), SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_set_ex_data(context_.get(), index(), this);
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* session, SSL_SESSION* given) {
      static_cast<TestClient*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), index()))->resumable.reset(given);
      return 1;
    });
    if (shown == nullptr) return;
    auto parsed = parse_identity(shown->certificate_pem, shown->key_pem);
    if (parsed.ok()) SSL_CTX_use_cert_and_key(context_.get(), (*parsed)->leaf.get(), (*parsed)->key.get(), (*parsed)->chain.get(), 1);
  }

  EndPtr session(const std::string& server_name, SSL_SESSION* resume = nullptr) {
    EndPtr session(SSL_new(context_.get()));
    SSL_set_connect_state(session.get());
    if (!server_name.empty()) SSL_set_tlsext_host_name(session.get(), server_name.c_str());
    if (resume != nullptr) SSL_set_session(session.get(), resume);
    return session;
  }
  SSL_CTX* context() { return context_.get(); }

  ResumePtr resumable;  // The last that a server gave.

 private:
  static int index() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
  }
  SslContextPtr context_;
};

inline std::string served_cn(SSL* client) {
  X509* certificate = SSL_get0_peer_certificate(client);
  return certificate == nullptr ? "" : common_name(X509_get_subject_name(certificate));
}

// ---- Listeners ---------------------------------------------------------------------------------------------------

inline VirtualHost host(const std::string& name, IdentityPtr identity) {
  VirtualHost out;
  out.name = name;
  out.identity = std::move(identity);
  return out;
}

inline Listener https_listener(std::vector<VirtualHost> hosts, IdentityPtr identity = nullptr) {
  Listener listener;
  listener.protocol = Listener::Protocol::kHttps;
  listener.name = "https";
  listener.port = 443;
  listener.hosts = std::move(hosts);
  listener.identity = std::move(identity);
  return listener;
}

}  // namespace server::gateway
