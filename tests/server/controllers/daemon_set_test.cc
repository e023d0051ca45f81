// DaemonSets against the real API in memory; nodes are objects, pods become ready when the test says so.
#include "server/controllers/controllers.h"
#include "tests/server/support/world.h"

namespace server {
namespace {

constexpr const char* kDaemonSets = "/apis/apps/v1/namespaces/default/daemonsets/agent";

std::string agent(const std::string& image, const std::string& more = "", const std::string& spec = "") {
  return "apiVersion: apps/v1\nkind: DaemonSet\nmetadata: {name: agent}\nspec:\n" + more +
         "  selector: {matchLabels: {app: agent}}\n  template:\n    metadata: {labels: {app: agent}}\n    spec:\n" + spec + "      containers: [{name: c, image: " + image + "}]\n";
}

struct DaemonSetTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    controllers = make_controllers(*loop, {"CA"});
    for (const char* name : {"node-1", "node-2", "node-3"}) add_node(name);
  }
  void TearDown() override {
    controllers.clear();
    WorldTest::TearDown();
  }
  void add_node(const std::string& name, const std::string& more = "") {
    apply("apiVersion: v1\nkind: Node\nmetadata: {name: " + name + ", labels: {kubernetes.io/hostname: " + name + "}}\n" + more);
    merge("/api/v1/nodes/" + name + "/status", json::parse(R"({"status":{"conditions":[{"type":"Ready","status":"True"}]}})"));
  }
  std::string target(const json& pod) {
    return pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"][0]["matchFields"][0]["values"][0];
  }
  // "node-1=nginx:1 node-2=nginx:1"
  std::string placed() {
    std::set<std::string> texts;
    for (const json& pod : pods()) texts.insert(target(pod) + "=" + pod["spec"]["containers"][0]["image"].get<std::string>());
    std::string out;
    for (const std::string& text : texts) out += (out.empty() ? "" : " ") + text;
    return out;
  }
  json status() { return get(kDaemonSets)["status"]; }
  std::vector<std::unique_ptr<Controller>> controllers;
};

TEST_F(DaemonSetTest, OnePodANode) {
  apply(agent("nginx:1"));
  EXPECT_EQ(placed(), "node-1=nginx:1 node-2=nginx:1 node-3=nginx:1");
  EXPECT_EQ(status()["numberReady"], 0);
  make_all_ready();
  json s = status();
  for (const char* count : {"desiredNumberScheduled", "currentNumberScheduled", "numberReady", "numberAvailable", "updatedNumberScheduled"}) EXPECT_EQ(s[count], 3) << count;
  EXPECT_FALSE(s.contains("numberUnavailable"));
  add_node("node-4");
  EXPECT_EQ(pods().size(), 4u);
  remove("/api/v1/nodes/node-4");
  EXPECT_EQ(pods().size(), 3u);
  remove("/api/v1/namespaces/default/pods/" + pods()[0]["metadata"]["name"].get<std::string>());
  EXPECT_EQ(pods().size(), 3u);
  const json tolerations = pods()[0]["spec"]["tolerations"];
  for (const char* key : {"not-ready", "unreachable", "disk-pressure", "memory-pressure", "pid-pressure", "unschedulable"}) {
    EXPECT_EQ(std::count_if(tolerations.begin(), tolerations.end(), [&](const json& t) { return t["key"] == std::string("node.kubernetes.io/") + key; }), 1) << key;
  }
}

TEST_F(DaemonSetTest, NodesAreChosenByLabelsAndTaints) {
  merge("/api/v1/nodes/node-2", json::parse(R"({"metadata":{"labels":{"disk":"fast"}}})"));
  apply(agent("nginx:1", "", "      nodeSelector: {disk: fast}\n"));
  EXPECT_EQ(placed(), "node-2=nginx:1");
  merge("/api/v1/nodes/node-3", json::parse(R"({"metadata":{"labels":{"disk":"fast"}}})"));
  EXPECT_EQ(placed(), "node-2=nginx:1 node-3=nginx:1");
  merge("/api/v1/nodes/node-2", json::parse(R"({"metadata":{"labels":{"disk":null}}})"));
  EXPECT_EQ(placed(), "node-3=nginx:1");
  EXPECT_EQ(status()["numberMisscheduled"], 0);
}

