// Deployments and ReplicaSets against the real API in memory; pods become ready when the test says so.
#include "server/controllers/controllers.h"
#include "tests/server/controllers/controllers_world.h"

namespace server {
namespace {

constexpr const char* kDeployments = "/apis/apps/v1/namespaces/default/deployments/web";
constexpr const char* kSets = "/apis/apps/v1/namespaces/default/replicasets";

std::string web_deployment(int replicas, const std::string& image, const std::string& strategy = "") {
  return "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: " + std::to_string(replicas) + "\n" + strategy +
         "  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: c, image: " + image + "}]\n";
}

struct DeploymentTest : ControllersTest {
  std::map<std::string, int> images() {
    std::map<std::string, int> out;
    for (const json& pod : pods()) ++out[pod["spec"]["containers"][0]["image"].get<std::string>()];
    return out;
  }
  json condition(const std::string& type) {
    const json deployed = get(kDeployments);  // Named: a range over a temporary's member would dangle.
    for (const json& c : store::get_array(deployed, "status.conditions")) {
      if (c["type"] == type) return c;
    }
    return json::object();
  }
};

TEST_F(DeploymentTest, MakesPodsAndCountsThem) {
  apply(web_deployment(3, "nginx:1"));
  EXPECT_EQ(pods().size(), 3u);
  json d = get(kDeployments);
  EXPECT_EQ(d["status"]["replicas"], 3);
  EXPECT_EQ(store::get_int(d, "status.availableReplicas"), 0);
  EXPECT_EQ(condition("Available")["status"], "False");
  make_all_ready();
  d = get(kDeployments);
  EXPECT_EQ(d["status"]["availableReplicas"], 3);
  EXPECT_EQ(d["status"]["updatedReplicas"], 3);
  EXPECT_EQ(d["status"]["observedGeneration"], d["metadata"]["generation"]);
  EXPECT_EQ(condition("Available")["reason"], "MinimumReplicasAvailable");
  EXPECT_EQ(condition("Progressing")["reason"], "NewReplicaSetAvailable");
  json pod = pods()[0];
  EXPECT_EQ(pod["metadata"]["ownerReferences"][0]["kind"], "ReplicaSet");
  EXPECT_TRUE(pod["metadata"]["labels"].contains("pod-template-hash"));
  EXPECT_EQ(pod["metadata"]["name"].get<std::string>().rfind("web-", 0), 0u);
}

TEST_F(DeploymentTest, ScalesBothWaysAndReplacesWhatIsDeleted) {
  apply(web_deployment(2, "nginx:1"));
  make_all_ready();
  for (int want : {5, 1, 0, 3}) {
    merge(kDeployments, {{"spec", {{"replicas", want}}}});
    make_all_ready();
    EXPECT_EQ(pods().size(), static_cast<size_t>(want));
    EXPECT_EQ(store::get_int(get(kDeployments), "status.replicas"), want);
  }
  std::string victim = pods()[0]["metadata"]["name"];
  remove("/api/v1/namespaces/default/pods/" + victim);
  EXPECT_EQ(pods().size(), 3u);
  for (const json& pod : pods()) EXPECT_NE(pod["metadata"]["name"], victim);
}

TEST_F(DeploymentTest, RollsWithinSurgeAndUnavailable) {
  apply(web_deployment(4, "nginx:1", "  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}\n"));
  make_all_ready();
  apply(web_deployment(4, "nginx:2", "  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}\n"));
  // One down, one up, before any new pod is ready: 3 old ready, at most 5 in all.
  auto during = images();
  EXPECT_EQ(during["nginx:1"], 3);
  EXPECT_EQ(during["nginx:2"], 2);
  make_all_ready();
  EXPECT_EQ(images(), (std::map<std::string, int>{{"nginx:2", 4}}));
  EXPECT_EQ(get(kDeployments)["metadata"]["annotations"]["deployment.kubernetes.io/revision"], "2");
  EXPECT_EQ(items(kSets).size(), 2u) << "the old set stays, for a rollback";
}

TEST_F(DeploymentTest, RecreateEndsTheOldFirst) {
  std::string strategy = "  strategy: {type: Recreate}\n";
  apply(web_deployment(2, "nginx:1", strategy));
  make_all_ready();
  apply(web_deployment(2, "nginx:2", strategy));
  EXPECT_EQ(images().count("nginx:1"), 0u);
  make_all_ready();
  EXPECT_EQ(images(), (std::map<std::string, int>{{"nginx:2", 2}}));
}

TEST_F(DeploymentTest, PausedDoesNotRoll) {
  apply(web_deployment(1, "nginx:1"));
  make_all_ready();
  merge(kDeployments, {{"spec", {{"paused", true}}}});
  apply(web_deployment(1, "nginx:2"));
  EXPECT_EQ(images(), (std::map<std::string, int>{{"nginx:1", 1}}));
  merge(kDeployments, {{"spec", {{"paused", nullptr}}}});
  make_all_ready();
  EXPECT_EQ(images(), (std::map<std::string, int>{{"nginx:2", 1}}));
}

TEST_F(DeploymentTest, ProgressDeadlineIsTold) {
  apply(web_deployment(1, "nginx:1", "  progressDeadlineSeconds: 60\n"));
  EXPECT_EQ(condition("Progressing")["status"], "True");
  pass(std::chrono::seconds(61));
  EXPECT_EQ(condition("Progressing")["reason"], "ProgressDeadlineExceeded");
  EXPECT_EQ(condition("Progressing")["status"], "False");
}

TEST_F(DeploymentTest, DeletionTakesPodsAlong) {
  apply(web_deployment(2, "nginx:1"));
  remove(kDeployments, R"({"propagationPolicy":"Background"})");
  EXPECT_EQ(items(kSets).size(), 0u);
  EXPECT_EQ(pods().size(), 0u);
}

TEST_F(DeploymentTest, ForegroundDeletionWaitsForDependents) {
  apply(web_deployment(2, "nginx:1"));
  remove(kDeployments, R"({"propagationPolicy":"Foreground"})");
  EXPECT_EQ(call("GET", kDeployments).status, 404);
  EXPECT_EQ(pods().size(), 0u);
}

TEST_F(DeploymentTest, OrphanLeavesThem) {
  apply(web_deployment(2, "nginx:1"));
  remove(kDeployments, R"({"propagationPolicy":"Orphan"})");
  EXPECT_EQ(call("GET", kDeployments).status, 404);
  ASSERT_EQ(items(kSets).size(), 1u);
  EXPECT_TRUE(store::get_array(items(kSets)[0], "metadata.ownerReferences").empty());
  EXPECT_EQ(pods().size(), 2u);
}

TEST_F(DeploymentTest, NamespacesGetAccountAndCaAndEndWithContent) {
  apply("apiVersion: v1\nkind: Namespace\nmetadata: {name: side}\n");
  EXPECT_EQ(call("GET", "/api/v1/namespaces/side/serviceaccounts/default").status, 200);
  EXPECT_EQ(get("/api/v1/namespaces/side/configmaps/kube-root-ca.crt")["data"]["ca.crt"], "CA");
  remove("/api/v1/namespaces/side/configmaps/kube-root-ca.crt");
  EXPECT_EQ(call("GET", "/api/v1/namespaces/side/configmaps/kube-root-ca.crt").status, 200) << "it is put back";
  apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: side}\n");
  remove("/api/v1/namespaces/side");
  EXPECT_EQ(call("GET", "/api/v1/namespaces/side").status, 404);
  EXPECT_EQ(call("GET", "/api/v1/namespaces/side/configmaps/a").status, 404);
}

TEST_F(DeploymentTest, ReplicaSetAdoptsAndReleases) {
  apply("apiVersion: v1\nkind: Pod\nmetadata: {name: lone, labels: {app: rs}}\nspec: {containers: [{name: c, image: nginx}]}\n");
  apply("apiVersion: apps/v1\nkind: ReplicaSet\nmetadata: {name: rs}\nspec:\n  replicas: 2\n  selector: {matchLabels: {app: rs}}\n  template:\n    metadata: {labels: {app: rs}}\n    spec: {containers: [{name: c, image: nginx}]}\n");
  EXPECT_EQ(pods("app=rs").size(), 2u) << "the lone pod is one of the two";
  EXPECT_EQ(get("/api/v1/namespaces/default/pods/lone")["metadata"]["ownerReferences"][0]["name"], "rs");
  merge("/api/v1/namespaces/default/pods/lone", {{"metadata", {{"labels", {{"app", "other"}}}}}});
  EXPECT_TRUE(store::get_array(get("/api/v1/namespaces/default/pods/lone"), "metadata.ownerReferences").empty());
  EXPECT_EQ(pods("app=rs").size(), 2u);
}

}  // namespace
}  // namespace server
