// PodDisruptionBudgets: the arithmetic by rows, and evictions against the real API in memory.
#include "server/controllers/disruption.h"
#include "tests/server/support/world.h"

namespace server {
namespace {

constexpr const char* kBudgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets/web";

TEST(Budget, Arithmetic) {
  struct Row {
    const char* name;
    const char* spec;
    std::string pods;  // r: ready, w: waiting, d: deleting, e: eviction allowed a moment ago, l: long ago
    int64_t scale;
    int64_t expected, desired, healthy, allowed;
  };
  const Row rows[] = {
      {"a number that must stay", R"({"minAvailable":2})", "rrr", 0, 3, 2, 3, 1},
      {"not all are ready", R"({"minAvailable":2})", "rrw", 0, 3, 2, 2, 0},
      {"a share, rounded up", R"({"minAvailable":"50%"})", "rrr", 3, 3, 2, 3, 1},
      {"a number that may be missing", R"({"maxUnavailable":1})", "rrr", 3, 3, 2, 3, 1},
      {"some are missing already", R"({"maxUnavailable":1})", "rr", 3, 3, 2, 2, 0},
      {"a share that may be missing, rounded up", R"({"maxUnavailable":"30%"})", "rrrr", 4, 4, 2, 4, 2},
      {"all may", R"({"maxUnavailable":"100%"})", "rr", 2, 2, 0, 2, 2},
      {"one that goes is not there", R"({"minAvailable":1})", "rrd", 0, 3, 1, 2, 1},
      {"nor is one that is about to", R"({"minAvailable":1})", "rre", 0, 3, 1, 2, 1},
      {"but one that never went is", R"({"minAvailable":1})", "rrl", 0, 3, 1, 3, 2},
      {"no pods", R"({"minAvailable":0})", "", 0, 0, 0, 0, 0},
  };
  const base::WallTime now = base::SystemClock().wall();
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    Budget budget = project_budget(store::Object("poddisruptionbudgets.policy", {{"metadata", {{"name", "b"}, {"namespace", "d"}}}, {"spec", json::parse(row.spec)}}));
    std::vector<Pod> pods(row.pods.size());
    std::vector<const Pod*> pointers;
    for (size_t i = 0; i < pods.size(); ++i) {
      const char state = row.pods[i];
      pods[i].meta.name = std::string(1, static_cast<char>('a' + i));
      pods[i].ready = state != 'w';
      pods[i].meta.deleting = state == 'd';
      if (state == 'e') budget.disrupted[pods[i].meta.name] = now - std::chrono::seconds(10);
      if (state == 'l') budget.disrupted[pods[i].meta.name] = now - std::chrono::minutes(3);
      pointers.push_back(&pods[i]);
    }
    const BudgetStatus status = compute_budget(budget, pointers, row.scale, now);
    EXPECT_EQ(status.expected, row.expected);
    EXPECT_EQ(status.desired, row.desired);
    EXPECT_EQ(status.healthy, row.healthy);
    EXPECT_EQ(status.allowed, row.allowed);
    EXPECT_EQ(status.stuck.size(), static_cast<size_t>(std::count(row.pods.begin(), row.pods.end(), 'l')));
  }
}

struct DisruptionTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    controllers = make_controllers(*loop, {"CA"});
    idle();
    apply(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 3\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: "
        "web}}\n    spec: {containers: [{name: c, image: nginx}]}\n");
    make_all_ready();
  }
  void TearDown() override {
    controllers.clear();
    WorldTest::TearDown();
  }
  void budget(const std::string& spec) { apply("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, " + spec + "}\n"); }
  // Names are random: those that have no address yet are not meant.
  Answer evict(size_t which = 0, const std::string& more = "") {
    std::vector<std::string> names;
    for (const json& pod : pods()) {
      if (!store::get_string(pod, "status.podIP").empty()) names.push_back(pod["metadata"]["name"]);
    }
    const std::string name = names.at(which);
    Answer a = call("POST", "/api/v1/namespaces/default/pods/" + name + "/eviction" + more, json{{"apiVersion", "policy/v1"}, {"kind", "Eviction"}, {"metadata", {{"name", name}}}});
    return a;
  }
  json status() { return get(kBudgets)["status"]; }
  std::vector<std::unique_ptr<Controller>> controllers;
};

