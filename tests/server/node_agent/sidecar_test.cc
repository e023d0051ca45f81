// Init containers that go on running beside the others, and containers with a restart policy of their own.
#include "tests/server/node_agent/support.h"

namespace server {
namespace {

constexpr const char* kSidecar = "{name: s, image: busybox, command: [side], restartPolicy: Always";

std::string phase_of(const json& pod) { return store::get_string(pod, "status.phase"); }

TEST_F(AgentTest, ASidecarStartsInItsPlaceAndRunsOn) {
  run_pod("a", std::string("{initContainers: [") + kSidecar + "}, {name: i, image: busybox, command: [once]}], containers: [{name: c, image: busybox, command: [main]}]}");
  ASSERT_EQ(spawner.processes.size(), 2u) << "the next init container does not wait for its end";
  EXPECT_EQ(spawner.processes[1].spec.argv[0], "once");
  EXPECT_EQ(phase_of(pod_json("a")), "Pending");
  EXPECT_EQ(shown("a"), "1/2 Init:1/2 0");
  exit(1, 0);
  ASSERT_EQ(spawner.processes.size(), 3u);
  EXPECT_EQ(shown("a"), "2/2 Running 0");
  const json status = pod_json("a")["status"];
  EXPECT_EQ(status["initContainerStatuses"][0]["ready"], true);
  EXPECT_EQ(status["initContainerStatuses"][0]["started"], true);
  exit(0, 0);
  EXPECT_EQ(spawner.processes.size(), 4u) << "it starts again whatever its exit code says";
  EXPECT_EQ(phase_of(pod_json("a")), "Running");
}

TEST_F(AgentTest, AStartupProbeHoldsTheNextBack) {
  run_pod("a", std::string("{initContainers: [") + kSidecar + ", startupProbe: {exec: {command: [ok]}, periodSeconds: 1}}], containers: [{name: c, image: busybox, command: [main]}]}");
  pass(milliseconds(1));
  ASSERT_EQ(spawner.processes.size(), 1u);
  EXPECT_EQ(shown("a"), "0/2 Init:0/1 0");
  ASSERT_EQ(spawner.execs.size(), 1u);
  spawner.execs[0].on_exit(netns::ExitInfo{0, 0});
  spawner.execs[0].out.reset();
  spawner.execs[0].err.reset();
  for (int i = 0; i < 100 && spawner.processes.size() == 1; ++i) pass(milliseconds(10));
  EXPECT_EQ(spawner.processes.size(), 2u);
}

TEST_F(AgentTest, AJobsPodEndsAlthoughItsSidecarWouldNot) {
  run_pod("a", std::string("{restartPolicy: Never, initContainers: [") + kSidecar + "}, {name: t, image: busybox, command: [other], restartPolicy: Always}], " +
                   "containers: [{name: c, image: busybox, command: [main]}]}");
  ASSERT_EQ(spawner.processes.size(), 3u);
  exit(2, 0);
  EXPECT_EQ(phase_of(pod_json("a")), "Running");
  EXPECT_EQ(spawner.processes[1].signals, (std::vector<int>{SIGTERM})) << "the last one first";
  EXPECT_TRUE(spawner.processes[0].signals.empty());
  exit(1, 143);
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM}));
  exit(0, 143);
  EXPECT_EQ(phase_of(pod_json("a")), "Succeeded") << "what sidecars return does not count";
  EXPECT_EQ(spawner.processes.size(), 3u);
  EXPECT_EQ(fabric.node.detached.size(), 1u);
}

TEST_F(AgentTest, AFailedInitContainerTakesItsSidecarAlong) {
  run_pod("a", std::string("{restartPolicy: Never, initContainers: [") + kSidecar + "}, {name: i, image: busybox, command: [once]}], containers: [{name: c, image: busybox, command: [main]}]}");
  exit(1, 7);
  EXPECT_EQ(phase_of(pod_json("a")), "Failed");
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM}));
  exit(0, 143);
  EXPECT_EQ(spawner.processes.size(), 2u);
  EXPECT_EQ(pod_json("a")["status"]["initContainerStatuses"][1]["state"]["terminated"]["exitCode"], 7);
}

TEST_F(AgentTest, WithItsPodASidecarEndsLast) {
  run_pod("a", std::string("{initContainers: [") + kSidecar + "}], containers: [{name: c, image: busybox, command: [main]}]}");
  remove_pod("a");
  pass(milliseconds(101));
  EXPECT_EQ(spawner.processes[1].signals, (std::vector<int>{SIGTERM}));
  EXPECT_TRUE(spawner.processes[0].signals.empty());
  exit(1, 143);
  EXPECT_EQ(spawner.processes[0].signals, (std::vector<int>{SIGTERM}));
  exit(0, 143);
  EXPECT_EQ(shown("a"), "404");
}

TEST_F(AgentTest, ASidecarThatDoesNotHeedIsKilledInThePodsTime) {
  run_pod("a", std::string("{terminationGracePeriodSeconds: 5, initContainers: [") + kSidecar + "}], containers: [{name: c, image: busybox, command: [main]}]}");
  remove_pod("a");
  pass(milliseconds(101));
  exit(1, 143);
  pass(seconds(5));
  EXPECT_EQ(spawner.processes[0].signals.back(), SIGKILL);
}

TEST_F(AgentTest, InitContainersOfJobs) {
  run_pod("never", "{restartPolicy: Never, initContainers: [{name: i, image: busybox, command: [x]}], containers: [{name: c, image: busybox, command: [main]}]}");
  exit(0, 3);
  EXPECT_EQ(phase_of(pod_json("never")), "Failed");
  EXPECT_EQ(spawner.processes.size(), 1u);
  run_pod("again", "{restartPolicy: OnFailure, initContainers: [{name: i, image: busybox, command: [x]}], containers: [{name: c, image: busybox, command: [main]}]}");
  exit(1, 3);
  EXPECT_EQ(spawner.processes.size(), 3u) << "tried again";
  EXPECT_EQ(phase_of(pod_json("again")), "Pending");
  exit(2, 0);
  exit(3, 0);
  EXPECT_EQ(phase_of(pod_json("again")), "Succeeded");
  EXPECT_EQ(pod_json("again")["status"]["initContainerStatuses"][0]["restartCount"], 1);
}

TEST_F(AgentTest, AContainersOwnPolicyGoesFirst) {
  run_pod("a", "{restartPolicy: Always, containers: [{name: c, image: busybox, command: [x], restartPolicy: Never}, {name: d, image: busybox, command: [z]}]}");
  exit(0, 1);
  EXPECT_EQ(spawner.processes.size(), 2u);
  EXPECT_EQ(phase_of(pod_json("a")), "Running");
  exit(1, 0);
  EXPECT_EQ(spawner.processes.size(), 3u);
}

}  // namespace
}  // namespace server
