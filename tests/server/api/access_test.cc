// Who is asking, and whether they may: through the whole API, without a socket.
#include "server/auth/jwt.h"
#include "tests/server/api/fixture.h"

namespace server {
namespace {

struct AccessTest : ApiTest {
  // A request of a client certificate's holder; "" = nobody.
  Answer as(const std::string& user, const std::string& method, const std::string& target, const json& body = nullptr, std::vector<std::string> groups = {}) {
    HttpRequest r = make_request(method, target, body.is_null() ? "" : body.dump());
    r.user = user;
    r.groups = std::move(groups);
    return send(r);
  }
  Answer with_token(const std::string& token, const std::string& method, const std::string& target, const json& body = nullptr) {
    HttpRequest r = make_request(method, target, body.is_null() ? "" : body.dump());
    r.user = "";
    r.groups = {};
    r.headers.emplace("authorization", "Bearer " + token);
    return send(r);
  }
  Answer impersonating(const std::string& user, const std::vector<std::string>& groups, const std::string& target, const std::string& by = "admin") {
    HttpRequest r = make_request("GET", target);
    r.user = by;
    if (by != "admin") r.groups = {};
    r.headers.emplace("impersonate-user", user);
    for (const std::string& g : groups) r.headers.emplace("impersonate-group", g);
    return send(r);
  }
  void must(const Answer& a, int status) { ASSERT_EQ(a.status, status) << a.text; }
  void make_account(const std::string& name) { must(call("POST", accounts, {{"metadata", {{"name", name}}}}), 201); }
  std::string make_token(const std::string& account, json spec = json::object()) {
    Answer a = call("POST", accounts + "/" + account + "/token", {{"spec", std::move(spec)}});
    EXPECT_EQ(a.status, 201) << a.text;
    return store::get_string(a.body, "status.token");
  }
  void grant(const std::string& subject, const std::vector<json>& rules, const std::string& name = "r") {
    must(call("POST", rbac + "/namespaces/default/roles", {{"metadata", {{"name", name}}}, {"rules", rules}}), 201);
    must(call("POST", rbac + "/namespaces/default/rolebindings",
              {{"metadata", {{"name", name}}}, {"roleRef", {{"kind", "Role"}, {"name", name}}}, {"subjects", {{{"kind", "User"}, {"name", subject}}}}}),
         201);
  }
  static json rule(std::vector<std::string> verbs, std::vector<std::string> groups, std::vector<std::string> resources) {
    return {{"verbs", verbs}, {"apiGroups", groups}, {"resources", resources}};
  }
  const std::string accounts = "/api/v1/namespaces/default/serviceaccounts";
  const std::string rbac = "/apis/rbac.authorization.k8s.io/v1";
};

TEST_F(AccessTest, MessagesAreUpstreams) {
  struct Row {
    const char *method, *target, *message;
  };
  const Row rows[] = {
      {"GET", "/api/v1/namespaces/default/pods", R"(pods is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "default")"},
      {"GET", "/api/v1/pods?watch=1", R"(pods is forbidden: User "x" cannot watch resource "pods" in API group "" at the cluster scope)"},
      {"GET", "/api/v1/namespaces/default/pods/p/log", R"(pods "p" is forbidden: User "x" cannot get resource "pods/log" in API group "" in the namespace "default")"},
      {"DELETE", "/apis/apps/v1/namespaces/a/deployments/d",
       R"(deployments.apps "d" is forbidden: User "x" cannot delete resource "deployments" in API group "apps" in the namespace "a")"},
      {"DELETE", "/api/v1/namespaces/a/pods", R"(pods is forbidden: User "x" cannot deletecollection resource "pods" in API group "" in the namespace "a")"},
      {"GET", "/api/v1/namespaces/a", R"(namespaces "a" is forbidden: User "x" cannot get resource "namespaces" in API group "" in the namespace "a")"},
      {"POST", "/api/v1/namespaces/a/pods/p/exec", R"(pods "p" is forbidden: User "x" cannot create resource "pods/exec" in API group "" in the namespace "a")"},
      {"GET", "/api/v1/namespaces/a/pods?fieldSelector=metadata.name=p", R"(pods "p" is forbidden: User "x" cannot list resource "pods" in API group "" in the namespace "a")"},
      {"GET", "/metrics", R"(forbidden: User "x" cannot get path "/metrics")"},
      {"POST", "/nosuch", R"(forbidden: User "x" cannot post path "/nosuch")"},
  };
  for (const Row& row : rows) {
    Answer a = as("x", row.method, row.target);
    EXPECT_EQ(a.status, 403) << row.target;
    EXPECT_EQ(a.message(), row.message);
    EXPECT_EQ(a.reason(), "Forbidden");
  }
  Answer anonymous = as("", "GET", pods);
  EXPECT_EQ(anonymous.status, 403);
  EXPECT_EQ(anonymous.message(), R"(pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" in the namespace "default")");
  EXPECT_EQ(anonymous.body["details"], json({{"kind", "pods"}}));
}

TEST_F(AccessTest, WhatEverybodyMay) {
  for (const char* path : {"/healthz", "/livez", "/readyz", "/version"}) EXPECT_EQ(as("", "GET", path).status, 200) << path;
  for (const char* path : {"/api", "/apis", "/api/v1", "/openapi/v3"}) {
    EXPECT_EQ(as("", "GET", path).status, 403) << path;
    EXPECT_EQ(as("x", "GET", path).status, 200) << path;
  }
  EXPECT_EQ(as("x", "GET", "/.well-known/openid-configuration").status, 403);
  EXPECT_EQ(as("x", "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", json::object()).status, 201);
}

TEST_F(AccessTest, WrongCredentials) {
  Answer a = with_token("rubbish", "GET", pods);
  EXPECT_EQ(a.status, 401);
  EXPECT_EQ(a.body, json({{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", json::object()}, {"status", "Failure"}, {"message", "Unauthorized"}, {"reason", "Unauthorized"}, {"code", 401}}));
  EXPECT_EQ(with_token("rubbish", "GET", "/healthz").status, 401);
  HttpRequest r = make_request("GET", "/version");
  r.user = "";
  r.certificate_refused = true;
  EXPECT_EQ(send(r).status, 401);
}

TEST_F(AccessTest, RolesCountAtOnce) {
  EXPECT_EQ(as("x", "GET", pods).status, 403);
  grant("x", {rule({"list"}, {""}, {"pods"})});
  EXPECT_EQ(as("x", "GET", pods).status, 200);
  EXPECT_EQ(as("x", "GET", "/api/v1/namespaces/kube-system/pods").status, 403);
  EXPECT_EQ(as("x", "GET", cms).status, 403);
  call("PATCH", rbac + "/namespaces/default/roles/r", R"({"rules":[{"verbs":["list"],"apiGroups":[""],"resources":["configmaps"]}]})", "application/merge-patch+json");
  EXPECT_EQ(as("x", "GET", pods).status, 403);
  EXPECT_EQ(as("x", "GET", cms).status, 200);
  call("DELETE", rbac + "/namespaces/default/rolebindings/r");
  EXPECT_EQ(as("x", "GET", cms).status, 403);
}

TEST_F(AccessTest, NothingIsGrantedThatIsNotHeld) {
  grant("x", {rule({"*"}, {"rbac.authorization.k8s.io"}, {"roles", "rolebindings"}), rule({"get"}, {""}, {"pods"})});
  const std::string roles = rbac + "/namespaces/default/roles", bindings = rbac + "/namespaces/default/rolebindings";
  // "*" holds escalate and bind, too.
  EXPECT_EQ(as("x", "POST", roles, {{"metadata", {{"name", "a"}}}, {"rules", {rule({"get"}, {""}, {"secrets"})}}}).status, 201);
  grant("y", {rule({"create", "update", "patch", "get"}, {"rbac.authorization.k8s.io"}, {"roles", "rolebindings"}), rule({"get"}, {""}, {"pods"})}, "y");
  Answer refused = as("y", "POST", roles, {{"metadata", {{"name", "b"}}}, {"rules", {rule({"get", "list"}, {""}, {"secrets"}), rule({"get"}, {""}, {"pods"})}}});
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.message(),
            "roles.rbac.authorization.k8s.io \"b\" is forbidden: user \"y\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n"
            "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\"]}");
  EXPECT_EQ(as("y", "POST", roles, {{"metadata", {{"name", "b"}}}, {"rules", {rule({"get"}, {""}, {"pods"})}}}).status, 201);
  auto bind = [&](const char* name, const char* kind, const char* role) {
    return as("y", "POST", bindings, {{"metadata", {{"name", name}}}, {"roleRef", {{"kind", kind}, {"name", role}}}, {"subjects", {{{"kind", "User"}, {"name", "z"}}}}});
  };
  EXPECT_EQ(bind("own", "Role", "b").status, 201);
  EXPECT_EQ(bind("more", "Role", "a").status, 403);
  EXPECT_EQ(bind("all", "ClusterRole", "cluster-admin").status, 403);
  EXPECT_EQ(bind("none", "Role", "gone").message(), "roles.rbac.authorization.k8s.io \"gone\" not found");
  // Server-side apply and patches are writes like all others.
  HttpRequest patch = make_request("PATCH", roles + "/b", R"({"rules":[{"verbs":["*"],"apiGroups":["*"],"resources":["*"]}]})", "application/merge-patch+json");
  patch.user = "y";
  patch.groups = {};
  EXPECT_EQ(send(patch).status, 403);
}

TEST_F(AccessTest, RolesAreValidated) {
  Answer a = call("POST", rbac + "/namespaces/default/roles", {{"metadata", {{"name", "a"}}}, {"rules", {{{"verbs", json::array()}, {"resources", {"pods"}}}}}});
  EXPECT_EQ(a.status, 422);
  EXPECT_EQ(a.message(),
            "Role.rbac.authorization.k8s.io \"a\" is invalid: [rules[0].verbs: Required value: verbs must contain at least one value, rules[0].apiGroups: Required value: resource rules must "
            "supply at least one api group]");
  a = call("POST", rbac + "/clusterrolebindings", {{"metadata", {{"name", "a"}}}, {"roleRef", {{"kind", "Role"}, {"name", "x"}}}});
  EXPECT_EQ(a.message(), "ClusterRoleBinding.rbac.authorization.k8s.io \"a\" is invalid: roleRef.kind: Unsupported value: \"Role\": supported values: \"ClusterRole\"");
  grant("x", {rule({"get"}, {""}, {"pods"})});
  a = call("PATCH", rbac + "/namespaces/default/rolebindings/r", R"({"roleRef":{"name":"other"}})", "application/merge-patch+json");
  EXPECT_EQ(a.status, 422);
  EXPECT_NE(a.message().find("cannot change roleRef"), std::string::npos) << a.message();
}

TEST_F(AccessTest, TokensOfServiceAccounts) {
  make_account("bot");
  const std::string token = make_token("bot");
  Answer who = with_token(token, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", json::object());
  ASSERT_EQ(who.status, 201) << who.text;
  const json& user = who.body["status"]["userInfo"];
  EXPECT_EQ(user["username"], "system:serviceaccount:default:bot");
  EXPECT_EQ(user["groups"], json({"system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"}));
  EXPECT_EQ(user["uid"], call("GET", accounts + "/bot").body["metadata"]["uid"]);
  EXPECT_EQ(with_token(token, "GET", pods).message(), R"(pods is forbidden: User "system:serviceaccount:default:bot" cannot list resource "pods" in API group "" in the namespace "default")");
  EXPECT_EQ(with_token(token, "GET", "/openid/v1/jwks").status, 406) << "as far as they may: keys are no application/json";
  grant("system:serviceaccount:default:bot", {rule({"list"}, {""}, {"pods"})});
  EXPECT_EQ(with_token(token, "GET", pods).status, 200);
  // Of the account that it was made for, not of one of its name.
  call("DELETE", accounts + "/bot");
  EXPECT_EQ(with_token(token, "GET", pods).status, 401);
  make_account("bot");
  EXPECT_EQ(with_token(token, "GET", pods).status, 401);
}

TEST_F(AccessTest, TokensForOthersAreNotForTheServer) {
  make_account("bot");
  const std::string token = make_token("bot", {{"audiences", {"vault"}}});
  EXPECT_EQ(with_token(token, "GET", "/version").status, 401);
  const std::string reviews = "/apis/authentication.k8s.io/v1/tokenreviews";
  Answer a = call("POST", reviews, {{"spec", {{"token", token}, {"audiences", {"vault", "x"}}}}});
  EXPECT_EQ(a.body["status"]["authenticated"], true);
  EXPECT_EQ(a.body["status"]["audiences"], json({"vault"}));
  EXPECT_EQ(a.body["status"]["user"]["username"], "system:serviceaccount:default:bot");
  a = call("POST", reviews, {{"spec", {{"token", token}}}});
  EXPECT_FALSE(store::get_bool(a.body, "status.authenticated"));
  EXPECT_FALSE(store::get_string(a.body, "status.error").empty());
}

TEST_F(AccessTest, BoundTokensEndWithWhatTheyAreBoundTo) {
  make_account("bot");
  json with_account = pod("p", "node-1");
  with_account["spec"]["serviceAccountName"] = "bot";
  must(call("POST", pods, with_account), 201);
  const json bound = {{"kind", "Pod"}, {"apiVersion", "v1"}, {"name", "p"}};
  const std::string token = make_token("bot", {{"boundObjectRef", bound}});
  EXPECT_EQ(with_token(token, "GET", "/version").status, 200);
  Answer who = with_token(token, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", json::object());
  EXPECT_EQ(who.body["status"]["userInfo"]["extra"]["authentication.kubernetes.io/pod-name"], json({"p"}));
  must(call("DELETE", pods + "/p?gracePeriodSeconds=0"), 200);
  EXPECT_EQ(with_token(token, "GET", "/version").status, 401);

  struct Row {
    json ref;
    int status;
    const char* message;
  };
  must(call("POST", pods, pod("other", "node-1")), 201);
  const Row rows[] = {
      {{{"kind", "Pod"}, {"apiVersion", "v1"}, {"name", "gone"}}, 404, "pods \"gone\" not found"},
      {{{"kind", "Pod"}, {"apiVersion", "v1"}, {"name", "other"}}, 400, "cannot bind token for serviceaccount \"bot\" to pod running with different serviceaccount name."},
      {{{"kind", "Pod"}, {"apiVersion", "v1"}, {"name", "other"}, {"uid", "u"}}, 409, nullptr},
      {{{"kind", "Service"}, {"apiVersion", "v1"}, {"name", "x"}}, 400, "cannot bind token to object of type v1, Kind=Service"},
  };
  for (const Row& row : rows) {
    Answer a = call("POST", accounts + "/bot/token", {{"spec", {{"boundObjectRef", row.ref}}}});
    EXPECT_EQ(a.status, row.status) << a.text;
    if (row.message) {
      EXPECT_EQ(a.message(), row.message);
    }
  }
}

TEST_F(AccessTest, TokenRequestsAreChecked) {
  make_account("bot");
  Answer a = call("POST", accounts + "/bot/token", {{"spec", {{"expirationSeconds", 10}}}});
  EXPECT_EQ(a.status, 422);
  EXPECT_EQ(a.message(), "TokenRequest.authentication.k8s.io \"bot\" is invalid: spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes");
  EXPECT_EQ(call("POST", accounts + "/nobody/token", json::object()).message(), "serviceaccounts \"nobody\" not found");
  a = call("POST", accounts + "/bot/token", json::object());
  EXPECT_EQ(a.body["spec"]["expirationSeconds"], 3600);
  EXPECT_EQ(a.body["spec"]["audiences"], json({options.token_issuer}));
  EXPECT_FALSE(store::get_string(a.body, "status.expirationTimestamp").empty());
}

TEST_F(AccessTest, Impersonation) {
  EXPECT_EQ(impersonating("alice", {}, pods).message(), R"(pods is forbidden: User "alice" cannot list resource "pods" in API group "" in the namespace "default")");
  EXPECT_EQ(impersonating("alice", {"system:masters"}, pods).status, 200);
  EXPECT_EQ(impersonating("alice", {}, pods, "bob").message(), R"(users "alice" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope)");
  EXPECT_EQ(impersonating("system:serviceaccount:a:b", {}, pods, "bob").message(),
            R"(serviceaccounts "b" is forbidden: User "bob" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "a")");
  must(call("POST", rbac + "/clusterroles", {{"metadata", {{"name", "i"}}}, {"rules", {rule({"impersonate"}, {""}, {"users"})}}}), 201);
  must(call("POST", rbac + "/clusterrolebindings", {{"metadata", {{"name", "i"}}}, {"roleRef", {{"kind", "ClusterRole"}, {"name", "i"}}}, {"subjects", {{{"kind", "User"}, {"name", "bob"}}}}}), 201);
  EXPECT_EQ(impersonating("alice", {}, "/version", "bob").status, 200);
  // Users only: no groups, and so not the admins'.
  EXPECT_EQ(impersonating("alice", {"system:masters"}, pods, "bob").message(),
            R"(groups "system:masters" is forbidden: User "bob" cannot impersonate resource "groups" in API group "" at the cluster scope)");
  HttpRequest r = make_request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", "{}");
  r.headers.emplace("impersonate-user", "alice");
  r.headers.emplace("impersonate-uid", "7");
  r.headers.emplace("impersonate-extra-example.com%2fscope", "a");
  r.headers.emplace("impersonate-extra-example.com%2fscope", "b");
  EXPECT_EQ(send(r).body["status"]["userInfo"], json({{"username", "alice"}, {"uid", "7"}, {"groups", {"system:authenticated"}}, {"extra", {{"example.com/scope", {"a", "b"}}}}}));
  HttpRequest nobody = make_request("GET", pods);
  nobody.headers.emplace("impersonate-group", "g");
  EXPECT_EQ(send(nobody).status, 500);
}

TEST_F(AccessTest, AccessReviews) {
  grant("x", {rule({"list"}, {""}, {"pods"})});
  const std::string group = "/apis/authorization.k8s.io/v1/";
  auto self = [&](const std::string& user, const json& spec) { return as(user, "POST", group + "selfsubjectaccessreviews", {{"spec", spec}}); };
  const json list_pods = {{"resourceAttributes", {{"verb", "list"}, {"resource", "pods"}, {"namespace", "default"}}}};
  Answer a = self("x", list_pods);
  EXPECT_EQ(a.status, 201);
  EXPECT_EQ(a.body["status"], json({{"allowed", true}, {"reason", "RBAC: allowed by RoleBinding \"r/default\" of Role \"r\" to User \"x\""}}));
  EXPECT_EQ(self("y", list_pods).body["status"], json({{"allowed", false}}));
  EXPECT_EQ(self("y", {{"nonResourceAttributes", {{"verb", "get"}, {"path", "/version"}}}}).body["status"]["allowed"], true);
  EXPECT_EQ(self("y", json::object()).status, 422);
  EXPECT_EQ(as("x", "POST", group + "subjectaccessreviews", {{"spec", list_pods}}).status, 403);
  json of = list_pods;
  of["user"] = "x";
  EXPECT_EQ(call("POST", group + "subjectaccessreviews", {{"spec", of}}).body["status"]["allowed"], true);
  EXPECT_EQ(call("POST", group + "namespaces/default/localsubjectaccessreviews", {{"spec", of}}).body["status"]["allowed"], true);
  EXPECT_EQ(call("POST", group + "namespaces/other/localsubjectaccessreviews", {{"spec", of}}).status, 400);
  EXPECT_EQ(call("POST", group + "subjectaccessreviews", {{"spec", list_pods}}).status, 422);
  EXPECT_EQ(call("GET", group + "subjectaccessreviews").status, 405);
  Answer rules = as("x", "POST", group + "selfsubjectrulesreviews", {{"spec", {{"namespace", "default"}}}});
  ASSERT_EQ(rules.status, 201) << rules.text;
  const json& resources = rules.body["status"]["resourceRules"];
  EXPECT_NE(std::find(resources.begin(), resources.end(), rule({"list"}, {""}, {"pods"})), resources.end()) << resources;
  EXPECT_FALSE(rules.body["status"]["nonResourceRules"].empty());
  EXPECT_EQ(rules.body["status"]["incomplete"], false);
}

TEST_F(AccessTest, PodsGetTheirAccountsToken) {
  Answer made = call("POST", pods, pod("p"));
  ASSERT_EQ(made.status, 201) << made.text;
  const json& spec = made.body["spec"];
  const std::string name = spec["volumes"][0]["name"];
  EXPECT_TRUE(name.starts_with("kube-api-access-"));
  EXPECT_EQ(spec["containers"][0]["volumeMounts"][0], json({{"name", name}, {"readOnly", true}, {"mountPath", "/var/run/secrets/kubernetes.io/serviceaccount"}}));
  EXPECT_EQ(spec["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"], json({{"expirationSeconds", 3607}, {"path", "token"}}));
  EXPECT_EQ(spec["volumes"][0]["projected"]["sources"].size(), 3u);
  EXPECT_EQ(call("GET", accounts + "/default").status, 200);

  json without = pod("q");
  without["spec"]["automountServiceAccountToken"] = false;
  EXPECT_FALSE(call("POST", pods, without).body["spec"].contains("volumes"));
  json mounted = pod("m");
  mounted["spec"]["volumes"] = {{{"name", "v"}, {"emptyDir", json::object()}}};
  mounted["spec"]["containers"][0]["volumeMounts"] = {{{"name", "v"}, {"mountPath", "/var/run/secrets/kubernetes.io/serviceaccount"}}};
  EXPECT_EQ(call("POST", pods, mounted).body["spec"]["volumes"].size(), 1u);

  must(call("POST", accounts, {{"metadata", {{"name", "quiet"}}}, {"automountServiceAccountToken", false}, {"imagePullSecrets", {{{"name", "s"}}}}}), 201);
  json quiet = pod("r");
  quiet["spec"]["serviceAccountName"] = "quiet";
  Answer a = call("POST", pods, quiet);
  EXPECT_FALSE(a.body["spec"].contains("volumes"));
  EXPECT_EQ(a.body["spec"]["imagePullSecrets"], json({{{"name", "s"}}}));
  quiet["metadata"]["name"] = "s";
  quiet["spec"]["serviceAccountName"] = "gone";
  a = call("POST", pods, quiet);
  EXPECT_EQ(a.status, 403);
  EXPECT_EQ(a.message(), "pods \"s\" is forbidden: error looking up service account default/gone: serviceaccount \"gone\" not found");
}

TEST_F(AccessTest, TheIssuerIsFound) {
  const json issuer = call("GET", "/.well-known/openid-configuration").body;
  EXPECT_EQ(issuer["issuer"], options.token_issuer);
  EXPECT_EQ(issuer["jwks_uri"], "https://172.30.0.1:6443/openid/v1/jwks");
  EXPECT_EQ(issuer["id_token_signing_alg_values_supported"], json({"ES256"}));
  const json key = call("GET", "/openid/v1/jwks", "", "", "application/json, */*").body["keys"][0];
  EXPECT_EQ(key["kty"], "EC");
  EXPECT_EQ(key["use"], "sig");
}

}  // namespace
}  // namespace server
