// StatefulSets: the plan by rows, and whole sets against the real API in memory; pods become ready when the test says so.
#include "server/controllers/controllers.h"
#include "server/controllers/stateful_set_steps.h"
#include "tests/server/controllers/controllers_world.h"

namespace server {
namespace {

constexpr const char* kStatefulSets = "/apis/apps/v1/namespaces/default/statefulsets/web";
constexpr const char* kRevisions = "/apis/apps/v1/namespaces/default/controllerrevisions";
constexpr const char* kClaims = "/api/v1/namespaces/default/persistentvolumeclaims";

std::string web_set(int replicas, const std::string& image, const std::string& more = "") {
  return "apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: web}\nspec:\n  serviceName: nginx\n  replicas: " + std::to_string(replicas) + "\n" + more +
         "  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: c, image: " + image + "}]\n";
}

// Pods as text: number, revision (o: old, n: new), state (r: ready, w: waiting, d: deleting, f: failed).
struct PlanRow {
  const char* name;
  const char* spec;
  std::vector<std::string> pods;
  std::vector<std::string> create;  // "2n"
  std::vector<std::string> remove;
};

TEST(StatefulPlan, OneStepAtATimeUnlessParallel) {
  const char* kOrdered = R"("replicas":3)";
  const char* kParallel = R"("replicas":3,"podManagementPolicy":"Parallel")";
  const char* kPartition = R"("replicas":3,"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"partition":2}})";
  const PlanRow rows[] = {
      {"the first", kOrdered, {}, {"0n"}, {}},
      {"waits for the first", kOrdered, {"0nw"}, {}, {}},
      {"the second", kOrdered, {"0nr"}, {"1n"}, {}},
      {"a gap is filled before the rest", kOrdered, {"0nr", "2nr"}, {"1n"}, {}},
      {"waits for one that goes", kOrdered, {"0nr", "1nd", "2nr"}, {}, {}},
      {"all at once", kParallel, {}, {"0n", "1n", "2n"}, {}},
      {"a failed pod is replaced", kOrdered, {"0nf", "1nr", "2nr"}, {}, {"web-0"}},
      {"all is well", kOrdered, {"0nr", "1nr", "2nr"}, {}, {}},
      {"the highest goes first", R"("replicas":1)", {"0nr", "1nr", "2nr"}, {}, {"web-2"}},
      {"and is waited for", R"("replicas":1)", {"0nr", "1nr", "2nd"}, {}, {}},
      {"in parallel they all go", R"("replicas":1,"podManagementPolicy":"Parallel")", {"0nr", "1nr", "2nw"}, {}, {"web-2", "web-1"}},
      {"a sick one that is to stay is waited for", R"("replicas":1)", {"0nw", "1nr"}, {}, {}},
      {"an update begins at the top", kOrdered, {"0or", "1or", "2or"}, {}, {"web-2"}},
      {"and waits for each", kOrdered, {"0or", "1or", "2nw"}, {}, {}},
      {"before the next", kOrdered, {"0or", "1or", "2nr"}, {}, {"web-1"}},
      {"down to the partition", kPartition, {"0or", "1or", "2nr"}, {}, {}},
      {"below it pods are made anew as they were", kPartition, {"0or", "2nr"}, {"1o"}, {}},
      {"on delete nothing goes", R"("replicas":2,"updateStrategy":{"type":"OnDelete"})", {"0or", "1or"}, {}, {}},
      {"but what is made is new", R"("replicas":2,"updateStrategy":{"type":"OnDelete"})", {"0or"}, {"1n"}, {}},
      {"several may be missing", R"("replicas":4,"podManagementPolicy":"Parallel","updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"50%"}})",
       {"0or", "1or", "2or", "3or"}, {}, {"web-3", "web-2"}},
      {"those that are missing count", R"("replicas":4,"podManagementPolicy":"Parallel","updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":2}})",
       {"0or", "1or", "2or", "3nw"}, {}, {"web-2"}},
      {"numbers from five", R"("replicas":1,"ordinals":{"start":5})", {}, {"5n"}, {}},
      {"none of its names", kOrdered, {"0nr", "01nr"}, {"1n"}, {}},
  };
  const base::WallTime now = base::SystemClock().wall();
  for (const PlanRow& row : rows) {
    SCOPED_TRACE(row.name);
    json tree = json::parse(R"({"metadata":{"name":"web","namespace":"default"},"spec":{)" + std::string(row.spec) + "}}");
    const StatefulSet set = project_stateful_set(store::Object("statefulsets.apps", tree));
    std::vector<Pod> pods;
    for (const std::string& text : row.pods) {
      Pod pod;
      const char state = text.back(), revision = text[text.size() - 2];
      pod.meta.name = "web-" + text.substr(0, text.size() - 2);
      pod.meta.labels[kRevisionLabel] = revision == 'n' ? "new" : "old";
      pod.phase = state == 'f' ? PodPhase::kFailed : state == 'w' ? PodPhase::kPending : PodPhase::kRunning;
      pod.ready = state == 'r';
      pod.ready_since = now;
      pod.meta.deleting = state == 'd';
      pods.push_back(pod);
    }
    std::vector<const Pod*> pointers;
    for (const Pod& pod : pods) pointers.push_back(&pod);
    const StatefulPlan plan = plan_stateful_set(set, pointers, "new", now);
    std::vector<std::string> create, remove;
    for (const auto& c : plan.create) create.push_back(std::to_string(c.ordinal) + (c.current ? "o" : "n"));
    for (const Pod* pod : plan.remove) remove.push_back(pod->meta.name);
    EXPECT_EQ(create, row.create);
    EXPECT_EQ(remove, row.remove);
  }
}

