// The end of a namespace: what holds it up, and what the conditions say about that.
#include "server/controllers/namespace.h"

#include "tests/server/support/world.h"

namespace server {
namespace {

constexpr const char* kNamespaces = "/api/v1/namespaces/side";
constexpr const char* kMaps = "/api/v1/namespaces/side/configmaps";

struct NamespaceTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    controller = make_namespace_controller(*loop);
    idle();
    apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: side}\n");
  }
  void TearDown() override {
    controller.reset();
    WorldTest::TearDown();
  }
  bool alive(const std::string& path) { return call("GET", path).status == 200; }
  void make_map(const std::string& name, const std::vector<std::string>& finalizers = {}) {
    json tree = config_map(name);
    tree["metadata"]["finalizers"] = finalizers;
    ASSERT_EQ(call("POST", kMaps, tree).status, 201);
    idle();
  }
  void finalize(const std::vector<std::string>& finalizers) {
    json tree = get(kNamespaces);
    tree["spec"]["finalizers"] = finalizers;
    Answer a = call("PUT", std::string(kNamespaces) + "/finalize", tree);
    ASSERT_EQ(a.status, 200) << a.text;
    idle();
  }
  // "True SomeResourcesRemain: ..."
  std::string condition(const std::string& type) {
    const json tree = get(kNamespaces);
    for (const json& c : store::get_array(tree, "status.conditions")) {
      if (store::get_string(c, "type") != type) continue;
      return store::get_string(c, "status") + " " + store::get_string(c, "reason") + ": " + store::get_string(c, "message");
    }
    return "";
  }
  std::unique_ptr<Controller> controller;
};

TEST_F(NamespaceTest, AnEmptyOneGoesAtOnce) {
  remove(kNamespaces);
  EXPECT_FALSE(alive(kNamespaces));
}

TEST_F(NamespaceTest, TakesEverythingAlongAndNothingElse) {
  make_map("a");
  apply("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: side}\nspec:\n  selector: {matchLabels: {app: web}}\n"
        "  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: nginx}]}\n"
        "---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: side}\nspec: {ports: [{port: 80}]}\n"
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: default}\n");
  remove(kNamespaces);
  EXPECT_FALSE(alive(kNamespaces));
  for (const char* path : {"/api/v1/namespaces/side/configmaps/a", "/apis/apps/v1/namespaces/side/deployments/web", "/api/v1/namespaces/side/services/web"}) {
    EXPECT_FALSE(alive(path)) << path;
  }
  EXPECT_TRUE(alive("/api/v1/namespaces/default/configmaps/a"));
}

TEST_F(NamespaceTest, SaysWhatHoldsItUp) {
  make_map("a", {"example.com/x"});
  make_map("b", {"example.com/x", "example.com/y"});
  make_map("c");
  remove(kNamespaces);
  EXPECT_EQ(get(kNamespaces)["status"]["phase"], "Terminating");
  EXPECT_EQ(condition("NamespaceContentRemaining"), "True SomeResourcesRemain: Some resources are remaining: configmaps. has 2 resource instances");
  EXPECT_EQ(condition("NamespaceFinalizersRemaining"),
            "True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/x in 2 resource instances, example.com/y in 1 resource instances");
  EXPECT_EQ(condition("NamespaceDeletionContentFailure"), "False ContentDeleted: All content successfully deleted, may be waiting on finalization");
  EXPECT_EQ(call("POST", kMaps, config_map("late")).status, 403);

  merge(std::string(kMaps) + "/a", {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_EQ(condition("NamespaceContentRemaining"), "True SomeResourcesRemain: Some resources are remaining: configmaps. has 1 resource instances");
  merge(std::string(kMaps) + "/b", {{"metadata", {{"finalizers", nullptr}}}});
  EXPECT_FALSE(alive(kNamespaces));
}

TEST_F(NamespaceTest, WaitsForPodsToEnd) {
  apply("apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: side}\nspec: {containers: [{name: c, image: nginx}]}\n");
  ASSERT_TRUE(api->client().bind("side", "p", "node-1").ok());
  idle();
  remove(kNamespaces);
  EXPECT_EQ(condition("NamespaceContentRemaining"), "True SomeResourcesRemain: Some resources are remaining: pods. has 1 resource instances");
  EXPECT_EQ(condition("NamespaceFinalizersRemaining"), "False ContentHasNoFinalizers: All content-preserving finalizers finished");
  remove("/api/v1/namespaces/side/pods/p", R"({"gracePeriodSeconds":0})");  // What a node agent does.
  EXPECT_FALSE(alive(kNamespaces));
}

TEST_F(NamespaceTest, LeavesForeignFinalizersToTheirOwners) {
  finalize({"kubernetes", "example.com/x"});
  make_map("a");
  remove(kNamespaces);
  EXPECT_FALSE(alive(std::string(kMaps) + "/a"));
  EXPECT_EQ(get(kNamespaces)["spec"]["finalizers"], json::array({"example.com/x"}));
  finalize({});
  EXPECT_FALSE(alive(kNamespaces));
}

TEST_F(NamespaceTest, GoesOnAfterARestart) {
  make_map("a");
  loop.reset();
  controller.reset();
  ASSERT_EQ(call("DELETE", kNamespaces).status, 200);
  loop = ControlLoop::make(api->client(), time);
  controller = make_namespace_controller(*loop);
  idle();
  EXPECT_FALSE(alive(kNamespaces));
}

}  // namespace
}  // namespace server
