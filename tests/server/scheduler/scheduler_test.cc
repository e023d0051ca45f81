#include "server/scheduler/scheduler.h"

#include <set>

#include "server/scheduler/fit.h"
#include "tests/server/support/world.h"

namespace server {
namespace {

json node(const std::string& name, const json& labels = json::object(), const json& taints = json::array(), bool unschedulable = false) {
  json all = labels;
  all["kubernetes.io/hostname"] = name;
  return {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", name}, {"labels", all}}}, {"spec", {{"taints", taints}, {"unschedulable", unschedulable}}}, {"status", {{"conditions", {{{"type", "Ready"}, {"status", "True"}}}}}}};
}

TEST(Fit, Table) {
  struct Row {
    const char* name;
    json spec;
    json node;
    const char* why;
  };
  const char* mismatch = "node(s) didn't match Pod's node affinity/selector";
  auto affinity = [](const json& terms) { return json{{"affinity", {{"nodeAffinity", {{"requiredDuringSchedulingIgnoredDuringExecution", {{"nodeSelectorTerms", terms}}}}}}}}; };
  json taint = json::array({{{"key", "k"}, {"value", "v"}, {"effect", "NoSchedule"}}});
  const Row rows[] = {
      {"plain", json::object(), node("a"), ""},
      {"selector", {{"nodeSelector", {{"disk", "ssd"}}}}, node("a", {{"disk", "ssd"}}), ""},
      {"selector misses", {{"nodeSelector", {{"disk", "ssd"}}}}, node("a"), mismatch},
      {"affinity In", affinity({{{"matchExpressions", {{{"key", "zone"}, {"operator", "In"}, {"values", {"x", "y"}}}}}}}), node("a", {{"zone", "y"}}), ""},
      {"affinity NotIn", affinity({{{"matchExpressions", {{{"key", "zone"}, {"operator", "NotIn"}, {"values", {"x"}}}}}}}), node("a", {{"zone", "x"}}), mismatch},
      {"affinity Exists", affinity({{{"matchExpressions", {{{"key", "zone"}, {"operator", "Exists"}}}}}}), node("a"), mismatch},
      {"affinity Gt", affinity({{{"matchExpressions", {{{"key", "n"}, {"operator", "Gt"}, {"values", {"3"}}}}}}}), node("a", {{"n", "4"}}), ""},
      {"terms are alternatives", affinity({{{"matchExpressions", {{{"key", "no"}, {"operator", "Exists"}}}}}, {{"matchFields", {{{"key", "metadata.name"}, {"operator", "In"}, {"values", {"a"}}}}}}}), node("a"), ""},
      {"taint", json::object(), node("a", json::object(), taint), "node(s) had untolerated taint(s)"},
      {"tolerated", {{"tolerations", {{{"key", "k"}, {"operator", "Equal"}, {"value", "v"}, {"effect", "NoSchedule"}}}}}, node("a", json::object(), taint), ""},
      {"wrong value", {{"tolerations", {{{"key", "k"}, {"value", "w"}}}}}, node("a", json::object(), taint), "node(s) had untolerated taint(s)"},
      {"tolerates all", {{"tolerations", {{{"operator", "Exists"}}}}}, node("a", json::object(), taint), ""},
      {"cordoned", json::object(), node("a", json::object(), json::array(), true), "node(s) were unschedulable"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(why_not(project_placement({{"spec", row.spec}}), project_node(row.node)), row.why);
  }
}

struct SchedulerTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    scheduler = make_scheduler(*loop);
    idle();
  }
  void TearDown() override {
    scheduler.reset();
    WorldTest::TearDown();
  }
  void add_node(const json& tree) {
    ASSERT_EQ(call("POST", "/api/v1/nodes", tree).status, 201);
    merge("/api/v1/nodes/" + tree["metadata"]["name"].get<std::string>() + "/status", {{"status", tree["status"]}});
  }
  void add_pod(const std::string& name, const std::string& extra = "") {
    apply("apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {app: web}}\nspec:\n  containers: [{name: c, image: nginx}]\n" + extra);
  }
  std::string node_of(const std::string& pod) { return store::get_string(get("/api/v1/namespaces/default/pods/" + pod), "spec.nodeName"); }
  std::unique_ptr<Scheduler> scheduler;
};

TEST_F(SchedulerTest, SpreadsAlikePods) {
  for (const char* name : {"node-1", "node-2", "node-3"}) add_node(node(name));
  std::string three;
  for (const char* name : {"a", "b", "c"}) three += std::string("---\napiVersion: v1\nkind: Pod\nmetadata: {name: ") + name + ", labels: {app: web}}\nspec: {containers: [{name: c, image: nginx}]}\n";
  apply(three);  // All pending at once: the load must count what was just bound.
  EXPECT_EQ((std::set<std::string>{node_of("a"), node_of("b"), node_of("c")}), (std::set<std::string>{"node-1", "node-2", "node-3"}));
  EXPECT_EQ(get("/api/v1/namespaces/default/pods/a")["status"]["conditions"][0]["type"], "PodScheduled");
}

TEST_F(SchedulerTest, SaysWhyAndTriesAgain) {
  add_node(node("node-1", json::object(), json::array(), true));
  add_node(node("node-2"));
  add_pod("a", "  nodeSelector: {disk: ssd}\n");
  EXPECT_EQ(node_of("a"), "");
  json condition = get("/api/v1/namespaces/default/pods/a")["status"]["conditions"][0];
  EXPECT_EQ(condition["reason"], "Unschedulable");
  EXPECT_EQ(condition["message"], "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) were unschedulable.");
  merge("/api/v1/nodes/node-2", {{"metadata", {{"labels", {{"disk", "ssd"}}}}}});
  EXPECT_EQ(node_of("a"), "node-2");
}

TEST_F(SchedulerTest, LeavesOthersAlone) {
  add_node(node("node-1"));
  add_pod("other", "  schedulerName: mine\n");
  EXPECT_EQ(node_of("other"), "");
  add_pod("gated", "  schedulingGates: [{name: g}]\n");
  EXPECT_EQ(node_of("gated"), "");
}

TEST_F(SchedulerTest, NoNodes) {
  add_pod("a");
  EXPECT_EQ(get("/api/v1/namespaces/default/pods/a")["status"]["conditions"][0]["message"], "0/0 nodes are available: no nodes available to schedule pods.");
  add_node(node("node-1"));
  EXPECT_EQ(node_of("a"), "node-1");
}

}  // namespace
}  // namespace server