TEST_F(DisruptionTest, EvictionsSpendTheBudget) {
  budget("minAvailable: 2");
  EXPECT_EQ(status()["disruptionsAllowed"], 1);
  EXPECT_EQ(status()["conditions"][0]["reason"], "SufficientPods");
  EXPECT_EQ(evict(0, "?dryRun=All").status, 201);
  EXPECT_EQ(status()["disruptionsAllowed"], 1) << "a dry run spends nothing";
  EXPECT_EQ(pods().size(), 3u);
  EXPECT_EQ(evict().status, 201);
  EXPECT_EQ(status()["disruptionsAllowed"], 0) << "at once, before the controller has seen it";
  Answer second = evict();
  EXPECT_EQ(second.status, 429);
  EXPECT_EQ(second.reason(), "TooManyRequests");
  EXPECT_EQ(second.message(), "Cannot evict pod as it would violate the pod's disruption budget.");
  EXPECT_EQ(second.body["details"]["causes"][0]["reason"], "DisruptionBudget");
  idle();
  EXPECT_EQ(pods().size(), 3u) << "replaced";
  EXPECT_EQ(evict().body["details"]["causes"][0]["message"], "The disruption budget web needs 2 healthy pods and has 2 currently");
  make_all_ready();
  EXPECT_EQ(status()["disruptionsAllowed"], 1);
  EXPECT_FALSE(status().contains("disruptedPods"));
}

TEST_F(DisruptionTest, ABudgetThatWasNotSeenYetRefusesForAWhile) {
  ASSERT_TRUE(api->apply_manifest("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: {selector: {matchLabels: {app: web}}, maxUnavailable: 1}\n", "default").ok());
  Answer a = evict();
  EXPECT_EQ(a.status, 429);
  EXPECT_EQ(a.header("Retry-After"), "10");
  EXPECT_EQ(a.body["details"]["causes"][0]["message"], "The disruption budget web is still being processed by the server.");
  idle();
  EXPECT_EQ(evict().status, 201);
}

TEST_F(DisruptionTest, ADeploymentsNumberCountsOnce) {
  budget("maxUnavailable: 1");
  EXPECT_EQ(status()["expectedPods"], 3);
  EXPECT_EQ(status()["desiredHealthy"], 2);
  merge("/apis/apps/v1/namespaces/default/deployments/web", json::parse(R"({"spec":{"template":{"spec":{"containers":[{"name":"c","image":"nginx:2"}]}}}})"));
  EXPECT_EQ(status()["expectedPods"], 3) << "two sets, one Deployment";
}

TEST_F(DisruptionTest, PodsThatServeNobodyMayGo) {
  budget("minAvailable: 3");
  EXPECT_EQ(evict().status, 429);
  make_ready(pods()[0]["metadata"]["name"], "10.244.1.99", false);
  EXPECT_EQ(evict().status, 429) << "too few are healthy";
  merge(kBudgets, {{"spec", {{"unhealthyPodEvictionPolicy", "AlwaysAllow"}}}});
  EXPECT_EQ(evict().status, 201);
}

TEST_F(DisruptionTest, TwoBudgetsAreOneTooMany) {
  budget("minAvailable: 1");
  apply("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: all}\nspec: {selector: {}, minAvailable: 1}\n");
  Answer a = evict();
  EXPECT_EQ(a.status, 500);
  EXPECT_EQ(a.message(), "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.");
}

TEST_F(DisruptionTest, WithoutAScaleNothingMayGo) {
  apply(
      "apiVersion: batch/v1\nkind: Job\nmetadata: {name: j}\nspec:\n  template:\n    metadata: {labels: {a: b}}\n    spec: {restartPolicy: Never, containers: [{name: c, image: busybox}]}\n");
  apply("apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: {selector: {matchLabels: {a: b}}, maxUnavailable: 1}\n");
  EXPECT_EQ(status()["disruptionsAllowed"], 0);
  EXPECT_EQ(status()["conditions"][0]["reason"], "SyncFailed");
  EXPECT_EQ(status()["conditions"][0]["message"], "jobs.batch does not implement the scale subresource");
}

TEST_F(DisruptionTest, WithoutABudgetPodsJustGo) {
  const std::string name = pods()[0]["metadata"]["name"];
  EXPECT_EQ(evict().status, 201);
  EXPECT_EQ(call("GET", "/api/v1/namespaces/default/pods/" + name).status, 404) << "no node runs it";
}

}  // namespace
}  // namespace server
