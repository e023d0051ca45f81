// Controllers about access: aggregated roles, Secrets with tokens, certificates.
#include "server/controllers/aggregated_role.h"
#include "server/controllers/certificate.h"
#include "server/controllers/token_secret.h"
#include "server/http/pki.h"
#include "store/base/text.h"
#include "tests/server/support/world.h"
#include "tests/server/support/certificate_request.h"

namespace server {
namespace {


struct AccessControllersTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    ca = *make_ca("ca");
    controllers.push_back(make_aggregated_role_controller(*loop));
    controllers.push_back(make_token_secret_controller(*loop, "CA"));
    controllers.push_back(make_certificate_controller(*loop, ca.cert_pem, ca.key_pem));
    idle();
  }
  json rules_of(const std::string& role) { return store::get_array(get(roles + "/" + role), "rules"); }
  Answer as(const std::string& user, std::vector<std::string> groups, const std::string& method, const std::string& target, const json& body) {
    HttpRequest r = make_request(method, target, body.dump());
    r.user = user;
    r.groups = std::move(groups);
    return send(r);
  }
  static json request(const std::string& name, const std::string& signer = "kubernetes.io/kube-apiserver-client") {
    return {{"metadata", {{"name", name}}}, {"spec", {{"request", base::encode_base64(kCertificateRequest)}, {"signerName", signer}, {"usages", {"client auth"}}}}};
  }
  Answer decide(const std::string& name, const std::string& type) {
    json tree = get(requests + "/" + name);
    tree["status"]["conditions"] = json::array({{{"type", type}, {"status", "True"}, {"reason", "Because"}}});
    Answer a = call("PUT", requests + "/" + name + "/approval", tree);
    idle();
    return a;
  }
  const std::string roles = "/apis/rbac.authorization.k8s.io/v1/clusterroles", requests = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
  const std::string secrets = "/api/v1/namespaces/default/secrets";
  KeyPair ca;
  std::vector<std::unique_ptr<Controller>> controllers;
};

TEST_F(AccessControllersTest, RolesAddUp) {
  EXPECT_FALSE(rules_of("view").empty());
  auto includes = [&](const std::string& role, const json& rule) {
    const json rules = rules_of(role);
    return std::find(rules.begin(), rules.end(), rule) != rules.end();
  };
  for (const json& rule : rules_of("view")) EXPECT_TRUE(includes("edit", rule) && includes("admin", rule));
  // A role of one's own joins in, changes, and leaves.
  json own = {{"metadata", {{"name", "widgets"}, {"labels", {{"rbac.authorization.k8s.io/aggregate-to-view", "true"}}}}},
              {"rules", {{{"verbs", {"get"}}, {"apiGroups", {"x"}}, {"resources", {"widgets"}}}}}};
  const json rule = own["rules"][0];
  ASSERT_EQ(call("POST", roles, own).status, 201);
  idle();
  for (const char* role : {"view", "edit", "admin"}) EXPECT_TRUE(includes(role, rule)) << role;
  merge(roles + "/widgets", {{"metadata", {{"labels", nullptr}}}});
  for (const char* role : {"view", "edit", "admin"}) EXPECT_FALSE(includes(role, rule)) << role;
  merge(roles + "/view", {{"rules", json::array()}});
  EXPECT_FALSE(rules_of("view").empty());
}

TEST_F(AccessControllersTest, SecretsGetTokens) {
  ASSERT_EQ(call("POST", "/api/v1/namespaces/default/serviceaccounts", {{"metadata", {{"name", "bot"}}}}).status, 201);
  const json secret = {{"metadata", {{"name", "t"}, {"annotations", {{"kubernetes.io/service-account.name", "bot"}}}}}, {"type", "kubernetes.io/service-account-token"}};
  ASSERT_EQ(call("POST", secrets, secret).status, 201);
  idle();
  json made = get(secrets + "/t");
  EXPECT_EQ(made["data"]["ca.crt"], base::encode_base64("CA"));
  EXPECT_EQ(made["data"]["namespace"], base::encode_base64("default"));
  EXPECT_TRUE(made["metadata"]["annotations"].contains("kubernetes.io/service-account.uid"));
  const std::string token = *base::decode_base64(store::get_string(made, "data.token"));
  auto ask = [&] {
    HttpRequest r = make_request("GET", "/version");
    r.user = "";
    r.groups = {};
    r.headers.emplace("authorization", "Bearer " + token);
    return send(r).status;
  };
  EXPECT_EQ(ask(), 200);
  // Taken out of the Secret it is worth nothing; another is put there.
  merge(secrets + "/t", {{"data", {{"token", base::encode_base64("x")}}}});
  EXPECT_EQ(ask(), 401);
  merge(secrets + "/t", {{"data", {{"token", nullptr}}}});
  EXPECT_GT(store::get_string(get(secrets + "/t"), "data.token").size(), 100u);
  remove("/api/v1/namespaces/default/serviceaccounts/bot");
  EXPECT_EQ(call("GET", secrets + "/t").status, 404);
  ASSERT_EQ(call("POST", secrets, secret).status, 201);
  idle();
  EXPECT_EQ(call("GET", secrets + "/t").status, 404);
}

