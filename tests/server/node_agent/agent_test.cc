// Pods' lives, with a fabric and a spawner that do nothing but answer when the test says so.
#include "tests/server/node_agent/support.h"

namespace server {
namespace {

TEST_F(AgentTest, RegistersItsNode) {
  json node = get("/api/v1/nodes/node-1");
  EXPECT_EQ(node["status"]["addresses"][0]["address"], "172.30.0.11");
  EXPECT_EQ(node["spec"]["podCIDR"], "10.244.1.0/24");
  pass(seconds(3));
  EXPECT_EQ(get("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node-1")["spec"]["holderIdentity"], "node-1");
}

TEST_F(AgentTest, FromBoundToReadyInOneWrite) {
  apply("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: nginx}, {name: d, image: busybox, command: [sleep, '1']}]}\n");
  auto watched = store->watch({"pods", "", store->revision()});
  ASSERT_TRUE(watched.ok());
  ASSERT_TRUE(api->client().bind("default", "a", "node-1").ok());
  idle();
  auto events = (*watched)->next(milliseconds(0));
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->size(), 2u) << "the binding, and one status";
  EXPECT_EQ(shown("a"), "2/2 Running 0");
  json pod = pod_json("a");
  EXPECT_EQ(pod["status"]["podIP"], "10.244.1.2");
  EXPECT_EQ(pod["status"]["hostIP"], "172.30.0.11");
  EXPECT_EQ(spawner.processes.at(0).spec.builtin, "nginx");
  EXPECT_EQ(spawner.processes.at(1).spec.argv, (std::vector<std::string>{"sleep", "1"}));
  EXPECT_EQ(fabric.node.attached.at(0).hostname, "a");
}

TEST_F(AgentTest, InitContainersInOrder) {
  run_pod("a", "{initContainers: [{name: i, image: busybox, command: [one]}, {name: j, image: busybox, command: [two]}], containers: [{name: c, image: nginx}]}");
  EXPECT_EQ(shown("a"), "0/1 Init:0/2 0");
  exit(0, 0);
  EXPECT_EQ(spawner.processes.at(1).spec.argv[0], "two");
  EXPECT_EQ(shown("a"), "0/1 Init:1/2 0");
  exit(1, 0);
  EXPECT_EQ(shown("a"), "1/1 Running 0");
}

TEST_F(AgentTest, RestartsWithBackOff) {
  run_pod("a", "{containers: [{name: c, image: busybox, command: [x]}]}");
  exit(0, 1);
  EXPECT_EQ(shown("a"), "1/1 Running 1") << "the first restart comes at once";
  exit(1, 1);
  EXPECT_EQ(shown("a"), "0/1 CrashLoopBackOff 1");
  EXPECT_EQ(pod_json("a")["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 1);
  pass(milliseconds(9900));
  EXPECT_EQ(spawner.processes.size(), 2u);
  pass(milliseconds(200));
  EXPECT_EQ(shown("a"), "1/1 Running 2");
  exit(2, 1);
  pass(milliseconds(19900));
  EXPECT_EQ(spawner.processes.size(), 3u) << "the second wait is twice as long";
  pass(milliseconds(200));
  EXPECT_EQ(spawner.processes.size(), 4u);
}

TEST_F(AgentTest, RestartPolicies) {
  run_pod("never", "{restartPolicy: Never, containers: [{name: c, image: busybox, command: [x]}]}");
  exit(0, 3);
  EXPECT_EQ(shown("never"), "0/1 Error 0");
  EXPECT_EQ(pod_json("never")["status"]["phase"], "Failed");
  run_pod("done", "{restartPolicy: OnFailure, containers: [{name: c, image: busybox, command: [x]}]}");
  exit(1, 0);
  EXPECT_EQ(shown("done"), "0/1 Completed 0");
  EXPECT_EQ(pod_json("done")["status"]["phase"], "Succeeded");
}

TEST_F(AgentTest, ProgramThatIsNotThere) {
  run_pod("a", "{restartPolicy: Never, containers: [{name: c, image: busybox, command: [nosuch]}]}");
  EXPECT_EQ(shown("a"), "0/1 StartError 0");
  EXPECT_EQ(pod_json("a")["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 128);
}

TEST_F(AgentTest, ImageThatCannotBeHad) {
  run_pod("a", "{containers: [{name: c, image: example.test/none:1}]}");
  EXPECT_EQ(shown("a"), "0/1 ErrImagePull 0");
  pass(seconds(11));
  EXPECT_EQ(shown("a"), "0/1 ImagePullBackOff 0");
}

TEST_F(AgentTest, MissingConfigMapIsWaitedFor) {
  run_pod("a", "{containers: [{name: c, image: nginx, env: [{name: A, valueFrom: {configMapKeyRef: {name: cm, key: k}}}]}]}");
  EXPECT_EQ(shown("a"), "0/1 CreateContainerConfigError 0");
  EXPECT_EQ(pod_json("a")["status"]["containerStatuses"][0]["state"]["waiting"]["message"], "configmap \"cm\" not found");
  apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {k: v}\n");
  EXPECT_EQ(shown("a"), "1/1 Running 0");
}

TEST_F(AgentTest, VolumesAreWrittenAndFollow) {
  run_pod("a", "{volumes: [{name: v, configMap: {name: cm}}], containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /data}]}]}");
  EXPECT_EQ(shown("a"), "0/1 ContainerCreating 0");
  apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {k: one}\n");
  EXPECT_EQ(shown("a"), "1/1 Running 0");
  std::string file = dir + "/pods/" + pod_json("a")["metadata"]["uid"].get<std::string>() + "/volumes/v/k";
  EXPECT_EQ(*base::read_file(file), "one");
  apply("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: cm}\ndata: {k: two}\n");
  EXPECT_EQ(*base::read_file(file), "two");
}

TEST_F(AgentTest, AClaimsFolderOutlivesPodsAndGoesWithTheClaim) {
  namespace fs = std::filesystem;
  const std::string spec = "{volumes: [{name: v, persistentVolumeClaim: {claimName: data}}], containers: [{name: c, image: nginx, volumeMounts: [{name: v, mountPath: /data}]}]}";
  run_pod("a", spec);
  EXPECT_EQ(shown("a"), "0/1 ContainerCreating 0") << "waits for its claim";
  apply("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: data}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}\n");
  EXPECT_EQ(shown("a"), "1/1 Running 0");
  const std::string claim = dir + "/claims/" + get("/api/v1/namespaces/default/persistentvolumeclaims/data")["metadata"]["uid"].get<std::string>();
  auto source = [this](size_t process) {
    for (const netns::Mount& mount : spawner.processes.at(process).spec.mounts) {
      if (mount.target == "/data") return fs::weakly_canonical(mount.source).string() + (mount.read_only ? " ro" : "");
    }
    return std::string("none");
  };
  EXPECT_EQ(source(0), fs::weakly_canonical(claim).string());
  ASSERT_TRUE(base::write_file_atomic(claim + "/kept", "x", 0644).ok());
  remove_pod("a", R"({"gracePeriodSeconds":0})");
  exit(0, 137);
  EXPECT_TRUE(fs::exists(claim + "/kept"));
  run_pod("b", spec);
  EXPECT_EQ(source(1), fs::weakly_canonical(claim).string());
  remove("/api/v1/namespaces/default/persistentvolumeclaims/data");
  EXPECT_TRUE(fs::exists(claim + "/kept")) << "still in use";
  remove_pod("b", R"({"gracePeriodSeconds":0})");
  exit(1, 137);
  EXPECT_FALSE(fs::exists(claim));
}

TEST_F(AgentTest, DeletionAsksThenKills) {
  run_pod("a", "{terminationGracePeriodSeconds: 5, containers: [{name: c, image: busybox, command: [x]}]}");
  remove_pod("a");
  EXPECT_EQ(shown("a"), "1/1 Terminating 0");
  EXPECT_TRUE(spawner.processes[0].signals.empty()) << "Services get a moment to look elsewhere";
  pass(milliseconds(101));
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM}));
  pass(seconds(5));
  EXPECT_EQ(spawner.processes[0].signals.back(), SIGKILL);
  exit(0, 137);
  EXPECT_EQ(shown("a"), "404");
  EXPECT_EQ(fabric.node.detached.size(), 1u);
  EXPECT_TRUE(std::filesystem::is_empty(dir + "/pods"));
}

TEST_F(AgentTest, ForcedDeletionAndANewPodOfTheName) {
  run_pod("a", "{containers: [{name: c, image: busybox, command: [x]}]}");
  std::string old_ip = pod_json("a")["status"]["podIP"];
  remove_pod("a", R"({"gracePeriodSeconds":0})");
  EXPECT_EQ(shown("a"), "404");
  EXPECT_EQ(spawner.processes[0].signals.back(), SIGKILL);
  run_pod("a", "{containers: [{name: c, image: busybox, command: [z]}]}");
  EXPECT_EQ(spawner.processes.size(), 1u) << "the old one is not gone yet";
  exit(0, 137);
  EXPECT_EQ(shown("a"), "1/1 Running 0");
  EXPECT_NE(pod_json("a")["status"]["podIP"], old_ip);
}

TEST_F(AgentTest, AfterARestartContainersStartAgain) {
  run_pod("a", "{containers: [{name: c, image: busybox, command: [x]}]}");
  std::string old_ip = pod_json("a")["status"]["podIP"];
  restart();
  EXPECT_EQ(spawner.processes.size(), 1u);
  EXPECT_EQ(shown("a"), "1/1 Running 1");
  EXPECT_NE(pod_json("a")["status"]["podIP"], old_ip) << "a stale endpoint must not point at another pod";
}

TEST_F(AgentTest, ReadinessGates) {
  run_pod("a", "{readinessGates: [{conditionType: example.test/up}], containers: [{name: c, image: nginx}]}");
  auto ready = [&] {
    const json pod = pod_json("a");
    for (const json& c : store::get_array(pod, "status.conditions")) {
      if (c["type"] == "Ready") return c["status"].get<std::string>();
    }
    return std::string("none");
  };
  EXPECT_EQ(ready(), "False");
  json pod = pod_json("a");
  pod["status"]["conditions"].push_back({{"type", "example.test/up"}, {"status", "True"}});
  ASSERT_EQ(call("PUT", "/api/v1/namespaces/default/pods/a/status", pod).status, 200);
  idle();
  EXPECT_EQ(ready(), "True");
}

}  // namespace
}  // namespace server