struct StatefulSetTest : ControllersTest {
  std::vector<std::string> names() {
    std::vector<std::string> out;
    for (const json& pod : pods()) out.push_back(pod["metadata"]["name"]);
    return out;
  }
  std::string images() {
    std::string out;
    for (const json& pod : pods()) out += (out.empty() ? "" : " ") + pod["spec"]["containers"][0]["image"].get<std::string>();
    return out;
  }
  json status() { return get(kStatefulSets)["status"]; }
};

TEST_F(StatefulSetTest, PodsComeInOrderWithLastingNames) {
  apply(web_set(3, "nginx:1"));
  EXPECT_EQ(names(), (std::vector<std::string>{"web-0"}));
  make_all_ready();
  EXPECT_EQ(names(), (std::vector<std::string>{"web-0", "web-1", "web-2"}));
  const json pod = get("/api/v1/namespaces/default/pods/web-1");
  EXPECT_EQ(pod["spec"]["hostname"], "web-1");
  EXPECT_EQ(pod["spec"]["subdomain"], "nginx");
  EXPECT_EQ(pod["metadata"]["labels"]["statefulset.kubernetes.io/pod-name"], "web-1");
  EXPECT_EQ(pod["metadata"]["labels"]["apps.kubernetes.io/pod-index"], "1");
  const json s = status();
  EXPECT_EQ(pod["metadata"]["labels"]["controller-revision-hash"], s["currentRevision"]);
  EXPECT_EQ(s["currentRevision"], s["updateRevision"]);
  for (const char* count : {"replicas", "readyReplicas", "availableReplicas", "currentReplicas", "updatedReplicas"}) EXPECT_EQ(s[count], 3) << count;
  EXPECT_EQ(s["observedGeneration"], get(kStatefulSets)["metadata"]["generation"]);
  remove("/api/v1/namespaces/default/pods/web-1");
  EXPECT_EQ(names(), (std::vector<std::string>{"web-0", "web-1", "web-2"})) << "made again";
  make_all_ready();
  merge(std::string(kStatefulSets) + "/scale", {{"spec", {{"replicas", 1}}}});
  EXPECT_EQ(names(), (std::vector<std::string>{"web-0"}));
  EXPECT_EQ(status()["replicas"], 1);
}

TEST_F(StatefulSetTest, RollsFromTheTopAndBack) {
  apply(web_set(2, "nginx:1"));
  make_all_ready();
  const std::string first = status()["currentRevision"];
  apply(web_set(2, "nginx:2"));
  EXPECT_EQ(images(), "nginx:1 nginx:2");
  EXPECT_EQ(status()["currentRevision"], first);
  EXPECT_NE(status()["updateRevision"], first);
  make_all_ready();
  EXPECT_EQ(images(), "nginx:2 nginx:2");
  EXPECT_EQ(status()["currentRevision"], status()["updateRevision"]);
  EXPECT_EQ(items(kRevisions).size(), 2u);
  apply(web_set(2, "nginx:1"));
  make_all_ready();
  EXPECT_EQ(images(), "nginx:1 nginx:1");
  EXPECT_EQ(status()["currentRevision"], first) << "the old revision is the newest again";
  EXPECT_EQ(items(kRevisions).size(), 2u);
  for (const json& revision : items(kRevisions)) {
    EXPECT_EQ(revision["revision"], revision["metadata"]["name"] == first ? 3 : 2);
    EXPECT_EQ(revision["data"]["spec"]["template"]["$patch"], "replace");
  }
}

