// ReplicationControllers: the same code as ReplicaSets, with a selector that is a plain map.
#include "server/controllers/controllers.h"
#include "tests/server/support/world.h"

namespace server {
namespace {

constexpr const char* kReplicationControllers = "/api/v1/namespaces/default/replicationcontrollers/web";

struct ReplicationControllerTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    controllers = make_controllers(*loop, {"CA"});
    idle();
    apply(
        "apiVersion: v1\nkind: ReplicationController\nmetadata: {name: web}\nspec:\n  replicas: 2\n  selector: {app: web}\n  template:\n    metadata: {labels: {app: web}}\n"
        "    spec: {containers: [{name: c, image: nginx}]}\n");
  }
  void TearDown() override {
    controllers.clear();
    WorldTest::TearDown();
  }
  std::vector<std::unique_ptr<Controller>> controllers;
};

TEST_F(ReplicationControllerTest, KeepsItsPodsAndCountsThem) {
  ASSERT_EQ(pods().size(), 2u);
  EXPECT_EQ(pods()[0]["metadata"]["ownerReferences"][0]["kind"], "ReplicationController");
  make_all_ready();
  const json status = get(kReplicationControllers)["status"];
  for (const char* count : {"replicas", "readyReplicas", "availableReplicas", "fullyLabeledReplicas"}) EXPECT_EQ(status[count], 2) << count;
  merge(std::string(kReplicationControllers) + "/scale", {{"spec", {{"replicas", 3}}}});
  EXPECT_EQ(pods().size(), 3u);
  remove("/api/v1/namespaces/default/pods/" + pods()[0]["metadata"]["name"].get<std::string>());
  EXPECT_EQ(pods().size(), 3u);
}

TEST_F(ReplicationControllerTest, PodsStayWhenTheClientDoesNotSay) {
  remove(kReplicationControllers);
  EXPECT_EQ(call("GET", kReplicationControllers).status, 404);
  EXPECT_EQ(pods().size(), 2u);
  for (const json& pod : pods()) EXPECT_FALSE(pod["metadata"].contains("ownerReferences"));
}

TEST_F(ReplicationControllerTest, OrTheyGoAlong) {
  remove(kReplicationControllers, R"({"propagationPolicy":"Background"})");
  EXPECT_TRUE(pods().empty());
}

}  // namespace
}  // namespace server