TEST_F(AccessControllersTest, ApprovedRequestsAreSigned) {
  Answer made = call("POST", requests, request("jane"));
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["spec"]["username"], "admin");
  EXPECT_EQ(made.body["spec"]["groups"], json({"system:masters", "system:authenticated"}));
  idle();
  EXPECT_FALSE(store::find(get(requests + "/jane"), "status.certificate"));
  Answer approved = decide("jane", "Approved");
  EXPECT_EQ(approved.status, 200) << approved.text;
  json tree = get(requests + "/jane");
  EXPECT_NE(base::decode_base64(store::get_string(tree, "status.certificate"))->find("BEGIN CERTIFICATE"), std::string::npos);
  EXPECT_FALSE(store::get_string(tree["status"]["conditions"][0], "lastUpdateTime").empty());
  // What was decided stays.
  EXPECT_EQ(decide("jane", "Denied").status, 422);
  ASSERT_EQ(call("POST", requests, request("joe")).status, 201);
  EXPECT_EQ(decide("joe", "Denied").status, 200);
  EXPECT_FALSE(store::find(get(requests + "/joe"), "status.certificate"));
}

TEST_F(AccessControllersTest, WhatASignerDoesNotSignFails) {
  ASSERT_EQ(call("POST", requests, request("k", "kubernetes.io/kubelet-serving")).status, 201);
  decide("k", "Approved");
  json tree = get(requests + "/k");
  EXPECT_EQ(tree["status"]["conditions"][1]["type"], "Failed");
  ASSERT_EQ(call("POST", requests, request("o", "example.com/other")).status, 201);
  decide("o", "Approved");
  EXPECT_EQ(get(requests + "/o")["status"]["conditions"].size(), 1u);
}

TEST_F(AccessControllersTest, WhoMayApprove) {
  ASSERT_EQ(call("POST", requests, request("jane")).status, 201);
  ASSERT_EQ(call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterroles",
                 {{"metadata", {{"name", "a"}}}, {"rules", {{{"verbs", {"update"}}, {"apiGroups", {"certificates.k8s.io"}}, {"resources", {"certificatesigningrequests/approval"}}}}}})
                .status,
            201);
  auto bind = [&](const char* name, const char* role) {
    ASSERT_EQ(call("POST", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
                   {{"metadata", {{"name", name}}}, {"roleRef", {{"kind", "ClusterRole"}, {"name", role}}}, {"subjects", {{{"kind", "User"}, {"name", "u"}}}}})
                  .status,
              201);
  };
  bind("a", "a");
  json tree = get(requests + "/jane");
  tree["status"]["conditions"] = json::array({{{"type", "Approved"}, {"status", "True"}}});
  Answer a = as("u", {}, "PUT", requests + "/jane/approval", tree);
  EXPECT_EQ(a.status, 403);
  EXPECT_EQ(a.message(),
            "certificatesigningrequests.certificates.k8s.io \"jane\" is forbidden: user not permitted to approve requests with signerName \"kubernetes.io/kube-apiserver-client\"");
  bind("b", "system:certificates.k8s.io:kube-apiserver-client-approver");
  EXPECT_EQ(as("u", {}, "PUT", requests + "/jane/approval", tree).status, 200);
}

TEST_F(AccessControllersTest, RequestsAreChecked) {
  json rubbish = request("x");
  rubbish["spec"]["request"] = base::encode_base64("x");
  EXPECT_NE(call("POST", requests, rubbish).message().find("PEM block type must be CERTIFICATE REQUEST"), std::string::npos);
  json odd = request("x");
  odd["spec"]["usages"] = {"client auth", "nonsense"};
  EXPECT_EQ(call("POST", requests, odd).status, 422);
  ASSERT_EQ(call("POST", requests, request("x")).status, 201);
  merge(requests + "/x", {{"spec", {{"username", "somebody"}}}});
  EXPECT_EQ(get(requests + "/x")["spec"]["username"], "admin");
}

}  // namespace
}  // namespace server
