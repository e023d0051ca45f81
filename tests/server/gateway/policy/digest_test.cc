#include <gtest/gtest.h>
#include <openssl/evp.h>

#include "server/gateway/policy/encoding.h"
#include "server/gateway/policy/password.h"
#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;
using policy_test::get;

std::string sha256_hex(const std::string& text) {
  unsigned char out[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), out, &size, EVP_sha256(), nullptr);
  return to_hex({reinterpret_cast<const char*>(out), size});
}

std::string parameter(std::string_view header, const std::string& name) {
  size_t at = header.find(name + "=\"");
  if (at == std::string_view::npos) return {};
  at += name.size() + 2;
  return std::string(header.substr(at, header.find('"', at) - at));
}

// A client of RFC 7616.
struct Client {
  std::string user = "joe", password = "secret", realm = "r", uri = "/x?y", method = "GET", cnonce = "cn", nc = "00000001", qop = "auth", nonce;
  bool sha256 = false;
  std::string algorithm;

  std::string header() const {
    auto hash = [this](const std::string& text) { return sha256 ? sha256_hex(text) : md5_hex(text); };
    std::string response = hash(hash(user + ":" + realm + ":" + password) + ":" + nonce + ":" + nc + ":" + cnonce + ":" + qop + ":" + hash(method + ":" + uri));
    return "Digest username=\"" + user + "\", realm=\"" + realm + "\", nonce=\"" + nonce + "\", uri=\"" + uri + "\", response=\"" + response + "\", qop=" + qop + ", nc=" + nc + ", cnonce=\"" + cnonce + "\"" +
           (algorithm.empty() ? "" : ", algorithm=" + algorithm);
  }
};

class Digest : public ::testing::Test {
 protected:
  Digest() {
    auth.digest = true;
    auth.realm = "r";
    auth.users = {{"joe", md5_hex("joe:r:secret")}, {"with-realm", "r:" + md5_hex("with-realm:r:secret")}, {"other-realm", "q:" + md5_hex("other-realm:q:secret")}, {"broken", "xyz"}};
    client.nonce = fresh_nonce();
  }
  std::optional<ResponseHead> ask(const std::string& header, const std::string& target = "/x?y") { return check_password(auth, get(target, {{"Authorization", header}}), now); }
  std::string fresh_nonce() { return parameter(policy_test::value_of(check_password(auth, get("/"), now)->headers, "WWW-Authenticate"), "nonce"); }
  static bool stale(const std::optional<ResponseHead>& refused) { return refused && policy_test::value_of(refused->headers, "www-authenticate").find("stale=true") != std::string::npos; }

