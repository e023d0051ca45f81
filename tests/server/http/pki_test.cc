#include "server/http/pki.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace server {
namespace {

X509* read_cert(const std::string& pem) {
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  X509* cert = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  BIO_free(bio);
  return cert;
}

TEST(Pki, ServerCertificateServesItsNamesAndAddressesOnly) {
  auto ca = make_ca("test-ca");
  ASSERT_TRUE(ca.ok());
  CertRequest request;
  request.common_name = "api";
  request.dns_names = {"localhost", "kubernetes.default.svc"};
  request.ips = {"127.0.0.1", "::1"};
  auto pair = sign(*ca, request);
  ASSERT_TRUE(pair.ok()) << pair.error().message;
  X509* cert = read_cert(pair->cert_pem);
  struct Row {
    const char* name;
    bool want;
  };
  for (const Row& row : {Row{"localhost", true}, Row{"kubernetes.default.svc", true}, Row{"example.com", false}}) {
    EXPECT_EQ(X509_check_host(cert, row.name, 0, 0, nullptr) == 1, row.want) << row.name;
  }
  for (const Row& row : {Row{"127.0.0.1", true}, Row{"::1", true}, Row{"127.0.0.2", false}}) {
    EXPECT_EQ(X509_check_ip_asc(cert, row.name, 0) == 1, row.want) << row.name;
  }
  X509* ca_cert = read_cert(ca->cert_pem);
  EXPECT_EQ(X509_verify(cert, X509_get0_pubkey(ca_cert)), 1);
  EXPECT_EQ(X509_check_purpose(cert, X509_PURPOSE_SSL_SERVER, 0), 1);
  EXPECT_EQ(X509_check_purpose(cert, X509_PURPOSE_SSL_CLIENT, 0), 0);
  EXPECT_EQ(X509_check_purpose(ca_cert, X509_PURPOSE_SSL_CLIENT, 1), 1);
  EXPECT_TRUE(X509_get0_authority_key_id(cert));
  EXPECT_EQ(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(cert), X509_get0_subject_key_id(ca_cert)), 0);
  X509_free(cert);
  X509_free(ca_cert);
}

TEST(Pki, BadAddressIsAnError) {
  auto ca = make_ca("test-ca");
  CertRequest request;
  request.common_name = "x";
  request.ips = {"300.0.0.1"};
  auto pair = sign(*ca, request);
  ASSERT_FALSE(pair.ok());
  EXPECT_EQ(pair.error().code, base::Code::kInvalid);
}

TEST(Pki, GarbageCaIsAnError) { EXPECT_FALSE(sign(KeyPair{"no", "no"}, CertRequest{}).ok()); }

}  // namespace
}  // namespace server
