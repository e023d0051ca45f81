#include "server/gateway/policy/password.h"

#include <gtest/gtest.h>

#include "server/gateway/policy/encoding.h"
#include "server/gateway/policy/verified_passwords.h"
#include "store/base/text.h"
#include "tests/server/gateway/policy/requests.h"

namespace {

using namespace server::gateway;
using policy_test::get;

struct PasswordRow {
  const char* name;
  const char* hash;
  const char* password;
  bool want;
};

// By openssl passwd, crypt(3) of other programs, and sha1sum.
TEST(PasswordMatches, KnownHashes) {
  constexpr const char* kLong = "0123456789abcdefXYZ with spaces and more than forty-eight bytes";
  const PasswordRow rows[] = {
      {"apr1", "$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0", "secret", true},
      {"apr1, wrong", "$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0", "secre", false},
      {"apr1, short salt, empty", "$apr1$x1$3pYoaQ44IOAuZpLXgkh4A.", "", true},
      {"apr1, one letter", "$apr1$x1$stmoARC9jbu3Ca6NFsTal/", "a", true},
      {"apr1, long", "$apr1$x1$YggDTOwKkBmUn3tyaPmS9.", kLong, true},
      {"apr1, cut", "$apr1$saltsalt$LrttParrLPdxvgutaSXWJ", "secret", false},
      {"apr1, no digest", "$apr1$saltsalt$", "secret", false},
      {"apr1, no end of salt", "$apr1$saltsalt", "secret", false},
      {"md5", "$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1", "secret", true},
      {"sha256", "$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.", "secret", true},
      {"sha512", "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.", "secret", true},
      {"sha512 with rounds", "$6$rounds=1000$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSXGo2kgY5hR2.peKEg2VGUqIJJu1", "secret", true},
      {"sha512, wrong", "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG.", "Secret", false},
      {"sha512 for a year", "$6$rounds=999999999$abcdefgh$x", "secret", false},
      {"bcrypt 2y", "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", "secret", true},
      {"bcrypt 2b", "$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", "secret", true},
      {"bcrypt, wrong", "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", "secret2", false},
      {"bcrypt for a year", "$2y$31$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a", "secret", false},
      {"bcrypt, cut", "$2y$05$abc", "secret", false},
      {"DES", "abNANd1rDfiNc", "secret", true},
      {"DES, wrong", "abNANd1rDfiNc", "other", false},
      {"{SHA}", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret", true},
      {"{SHA}, wrong", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "secret2", false},
      {"{SHA}, cut", "{SHA}5en6G6MezRroT3XKqk", "secret", false},
      {"{SHA}, not base64", "{SHA}***", "secret", false},
      {"{SSHA}", "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", "secret", true},
      {"{SSHA}, wrong", "{SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0", "x", false},
      {"{SSHA}, empty", "{SSHA}", "", false},
      {"{PLAIN}", "{PLAIN}secret", "secret", true},
      {"{PLAIN}, wrong", "{PLAIN}secret", "secreT", false},
      {"plain text is no hash", "secret", "secret", false},
      {"nothing", "", "", false},
      {"a locked account", "*0", "", false},
      {"a locked account", "!", "", false},
      {"unknown kind", "$9$abc$def", "secret", false},
      {"only a dollar", "$", "", false},
  };
  for (const PasswordRow& row : rows) EXPECT_EQ(password_matches(row.hash, row.password), row.want) << row.name;
  EXPECT_FALSE(password_matches("abNANd1rDfiNc", std::string("secret\0x", 8))) << "NUL does not end a password";
  EXPECT_FALSE(password_matches("{PLAIN}x", std::string(5'000, 'x')));
}

PasswordAuth make_basic() {
  PasswordAuth auth;
  auth.realm = "Say \"friend\"";
  auth.users = {{"joe", "$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0"}, {"ann", "{PLAIN}a:b"}, {"slow", "$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a"}};
  return auth;
}

TEST(CheckPassword, Basic) {
  PasswordAuth auth = make_basic();
  const std::tuple<const char*, std::string, bool> rows[] = {
      {"right", "Basic " + base::encode_base64("joe:secret"), true},
      {"the scheme's case does not count", "bASIC  " + base::encode_base64("joe:secret"), true},
      {"a colon in the password", "Basic " + base::encode_base64("ann:a:b"), true},
      {"wrong", "Basic " + base::encode_base64("joe:x"), false},
      {"another's", "Basic " + base::encode_base64("ann:secret"), false},
      {"nobody", "Basic " + base::encode_base64("bob:secret"), false},
      {"no colon", "Basic " + base::encode_base64("joe"), false},
      {"not base64", "Basic ???", false},
      {"empty", "", false},
      {"only the scheme", "Basic", false},
      {"another scheme", "Bearer " + base::encode_base64("joe:secret"), false},
  };
  for (const auto& [name, header, want] : rows) {
    SCOPED_TRACE(name);
    auto refused = check_password(auth, get("/", {{"Authorization", header}}), {});
    EXPECT_EQ(!refused, want);
    if (!refused) continue;
    EXPECT_EQ(refused->status, 401);
    EXPECT_EQ(policy_test::text_of(refused->headers), "WWW-Authenticate: Basic realm=\"Say \\\"friend\\\"\"\n");
  }
  EXPECT_TRUE(check_password(auth, get("/"), {}));
}

TEST(CheckPassword, ASlowHashIsWorkedOutOnce) {
  auto& known = VerifiedPasswords::instance();
  PasswordAuth auth = make_basic();
  size_t before = known.size();
  EXPECT_TRUE(check_password(auth, get("/", {{"Authorization", "Basic " + base::encode_base64("slow:wrong")}}), {}));
  EXPECT_EQ(known.size(), before) << "what does not fit is not kept";
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(check_password(auth, get("/", {{"Authorization", "Basic " + base::encode_base64("slow:secret")}}), {}));
  EXPECT_EQ(known.size(), before + 1);
  int asked = 0;
  auto find_out = [&] { return ++asked > 0; };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(known.check("hash", "password", find_out));
  EXPECT_EQ(asked, 1);
  known.check("hash2", "password", find_out);
  known.check("hash", "password2", find_out);
  EXPECT_EQ(asked, 3);
  for (int i = 0; i < 3'000; ++i) known.check("h", std::to_string(i), find_out);
  EXPECT_LE(known.size(), 1024u);
}

}  // namespace
