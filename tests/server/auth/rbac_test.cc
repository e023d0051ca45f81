// The authorizer: which rules allow what, who gets them, and what a user may hand on.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "server/auth/default_roles.h"
#include "server/auth/rbac_index.h"

namespace auth {
namespace {

Rule rule(std::vector<std::string> verbs, std::vector<std::string> groups, std::vector<std::string> resources, std::vector<std::string> names = {}) {
  return {std::move(verbs), std::move(groups), std::move(resources), std::move(names), {}};
}

TEST(Rules, Allow) {
  struct Row {
    const char* name;
    Rule rule;
    Attributes what;
    bool want;
  };
  auto ask = [](const char* verb, const char* group, const char* resource, const char* sub = "", const char* name = "") {
    Attributes a;
    a.verb = verb, a.group = group, a.resource = resource, a.subresource = sub, a.name = name;
    return a;
  };
  auto path = [](const char* verb, const char* url) {
    Attributes a;
    a.is_resource = false, a.verb = verb, a.path = url;
    return a;
  };
  const Row rows[] = {
      {"exact", rule({"get"}, {""}, {"pods"}), ask("get", "", "pods"), true},
      {"another verb", rule({"get"}, {""}, {"pods"}), ask("list", "", "pods"), false},
      {"another group", rule({"get"}, {""}, {"pods"}), ask("get", "apps", "pods"), false},
      {"stars", rule({"*"}, {"*"}, {"*"}), ask("watch", "apps", "deployments", "scale"), true},
      {"a resource is not its subresources", rule({"get"}, {""}, {"pods"}), ask("get", "", "pods", "log"), false},
      {"a subresource is not its resource", rule({"get"}, {""}, {"pods/log"}), ask("get", "", "pods"), false},
      {"a subresource", rule({"get"}, {""}, {"pods/log"}), ask("get", "", "pods", "log"), true},
      {"a subresource of any", rule({"get"}, {"apps"}, {"*/scale"}), ask("get", "apps", "replicasets", "scale"), true},
      {"a subresource of any is no other", rule({"get"}, {"apps"}, {"*/scale"}), ask("get", "apps", "replicasets", "status"), false},
      {"a name", rule({"get"}, {""}, {"secrets"}, {"a", "b"}), ask("get", "", "secrets", "", "b"), true},
      {"another name", rule({"get"}, {""}, {"secrets"}, {"a"}), ask("get", "", "secrets", "", "c"), false},
      {"names do not allow all", rule({"list"}, {""}, {"secrets"}, {"a"}), ask("list", "", "secrets"), false},
      {"a path", {{"get"}, {}, {}, {}, {"/healthz"}}, path("get", "/healthz"), true},
      {"below a path", {{"get"}, {}, {}, {}, {"/healthz"}}, path("get", "/healthz/ping"), false},
      {"a prefix", {{"get"}, {}, {}, {}, {"/api/*"}}, path("get", "/api/v1"), true},
      {"a prefix is not the path", {{"get"}, {}, {}, {}, {"/api/*"}}, path("get", "/api"), false},
      {"any path", {{"*"}, {}, {}, {}, {"*"}}, path("post", "/x"), true},
      {"paths are no resources", {{"*"}, {}, {}, {}, {"*"}}, ask("get", "", "pods"), false},
      {"resources are no paths", rule({"*"}, {"*"}, {"*"}), path("get", "/x"), false},
  };
  for (const Row& row : rows) EXPECT_EQ(allows(row.rule, row.what), row.want) << row.name;
}

TEST(Rules, Uncovered) {
  const Rules wanted = {rule({"get", "list"}, {""}, {"pods", "pods/log"})};
  EXPECT_TRUE(uncovered({rule({"*"}, {"*"}, {"*"})}, wanted).empty());
  EXPECT_TRUE(uncovered({rule({"get", "list"}, {""}, {"pods"}), rule({"get", "list"}, {""}, {"*/log"})}, wanted).empty());
  const Rules missing = compact(uncovered({rule({"get"}, {""}, {"pods"})}, wanted));
  ASSERT_EQ(missing.size(), 2u);
  EXPECT_EQ(describe(missing[0]), R"({APIGroups:[""], Resources:["pods"], Verbs:["list"]})");
  EXPECT_EQ(describe(missing[1]), R"({APIGroups:[""], Resources:["pods/log"], Verbs:["get" "list"]})");
  // Some names do not give all; all give some.
  EXPECT_FALSE(uncovered({rule({"get"}, {""}, {"pods"}, {"a"})}, {rule({"get"}, {""}, {"pods"})}).empty());
  EXPECT_TRUE(uncovered({rule({"get"}, {""}, {"pods"})}, {rule({"get"}, {""}, {"pods"}, {"a"})}).empty());
  EXPECT_TRUE(uncovered({{{"get"}, {}, {}, {}, {"/api/*"}}}, {{{"get"}, {}, {}, {}, {"/api/v1"}}}).empty());
  EXPECT_FALSE(uncovered({{{"get"}, {}, {}, {}, {"/api"}}}, {{{"get"}, {}, {}, {}, {"/api/v1"}}}).empty());
}

struct IndexTest : testing::Test {
  static store::Object object(const char* resource, json tree) { return store::Object(resource, std::move(tree)); }
  static json role(const char* kind, const char* ns, const char* name, const Rules& rules) {
    json out = {{"kind", kind}, {"metadata", {{"name", name}, {"uid", name}, {"resourceVersion", "1"}}}, {"rules", render_rules(rules)}};
    if (*ns) out["metadata"]["namespace"] = ns;
    return out;
  }
  static json binding(const char* ns, const char* name, const char* kind, const char* role, json subject) {
    json out = {{"metadata", {{"name", name}}}, {"roleRef", {{"kind", kind}, {"name", role}}}, {"subjects", json::array({std::move(subject)})}};
    if (*ns) out["metadata"]["namespace"] = ns;
    return out;
  }
  std::shared_ptr<const RbacIndex> compile() { return RbacIndex::compile({roles, cluster_roles, role_bindings, cluster_role_bindings}, cache); }
  static bool can(const RbacIndex& index, const User& user, const char* verb, const char* resource, const char* ns) {
    Attributes a;
    a.verb = verb, a.resource = resource, a.ns = ns;
    return index.authorize(user, a).allowed;
  }
  std::vector<store::Object> roles, cluster_roles, role_bindings, cluster_role_bindings;
  RoleCache cache;
};

TEST_F(IndexTest, Subjects) {
  cluster_roles.push_back(object("clusterroles", role("ClusterRole", "", "reader", {rule({"get"}, {""}, {"pods"})})));
  roles.push_back(object("roles", role("Role", "a", "writer", {rule({"create"}, {""}, {"pods"})})));
  cluster_role_bindings.push_back(object("x", binding("", "1", "ClusterRole", "reader", {{"kind", "Group"}, {"name", "readers"}})));
  role_bindings.push_back(object("x", binding("a", "2", "ClusterRole", "reader", {{"kind", "User"}, {"name", "alice"}})));
  role_bindings.push_back(object("x", binding("a", "3", "Role", "writer", {{"kind", "ServiceAccount"}, {"name", "bot"}, {"namespace", "b"}})));
  role_bindings.push_back(object("x", binding("b", "4", "Role", "gone", {{"kind", "User"}, {"name", "alice"}})));
  auto index = compile();
  const User reader{"r", "", {"readers"}, {}}, alice{"alice", "", {}, {}}, bot{"system:serviceaccount:b:bot", "", {}, {}};
  EXPECT_TRUE(can(*index, reader, "get", "pods", "a"));
  EXPECT_TRUE(can(*index, reader, "get", "pods", ""));
  EXPECT_TRUE(can(*index, alice, "get", "pods", "a"));
  EXPECT_FALSE(can(*index, alice, "get", "pods", ""));
  EXPECT_FALSE(can(*index, alice, "get", "pods", "b"));
  EXPECT_TRUE(can(*index, bot, "create", "pods", "a"));
  EXPECT_FALSE(can(*index, bot, "create", "pods", "b"));
  Attributes a;
  a.verb = "get", a.resource = "pods", a.ns = "b";
  EXPECT_EQ(index->authorize(alice, a).reason, "RBAC: role.rbac.authorization.k8s.io \"gone\" not found");
  a.ns = "a";
  EXPECT_EQ(index->authorize(alice, a).reason, "RBAC: allowed by RoleBinding \"2/a\" of ClusterRole \"reader\" to User \"alice\"");
}

// Two roles of one name: a Role is of its namespace only, and a ClusterRole of none.
TEST_F(IndexTest, RolesAndClusterRolesAreApart) {
  roles.push_back(object("roles", role("Role", "a", "r", {rule({"get"}, {""}, {"pods"})})));
  cluster_roles.push_back(object("clusterroles", role("ClusterRole", "", "r", {rule({"get"}, {""}, {"secrets"})})));
  role_bindings.push_back(object("x", binding("a", "1", "Role", "r", {{"kind", "User"}, {"name", "u"}})));
  auto index = compile();
  EXPECT_TRUE(can(*index, {"u", "", {}, {}}, "get", "pods", "a"));
  EXPECT_FALSE(can(*index, {"u", "", {}, {}}, "get", "secrets", "a"));
}

TEST_F(IndexTest, FollowsChangedRoles) {
  cluster_role_bindings.push_back(object("x", binding("", "1", "ClusterRole", "r", {{"kind", "User"}, {"name", "u"}})));
  cluster_roles.push_back(object("clusterroles", role("ClusterRole", "", "r", {rule({"get"}, {""}, {"pods"})})));
  EXPECT_TRUE(can(*compile(), {"u", "", {}, {}}, "get", "pods", ""));
  json changed = role("ClusterRole", "", "r", {rule({"get"}, {""}, {"nodes"})});
  changed["metadata"]["resourceVersion"] = "2";
  cluster_roles[0] = object("clusterroles", changed);
  EXPECT_FALSE(can(*compile(), {"u", "", {}, {}}, "get", "pods", ""));
  EXPECT_TRUE(can(*compile(), {"u", "", {}, {}}, "get", "nodes", ""));
  // Made again under the old revision's number: another object.
  json again = role("ClusterRole", "", "r", {rule({"get"}, {""}, {"pods"})});
  again["metadata"]["resourceVersion"] = "2";
  again["metadata"]["uid"] = "other";
  cluster_roles[0] = object("clusterroles", again);
  EXPECT_TRUE(can(*compile(), {"u", "", {}, {}}, "get", "pods", ""));
}

TEST(DefaultRoles, AreThere) {
  std::map<std::string, json> roles, bindings;
  for (const json& object : default_objects()) {
    if (object["metadata"].contains("namespace")) continue;
    (object["kind"] == "ClusterRole" ? roles : bindings)[object["metadata"]["name"]] = object;
  }
  for (const char* name : {"cluster-admin", "admin", "edit", "view", "system:discovery", "system:basic-user", "system:public-info-viewer", "system:node"}) EXPECT_TRUE(roles.count(name)) << name;
  EXPECT_EQ(roles["view"]["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-edit"], "true");
  EXPECT_EQ(bindings["cluster-admin"]["subjects"][0]["name"], "system:masters");
  for (const auto& [name, binding] : bindings) EXPECT_TRUE(roles.count(binding["roleRef"]["name"])) << name;
  // Nobody but admins may hand out roles, and reading secrets is not viewing.
  const Rules view = parse_rules(roles["system:aggregate-to-view"]["rules"]);
  EXPECT_FALSE(uncovered(view, {rule({"get"}, {""}, {"secrets"})}).empty());
}

TEST(DefaultRoles, ControllersHaveARoleAndAnAccountEach) {
  int controllers = 0;
  std::map<std::string, json> roles, bindings;
  for (const json& object : default_objects()) {
    const std::string name = object["metadata"]["name"];
    if (name.rfind("system:controller:", 0) || object["metadata"].contains("namespace")) continue;
    if (object["kind"] == "ClusterRole") ++controllers;
    (object["kind"] == "ClusterRole" ? roles : bindings)[name] = object;
  }
  EXPECT_EQ(controllers, 34);  // As many as Kubernetes 1.33 has.
  for (const auto& [name, role] : roles) {
    ASSERT_TRUE(bindings.count(name)) << name;
    EXPECT_EQ(bindings[name]["roleRef"]["name"], name);
    const json account = {{"kind", "ServiceAccount"}, {"name", name.substr(18)}, {"namespace", "kube-system"}};
    EXPECT_EQ(bindings[name]["subjects"], json::array({account}));
  }
  const Rules gc = parse_rules(roles["system:controller:generic-garbage-collector"]["rules"]);
  EXPECT_TRUE(uncovered(gc, {rule({"delete"}, {"apps"}, {"deployments"})}).empty());
  EXPECT_FALSE(uncovered(gc, {rule({"create"}, {"apps"}, {"deployments"})}).empty());
}

TEST(DefaultRoles, NamespacesOfTheSystemHaveTheirs) {
  std::map<std::string, json> found;
  for (const json& object : default_objects()) {
    if (!object["metadata"].contains("namespace")) continue;
    const std::string place = object["metadata"]["namespace"];
    found[place + "/" + std::string(object["kind"]) + "/" + std::string(object["metadata"]["name"])] = object;
  }
  EXPECT_EQ(found.size(), 14u);
  const json& reader = found["kube-system/RoleBinding/system::extension-apiserver-authentication-reader"];
  EXPECT_EQ(reader["roleRef"], (json{{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "Role"}, {"name", "extension-apiserver-authentication-reader"}}));
  EXPECT_EQ(reader["subjects"].size(), 2u);
  EXPECT_EQ(found["kube-public/Role/system:controller:bootstrap-signer"]["rules"].size(), 3u);
  for (const auto& [place, object] : found) {
    if (object["kind"] != "RoleBinding") continue;
    EXPECT_TRUE(found.count(std::string(object["metadata"]["namespace"]) + "/Role/" + std::string(object["roleRef"]["name"]))) << place;
  }
}

TEST(DefaultRoles, AStartAddsWhatIsMissing) {
  json wanted = default_objects()[0];
  EXPECT_FALSE(reconciled(wanted, wanted));
  json stored = wanted;
  stored["rules"] = render_rules({rule({"get"}, {"x"}, {"y"})});
  auto made = reconciled(stored, wanted);
  ASSERT_TRUE(made);
  EXPECT_TRUE(uncovered(parse_rules((*made)["rules"]), parse_rules(wanted["rules"])).empty());
  EXPECT_TRUE(uncovered(parse_rules((*made)["rules"]), parse_rules(stored["rules"])).empty());
  stored["metadata"]["annotations"]["rbac.authorization.kubernetes.io/autoupdate"] = "false";
  EXPECT_FALSE(reconciled(stored, wanted));
}

}  // namespace
}  // namespace auth
