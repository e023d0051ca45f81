// Ephemeral containers: added while a pod runs, and of no weight for its phase.
#include "tests/server/node_agent/support.h"

namespace server {
namespace {

struct GuestTest : AgentTest {
  // As kubectl debug sends it.
  void add_guest(const std::string& name, const std::string& command) {
    const json patch = {{"spec", {{"ephemeralContainers", json::array({{{"name", name}, {"image", "busybox"}, {"command", {command}}, {"stdin", true}}})}}}};
    const Answer a = call("PATCH", "/api/v1/namespaces/default/pods/a/ephemeralcontainers", patch.dump(), "application/strategic-merge-patch+json");
    ASSERT_EQ(a.status, 200) << a.text;
    idle();
  }
  json guest() { return pod_json("a")["status"]["ephemeralContainerStatuses"][0]; }
};

TEST_F(GuestTest, StartsInARunningPodAndIsNeverStartedAgain) {
  run_pod("a", "{containers: [{name: c, image: busybox, command: [main]}]}");
  add_guest("debugger", "look");
  ASSERT_EQ(spawner.processes.size(), 2u);
  EXPECT_EQ(spawner.processes[1].spec.argv[0], "look");
  EXPECT_TRUE(spawner.processes[1].in) << "its input is open, for attach";
  EXPECT_TRUE(guest()["state"].contains("running"));
  EXPECT_EQ(guest()["ready"], false);
  EXPECT_FALSE(guest().contains("started"));
  EXPECT_EQ(shown("a"), "1/1 Running 0") << "it is not counted";
  write(1, "seen\n");
  LogOptions of_guest;
  of_guest.container = "debugger";
  EXPECT_EQ(logs("a", of_guest), "seen\n");
  exit(1, 3);
  EXPECT_EQ(guest()["state"]["terminated"]["exitCode"], 3);
  EXPECT_EQ(spawner.processes.size(), 2u);
  EXPECT_EQ(shown("a"), "1/1 Running 0");
}

TEST_F(GuestTest, ASecondOneLeavesTheFirstAlone) {
  run_pod("a", "{containers: [{name: c, image: busybox, command: [main]}]}");
  add_guest("one", "look");
  add_guest("two", "look-again");
  ASSERT_EQ(spawner.processes.size(), 3u);
  exit(1, 0);
  EXPECT_TRUE(spawner.processes[2].running);
  const json statuses = pod_json("a")["status"]["ephemeralContainerStatuses"];
  ASSERT_EQ(statuses.size(), 2u);
  for (const json& status : statuses) EXPECT_EQ(status["state"].contains("terminated"), status["name"] == "one");
}

TEST_F(GuestTest, GoesWhenThePodHasDoneItsWork) {
  run_pod("a", "{restartPolicy: Never, containers: [{name: c, image: busybox, command: [main]}]}");
  add_guest("debugger", "look");
  exit(0, 0);
  EXPECT_EQ(spawner.processes[1].signals, (std::vector<int>{SIGTERM}));
  exit(1, 143);
  EXPECT_EQ(store::get_string(pod_json("a"), "status.phase"), "Succeeded");
}

TEST_F(GuestTest, EndsWithADeletedPod) {
  run_pod("a", "{containers: [{name: c, image: busybox, command: [main]}]}");
  add_guest("debugger", "look");
  remove_pod("a");
  pass(std::chrono::milliseconds(200));
  EXPECT_EQ(spawner.processes[1].signals, (std::vector<int>{SIGTERM}));
}

}  // namespace
}  // namespace server
