#include <gtest/gtest.h>

#include "server/gateway/tls/check_identity.h"
#include "server/gateway/tls/fake_certificate.h"
#include "server/gateway/tls/ticket_keys.h"
#include "tests/server/gateway/tls/handshake.h"

namespace server::gateway {
namespace {

using base::Code;

struct Row {
  const char* name;
  Identity identity;
  const char* host;
  std::optional<Code> want;   // Nothing: it is good.
  const char* message = "";   // Part of it.
};

Identity with(Identity identity, const std::string& certificate_pem, const std::string& key_pem) {
  identity.certificate_pem = certificate_pem;
  identity.key_pem = key_pem;
  return identity;
}

std::string encrypted_key() {
  KeyPtr key(EVP_EC_gen("P-256"));
  BioPtr writer(BIO_new(BIO_s_mem()));
  char passphrase[] = "secret";
  PEM_write_bio_PKCS8PrivateKey(writer.get(), key.get(), EVP_aes_128_cbc(), passphrase, 6, nullptr, nullptr);
  char* data = nullptr;
  long size = BIO_get_mem_data(writer.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

TEST(CheckIdentity, Rows) {
  Identity good = *identity_for("good", {"a.example.com", "*.wild.example.com", "b.example.com"});
  Identity other = *identity_for("other", {"x"});
  Identity expired = *identity_for("expired", {"a.example.com"}, -2);
  KeyPair address = make_certificate("address", {{NID_subject_alt_name, "IP:127.0.0.1,IP:::1"}});
  KeyPair cn_only = make_certificate("old.example.com", {});
  KeyPair weak = make_certificate("weak.example.com", {}, nullptr, 512);
  KeyPair rsa1024 = make_certificate("a.example.com", {}, nullptr, 1024);
  std::string broken = good.certificate_pem;
  broken.replace(broken.find("\nM") + 1, 8, "AAAAAAAA");
  const Row kRows[] = {
      {"exact", good, "a.example.com", {}},
      {"case", good, "A.Example.Com", {}},
      {"any host", good, "", {}},
      {"within the wildcard", good, "x.wild.example.com", {}},
      {"two labels within", good, "x.y.wild.example.com", Code::kForbidden},
      {"the wildcard itself", good, "*.wild.example.com", {}},
      {"another wildcard", good, "*.example.com", Code::kForbidden, "a.example.com, *.wild.example.com, b.example.com"},
      {"not covered", good, "c.example.com", Code::kForbidden, "the certificate is not valid for c.example.com: it is for a.example.com"},
      {"CN is not looked at beside names", good, "good", Code::kForbidden},
      {"CN alone", with({}, cn_only.cert_pem, cn_only.key_pem), "old.example.com", {}},
      {"address", with({}, address.cert_pem, address.key_pem), "127.0.0.1", {}},
      {"IPv6", with({}, address.cert_pem, address.key_pem), "::1", {}},
      {"other address", with({}, address.cert_pem, address.key_pem), "127.0.0.2", Code::kForbidden},
      {"expired", expired, "a.example.com", Code::kExpired, "the certificate expired at 20"},
      {"expired and for others: the worse of the two", expired, "b.example.com", Code::kForbidden},
      {"other key", with({}, good.certificate_pem, other.key_pem), "a.example.com", Code::kInvalid, "does not fit"},
      {"key with a passphrase", with({}, good.certificate_pem, encrypted_key()), "a.example.com", Code::kInvalid, "passphrase"},
      {"no certificate", with({}, "", good.key_pem), "a.example.com", Code::kInvalid, "BEGIN CERTIFICATE"},
      {"no PEM", with({}, "hello", good.key_pem), "a.example.com", Code::kInvalid, "BEGIN CERTIFICATE"},
      {"broken certificate", with({}, broken, good.key_pem), "a.example.com", Code::kInvalid, "the certificate cannot be read"},
      {"broken chain", with({}, good.certificate_pem + broken, good.key_pem), "a.example.com", Code::kInvalid, "a certificate of the chain cannot be read"},
      {"chain", with({}, good.certificate_pem + test_ca().cert_pem, good.key_pem), "a.example.com", {}},
      {"no key", with({}, good.certificate_pem, ""), "a.example.com", Code::kInvalid, "PRIVATE KEY"},
      {"key for a certificate", with({}, good.certificate_pem, good.certificate_pem), "a.example.com", Code::kInvalid, "PRIVATE KEY"},
      {"RSA of 1024 bits is for tests", with({}, rsa1024.cert_pem, rsa1024.key_pem), "a.example.com", {}},
      {"RSA of 512 bits for nobody", with({}, weak.cert_pem, weak.key_pem), "weak.example.com", Code::kInvalid, "cannot be served: ee key too small"},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    base::Status status = check_identity(row.identity, row.host);
    if (!row.want) {
      EXPECT_TRUE(status.ok()) << status.error().message;
    } else {
      ASSERT_FALSE(status.ok());
      EXPECT_EQ(base::reason(status.error().code), std::string(base::reason(*row.want)));
      EXPECT_NE(status.error().message.find(row.message), std::string::npos) << status.error().message;
    }
    EXPECT_EQ(ERR_peek_error(), 0u);
  }
}

TEST(CheckIdentity, Time) {
  Identity good = *identity_for("good", {"a"}, 30);
  base::WallTime now = base::SystemClock().wall();
  EXPECT_TRUE(check_identity(good, "a", now).ok());
  EXPECT_TRUE(check_identity(good, "a", now + std::chrono::hours(24 * 29)).ok());
  EXPECT_EQ(check_identity(good, "a", now + std::chrono::hours(24 * 31)).error().code, Code::kExpired);
  EXPECT_NE(check_identity(good, "a", now - std::chrono::hours(24)).error().message.find("not valid before"), std::string::npos);
}

TEST(ParseIdentity, IsRemembered) {
  Identity good = *identity_for("good", {"a"}), other = *identity_for("other", {"a"});
  auto first = parse_identity(good.certificate_pem, good.key_pem);
  EXPECT_EQ(*first, *parse_identity(std::string(good.certificate_pem), good.key_pem));
  EXPECT_FALSE(parse_identity(good.certificate_pem, other.key_pem).ok()) << "not by the certificate alone";
  EXPECT_NE(*first, *parse_identity("\n" + good.certificate_pem, good.key_pem));
  for (int i = 0; i < 3000; ++i) ASSERT_FALSE(parse_identity("no PEM " + std::to_string(i), "").ok());
  EXPECT_EQ(*first, *parse_identity(good.certificate_pem, good.key_pem)) << "three thousand others do not push it out";
  std::weak_ptr<const ParsedIdentity> watch = *first;
  first = base::Error();
  for (int i = 0; i < 5000; ++i) ASSERT_FALSE(parse_identity("nor this " + std::to_string(i), "").ok());
  EXPECT_TRUE(watch.expired()) << "nothing is kept forever";
}

TEST(CheckTrusted, Rows) {
  EXPECT_TRUE(check_trusted(test_ca().cert_pem).ok());
  EXPECT_TRUE(check_trusted("# two\n" + test_ca().cert_pem + other_ca().cert_pem).ok());
  for (const std::string& bad : {std::string(), std::string("hello"), test_ca().key_pem}) EXPECT_EQ(check_trusted(bad).error().code, Code::kInvalid) << bad;
}

TEST(FakeIdentity, IsIngressNginxs) {
  IdentityPtr fake = fake_identity();
  EXPECT_EQ(fake, fake_identity()) << "made once";
  base::Status status = check_identity(*fake, "ingress.local");
  EXPECT_TRUE(status.ok()) << status.error().message;
  EXPECT_EQ(check_identity(*fake, "web.example.com").error().code, Code::kForbidden);
  base::WallTime now = base::SystemClock().wall();
  EXPECT_TRUE(check_identity(*fake, "", now + std::chrono::hours(24 * 364)).ok());
  EXPECT_FALSE(check_identity(*fake, "", now + std::chrono::hours(24 * 366)).ok());
  auto parsed = parse_identity(fake->certificate_pem, fake->key_pem);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(distinguished_name(X509_get_subject_name((*parsed)->leaf.get())), "CN=Kubernetes Ingress Controller Fake Certificate,O=Acme Co");
  EXPECT_EQ(distinguished_name(X509_get_issuer_name((*parsed)->leaf.get())), "CN=Kubernetes Ingress Controller Fake Certificate,O=Acme Co");
}

TEST(TicketKeys, Rotate) {
  TicketKeys keys;
  base::MonoTime start{};
  auto minutes = [&](int n) { return start + std::chrono::minutes(n); };
  auto first = keys.newest(start);
  ASSERT_TRUE(first);
  EXPECT_EQ(keys.newest(minutes(59))->name, first->name) << "an hour long the same";
  auto second = keys.newest(minutes(61));
  EXPECT_NE(second->name, first->name);
  EXPECT_NE(second->cipher, first->cipher);
  EXPECT_NE(second->mac, first->mac);
  EXPECT_TRUE(keys.find(first->name.data(), minutes(179))) << "opens for two hours more";
  EXPECT_FALSE(keys.find(first->name.data(), minutes(180)));
  EXPECT_TRUE(keys.find(second->name.data(), minutes(181)));
  uint8_t unknown[16] = {};
  EXPECT_FALSE(keys.find(unknown, minutes(61)));
}

}  // namespace
}  // namespace server::gateway
