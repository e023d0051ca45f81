// What is said of certificates and keys that do not belong together.
#include "server/auth/key_pair.h"

#include <gtest/gtest.h>

#include "server/http/pki.h"

namespace auth {
namespace {

TEST(KeyPair, Problems) {
  const auto one = server::make_ca("one"), other = server::make_ca("other");
  ASSERT_TRUE(one.ok() && other.ok());
  struct Row {
    const char* name;
    std::string certificate, key, want;
  };
  const Row rows[] = {
      {"a pair", one->cert_pem, one->key_pem, ""},
      {"nothing", "", "", "tls: failed to find any PEM data in certificate input"},
      {"no key", one->cert_pem, "x", "tls: failed to find any PEM data in key input"},
      {"switched", one->key_pem, one->cert_pem,
       "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"},
      {"two certificates", one->cert_pem, one->cert_pem, "tls: found a certificate rather than a key in the PEM for the private key"},
      {"somebody else's key", one->cert_pem, other->key_pem, "tls: private key does not match public key"},
      {"no certificate in it", "-----BEGIN CERTIFICATE-----\naGk=\n-----END CERTIFICATE-----\n", one->key_pem, "x509: malformed certificate"},
      {"no key in it", one->cert_pem, "-----BEGIN PRIVATE KEY-----\naGk=\n-----END PRIVATE KEY-----\n", "tls: failed to parse private key"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(key_pair_problem(row.certificate, row.key), row.want);
  }
}

}  // namespace
}  // namespace auth