TEST_F(StatefulSetTest, PartitionHoldsBackTheLowerNumbers) {
  apply(web_set(3, "nginx:1"));
  make_all_ready();
  apply(web_set(3, "nginx:2", "  updateStrategy: {rollingUpdate: {partition: 2}}\n"));
  make_all_ready();
  EXPECT_EQ(images(), "nginx:1 nginx:1 nginx:2");
  EXPECT_EQ(status()["updatedReplicas"], 1);
  remove("/api/v1/namespaces/default/pods/web-0");
  make_all_ready();
  EXPECT_EQ(images(), "nginx:1 nginx:1 nginx:2") << "below the partition pods come back as they were";
  merge(kStatefulSets, {{"spec", {{"updateStrategy", {{"rollingUpdate", {{"partition", 0}}}}}}}});
  make_all_ready();
  EXPECT_EQ(images(), "nginx:2 nginx:2 nginx:2");
}

TEST_F(StatefulSetTest, OnDeleteWaitsForWhoDeletes) {
  const std::string strategy = "  updateStrategy: {type: OnDelete}\n";
  apply(web_set(2, "nginx:1", strategy));
  make_all_ready();
  apply(web_set(2, "nginx:2", strategy));
  EXPECT_EQ(images(), "nginx:1 nginx:1");
  remove("/api/v1/namespaces/default/pods/web-0");
  EXPECT_EQ(images(), "nginx:2 nginx:1");
}

TEST_F(StatefulSetTest, MinReadySecondsHoldTheNextPodBack) {
  apply(web_set(2, "nginx:1", "  minReadySeconds: 10\n"));
  make_all_ready();
  EXPECT_EQ(names().size(), 1u);
  pass(std::chrono::seconds(11));
  EXPECT_EQ(names().size(), 2u);
}

TEST_F(StatefulSetTest, ClaimsComeWithPodsAndStayOrGoAsTheSetSays) {
  const std::string claims = "  volumeClaimTemplates:\n  - metadata: {name: data}\n    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n";
  apply(web_set(2, "nginx:1", claims));
  make_all_ready();
  const json claim = get(std::string(kClaims) + "/data-web-1");
  EXPECT_EQ(claim["metadata"]["labels"]["app"], "web");
  EXPECT_FALSE(claim["metadata"].contains("ownerReferences"));
  EXPECT_EQ(claim["status"]["phase"], "Bound");
  EXPECT_EQ(claim["status"]["capacity"]["storage"], "1Gi");
  const json pod = get("/api/v1/namespaces/default/pods/web-1");
  EXPECT_EQ(pod["spec"]["volumes"][0], json::parse(R"({"name":"data","persistentVolumeClaim":{"claimName":"data-web-1"}})"));
  merge(kStatefulSets, {{"spec", {{"replicas", 1}}}});
  EXPECT_EQ(items(kClaims).size(), 2u) << "kept by default";
  merge(kStatefulSets, {{"spec", {{"replicas", 2}, {"persistentVolumeClaimRetentionPolicy", {{"whenScaled", "Delete"}, {"whenDeleted", "Delete"}}}}}});
  make_all_ready();
  EXPECT_EQ(get(std::string(kClaims) + "/data-web-1")["metadata"]["ownerReferences"][0]["kind"], "StatefulSet");
  merge(kStatefulSets, {{"spec", {{"replicas", 1}}}});
  EXPECT_EQ(items(kClaims).size(), 1u) << "gone with its pod";
  remove(kStatefulSets, R"({"propagationPolicy":"Background"})");
  EXPECT_EQ(items(kClaims).size(), 0u) << "gone with the set";
  EXPECT_TRUE(pods().empty());
  EXPECT_TRUE(items(kRevisions).empty());
}

TEST_F(StatefulSetTest, OldRevisionsAreForgotten) {
  apply(web_set(1, "nginx:1", "  revisionHistoryLimit: 1\n"));
  make_all_ready();
  for (const char* image : {"nginx:2", "nginx:3", "nginx:4"}) {
    apply(web_set(1, image, "  revisionHistoryLimit: 1\n"));
    make_all_ready();
  }
  EXPECT_EQ(items(kRevisions).size(), 2u);
}

TEST_F(StatefulSetTest, NothingIsWrittenWhenNothingChanges) {
  apply(web_set(2, "nginx:1"));
  make_all_ready();
  const std::string before = get(kStatefulSets)["metadata"]["resourceVersion"];
  pass(std::chrono::minutes(5));
  EXPECT_EQ(get(kStatefulSets)["metadata"]["resourceVersion"], before);
}

}  // namespace
}  // namespace server
