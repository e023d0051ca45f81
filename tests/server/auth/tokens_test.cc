// Tokens: what is signed comes back, and nothing else does.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/auth/csr.h"
#include "server/auth/jwt.h"
#include "server/auth/tokens.h"
#include "server/http/pki.h"
#include "tests/server/support/certificate_request.h"

namespace auth {
namespace {

constexpr const char* kIssuer = "https://issuer";

TokenKey make_key() {
  auto pem = make_token_key();
  EXPECT_TRUE(pem.ok());
  auto key = TokenKey::from_pem(*pem);
  EXPECT_TRUE(key.ok());
  return *key;
}

base::WallTime at(int64_t seconds) { return base::WallTime(std::chrono::duration_cast<base::WallTime::duration>(std::chrono::seconds(seconds))); }

json claims() {
  TokenSubject subject;
  subject.ns = "default";
  subject.account = {"bot", "uid-1"};
  subject.pod = {"p", "uid-2"};
  TokenTerms terms;
  terms.issuer = kIssuer;
  terms.audiences = {kIssuer, "other"};
  terms.from = at(1000000);
  terms.until = at(1003600);
  terms.id = "id";
  return render_claims(subject, terms);
}

TEST(Jwt, SignedTokensVerify) {
  TokenKey key = make_key();
  auto token = key.sign(claims());
  ASSERT_TRUE(token.ok());
  auto back = key.verify(*token);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(*back, claims());
  EXPECT_FALSE(make_key().verify(*token).ok());
  EXPECT_EQ(key.jwks()["keys"][0]["kid"], key.id());
  EXPECT_EQ(key.jwks()["keys"][0]["x"].get<std::string>().size(), 43u);
}

TEST(Jwt, ForgedTokensDoNot) {
  TokenKey key = make_key();
  const std::string good = *key.sign(claims());
  const size_t first = good.find('.'), last = good.rfind('.');
  json other = claims();
  other["sub"] = "system:serviceaccount:kube-system:admin";
  const std::string unsigned_head = base64url(R"({"alg":"none"})"), symmetric_head = base64url(R"({"alg":"HS256"})");
  const std::string forged[] = {
      "",
      ".",
      "..",
      "a.b.c",
      good.substr(0, last + 1),
      good.substr(0, last),
      good + ".x",
      good.substr(0, good.size() - 2),
      good.substr(0, first + 1) + base64url(other.dump()) + good.substr(last),
      unsigned_head + good.substr(first, last - first) + ".",
      symmetric_head + good.substr(first),
      good.substr(0, last + 1) + base64url(std::string(64, '\0')),
      good.substr(0, last + 1) + base64url(std::string(64, '\xff')),
      std::string(100000, 'a') + "." + good,
  };
  for (const std::string& token : forged) EXPECT_FALSE(key.verify(token).ok()) << token.substr(0, 100);
  // Every bit counts.
  for (size_t i = 0; i < good.size(); i += 7) {
    std::string bent = good;
    bent[i] = bent[i] == 'A' ? 'Q' : 'A';
    if (bent != good) EXPECT_FALSE(key.verify(bent).ok() && bent.substr(0, bent.size() - 1) != good.substr(0, good.size() - 1)) << i;
  }
}

TEST(Tokens, ClaimsAreChecked) {
  struct Row {
    const char* name;
    std::function<void(json&)> change;
    std::vector<std::string> audiences;
    int64_t now;
    bool want;
  };
  auto same = [](json&) {};
  const Row rows[] = {
      {"good", same, {kIssuer}, 1000100, true},
      {"one of its audiences", same, {"other"}, 1000100, true},
      {"another audience", same, {"third"}, 1000100, false},
      {"expired", same, {kIssuer}, 1003661, false},
      {"within the leeway", same, {kIssuer}, 1003630, true},
      {"too early", same, {kIssuer}, 999000, false},
      {"another issuer", [](json& c) { c["iss"] = "x"; }, {kIssuer}, 1000100, false},
      {"another subject", [](json& c) { c["sub"] = "system:serviceaccount:default:other"; }, {kIssuer}, 1000100, false},
      {"no end", [](json& c) { c.erase("exp"); }, {kIssuer}, 1000100, false},
      {"no account", [](json& c) { c["kubernetes.io"].erase("serviceaccount"); }, {kIssuer}, 1000100, false},
      {"claims of other types", [](json& c) { c["kubernetes.io"] = 3; }, {kIssuer}, 1000100, false},
  };
  for (const Row& row : rows) {
    json c = claims();
    row.change(c);
    auto checked = check_claims(c, kIssuer, row.audiences, at(row.now));
    EXPECT_EQ(checked.ok(), row.want) << row.name;
    if (checked.ok()) EXPECT_EQ(checked->subject.pod.uid, "uid-2");
  }
}


TEST(Csr, IsReadAndSigned) {
  auto request = parse_request(server::kCertificateRequest);
  ASSERT_TRUE(request.ok()) << request.error().message;
  EXPECT_EQ(request->common_name, "jane");
  EXPECT_EQ(request->organizations, std::vector<std::string>{"devs"});
  EXPECT_EQ(signer_problem("kubernetes.io/kube-apiserver-client", *request, {"client auth"}), "");
  EXPECT_NE(signer_problem("kubernetes.io/kube-apiserver-client", *request, {"server auth", "client auth"}), "");
  EXPECT_NE(signer_problem("kubernetes.io/kube-apiserver-client-kubelet", *request, {"client auth"}), "");
  auto ca = server::make_ca("ca");
  ASSERT_TRUE(ca.ok());
  auto cert = issue(ca->cert_pem, ca->key_pem, {server::kCertificateRequest, {"client auth"}, std::chrono::hours(1)});
  ASSERT_TRUE(cert.ok()) << cert.error().message;
  EXPECT_NE(cert->find("BEGIN CERTIFICATE"), std::string::npos);
}

TEST(Csr, RubbishIsRefused) {
  EXPECT_EQ(parse_request("").error().message, "PEM block type must be CERTIFICATE REQUEST");
  auto ca = server::make_ca("ca");
  EXPECT_EQ(parse_request(ca->cert_pem).error().message, "PEM block type must be CERTIFICATE REQUEST");
  std::string bent = server::kCertificateRequest;
  const size_t middle = bent.size() / 2;
  bent[middle] = bent[middle] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(parse_request(bent).ok());
}

}  // namespace
}  // namespace auth