  PasswordAuth auth;
  base::WallTime now{std::chrono::seconds(1'700'000'000)};
  Client client;
};

TEST_F(Digest, TheChallenge) {
  auto refused = check_password(auth, get("/"), now);
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
  std::string value = policy_test::value_of(refused->headers, "WWW-Authenticate");
  EXPECT_EQ(value.rfind("Digest algorithm=MD5, qop=\"auth\", realm=\"r\", nonce=\"", 0), 0u) << value;
  EXPECT_NE(fresh_nonce(), fresh_nonce());
}

TEST_F(Digest, LetsInWhoKnowsThePassword) {
  EXPECT_FALSE(ask(client.header()));
  client.nc = "00000002";
  client.algorithm = "MD5";
  EXPECT_FALSE(ask(client.header()));
  client.user = "with-realm";
  client.nc = "00000003";
  EXPECT_FALSE(ask(client.header()));
}

TEST_F(Digest, RefusesAllElse) {
  const std::pair<const char*, std::function<void(Client&)>> rows[] = {
      {"wrong password", [](Client& c) { c.password = "x"; }},
      {"nobody", [](Client& c) { c.user = "bob"; }},
      {"a secret of another realm", [](Client& c) { c.user = "other-realm"; c.realm = "q"; }},
      {"a broken secret", [](Client& c) { c.user = "broken"; }},
      {"another realm", [](Client& c) { c.realm = "q"; }},
      {"another target", [](Client& c) { c.uri = "/x"; }},
      {"another method", [](Client& c) { c.method = "POST"; }},
      {"a nonce of its own", [](Client& c) { c.nonce = std::string(64, 'a'); }},
      {"a nonce with another time", [](Client& c) { c.nonce[15] = c.nonce[15] == '0' ? '1' : '0'; }},
      {"no nonce", [](Client& c) { c.nonce = ""; }},
      {"no count", [](Client& c) { c.nc = ""; }},
      {"count 0", [](Client& c) { c.nc = "00000000"; }},
      {"count of nine digits", [](Client& c) { c.nc = "000000001"; }},
      {"qop auth-int", [](Client& c) { c.qop = "auth-int"; }},
      {"no cnonce", [](Client& c) { c.cnonce = ""; }},
      {"another algorithm", [](Client& c) { c.algorithm = "SHA-256"; }},
  };
  for (const auto& [name, change] : rows) {
    Client bad = client;
    change(bad);
    auto refused = ask(bad.header());
    EXPECT_TRUE(refused) << name;
    EXPECT_FALSE(stale(refused)) << name;
  }
  for (const char* header : {"", "Digest", "Digest ", "Digest x", "Digest a=", "Digest a=\"", "Digest a=\"\\", "Digest =", "Digest a=1,,b=2", "Digest nc=1,nc=2", "Basic eDp5", "Digest username"}) {
    EXPECT_TRUE(ask(header)) << header;
  }
  EXPECT_FALSE(ask(client.header())) << "none of that used the nonce up";
}

TEST_F(Digest, ARequestIsNotTakenTwice) {
  EXPECT_FALSE(ask(client.header()));
  EXPECT_TRUE(stale(ask(client.header())));
  // Out of order is fine: browsers use several connections.
  for (const char* count : {"00000005", "00000003", "00000004", "00000010"}) {
    client.nc = count;
    EXPECT_FALSE(ask(client.header())) << count;
    EXPECT_TRUE(stale(ask(client.header()))) << count;
  }
  client.nc = "00001000";
  EXPECT_FALSE(ask(client.header()));
  client.nc = "00000006";
  EXPECT_TRUE(stale(ask(client.header()))) << "too long ago to tell";
}

TEST_F(Digest, NoncesAge) {
  now += std::chrono::seconds(299);
  EXPECT_FALSE(ask(client.header()));
  now += std::chrono::seconds(2);
  client.nc = "00000002";
  EXPECT_TRUE(stale(ask(client.header())));
  client.nonce = fresh_nonce();
  client.nc = "00000001";
  EXPECT_FALSE(ask(client.header()));
  client.nonce = fresh_nonce();
  client.nc = "00000002";
  EXPECT_TRUE(stale(ask(client.header()))) << "a nonce begins with 1, or it may have been forgotten";
}

TEST_F(Digest, MemoryIsBounded) {
  std::string first = client.nonce;
  EXPECT_FALSE(ask(client.header()));
  for (int i = 0; i < 9'000; ++i) {
    client.nonce = fresh_nonce();
    ASSERT_FALSE(ask(client.header()));
  }
  client.nonce = first;
  client.nc = "00000002";
  EXPECT_TRUE(stale(ask(client.header())));
}

TEST_F(Digest, Sha256) {
  auth.users = {{"joe", sha256_hex("joe:r:secret")}};
  auto refused = check_password(auth, get("/"), now);
  EXPECT_NE(policy_test::value_of(refused->headers, "WWW-Authenticate").find("algorithm=SHA-256"), std::string::npos);
  client.sha256 = true;
  client.algorithm = "SHA-256";
  EXPECT_FALSE(ask(client.header()));
  client.algorithm = "";
  client.nc = "00000002";
  EXPECT_TRUE(ask(client.header())) << "without a name it is MD5";
  auth.users["ann"] = md5_hex("ann:r:x");
  EXPECT_EQ(check_password(auth, get("/"), now)->headers.count("www-authenticate"), 2u);
}

}  // namespace