TEST_F(DaemonSetTest, TaintsKeepNewPodsAwayAndNoExecuteEndsThem) {
  merge("/api/v1/nodes/node-1", json::parse(R"({"spec":{"taints":[{"key":"k","effect":"NoSchedule"}]}})"));
  apply(agent("nginx:1"));
  EXPECT_EQ(placed(), "node-2=nginx:1 node-3=nginx:1");
  merge("/api/v1/nodes/node-2", json::parse(R"({"spec":{"taints":[{"key":"k","effect":"NoSchedule"}]}})"));
  EXPECT_EQ(placed(), "node-2=nginx:1 node-3=nginx:1") << "what runs stays";
  EXPECT_EQ(status()["numberMisscheduled"], 1);
  merge("/api/v1/nodes/node-3", json::parse(R"({"spec":{"taints":[{"key":"k","effect":"NoExecute"}]}})"));
  EXPECT_EQ(placed(), "node-2=nginx:1");
  merge("/api/v1/nodes/node-3", json::parse(R"({"spec":{"taints":null,"unschedulable":true}})"));
  EXPECT_EQ(placed(), "node-2=nginx:1 node-3=nginx:1") << "a cordon is not for daemons";
}

TEST_F(DaemonSetTest, RollsWithinMaxUnavailable) {
  apply(agent("nginx:1"));
  make_all_ready();
  apply(agent("nginx:2"));
  EXPECT_EQ(placed(), "node-1=nginx:2 node-2=nginx:1 node-3=nginx:1");
  make_all_ready();
  EXPECT_EQ(placed(), "node-1=nginx:2 node-2=nginx:2 node-3=nginx:2");
  EXPECT_EQ(status()["updatedNumberScheduled"], 3);
  EXPECT_EQ(status()["observedGeneration"], 2);
  const auto revisions = items("/apis/apps/v1/namespaces/default/controllerrevisions");
  ASSERT_EQ(revisions.size(), 2u);
  for (const json& r : revisions) EXPECT_EQ(r["metadata"]["name"], "agent-" + r["metadata"]["labels"]["controller-revision-hash"].get<std::string>());
}

TEST_F(DaemonSetTest, OldPodsThatServeNobodyGoAtOnce) {
  apply(agent("nginx:bad"));
  apply(agent("nginx:2"));
  EXPECT_EQ(placed(), "node-1=nginx:2 node-2=nginx:2 node-3=nginx:2");
}

TEST_F(DaemonSetTest, SurgeStartsTheNewPodFirst) {
  const std::string strategy = "  updateStrategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 0}}\n";
  apply(agent("nginx:1", strategy));
  make_all_ready();
  apply(agent("nginx:2", strategy));
  EXPECT_EQ(placed(), "node-1=nginx:1 node-1=nginx:2 node-2=nginx:1 node-3=nginx:1");
  make_all_ready();
  EXPECT_EQ(placed(), "node-1=nginx:2 node-2=nginx:2 node-3=nginx:2");
}

TEST_F(DaemonSetTest, OnDeleteWaitsForWhoDeletes) {
  const std::string strategy = "  updateStrategy: {type: OnDelete}\n";
  apply(agent("nginx:1", strategy));
  make_all_ready();
  apply(agent("nginx:2", strategy));
  EXPECT_EQ(placed(), "node-1=nginx:1 node-2=nginx:1 node-3=nginx:1");
  for (const json& pod : pods()) {
    if (target(pod) == "node-3") remove("/api/v1/namespaces/default/pods/" + pod["metadata"]["name"].get<std::string>());
  }
  EXPECT_EQ(placed(), "node-1=nginx:1 node-2=nginx:1 node-3=nginx:2");
}

TEST_F(DaemonSetTest, APodThatEndsIsReplacedEachTimeLater) {
  apply(agent("nginx:1", "", "      nodeSelector: {kubernetes.io/hostname: node-1}\n"));
  auto fail = [this] {
    const std::string name = pods()[0]["metadata"]["name"];
    merge("/api/v1/namespaces/default/pods/" + name + "/status", {{"status", {{"phase", "Failed"}}}});
    return name;
  };
  const std::string first = fail();
  ASSERT_EQ(pods().size(), 1u);
  EXPECT_NE(pods()[0]["metadata"]["name"], first) << "the first at once";
  const std::string second = fail();
  EXPECT_EQ(pods()[0]["metadata"]["name"], second) << "the next waits a second";
  pass(std::chrono::milliseconds(1100));
  EXPECT_NE(pods()[0]["metadata"]["name"], second);
}

}  // namespace
}  // namespace server
