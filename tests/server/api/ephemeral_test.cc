// pods/ephemeralcontainers: containers may be added there, and nowhere else.
#include "tests/server/api/fixture.h"

namespace server {
namespace {

constexpr const char* kPod = "/api/v1/namespaces/default/pods/p";
constexpr const char* kSub = "/api/v1/namespaces/default/pods/p/ephemeralcontainers";
constexpr const char* kStrategic = "application/strategic-merge-patch+json";

struct EphemeralTest : ApiTest {
  void SetUp() override {
    ApiTest::SetUp();
    ASSERT_EQ(call("POST", "/api/v1/namespaces/default/pods", pod("p")).status, 201);
  }
  static std::string guest(const std::string& name, const std::string& image = "busybox") {
    return json{{"spec", {{"ephemeralContainers", json::array({{{"name", name}, {"image", image}}})}}}}.dump();
  }
};

TEST_F(EphemeralTest, AddedOneByOne) {
  EXPECT_EQ(call("PATCH", kSub, guest("a"), kStrategic).status, 200);
  const Answer second = call("PATCH", kSub, guest("b"), kStrategic);
  ASSERT_EQ(second.status, 200) << second.text;
  EXPECT_EQ(second.body["spec"]["ephemeralContainers"].size(), 2u);
  EXPECT_EQ(second.body["spec"]["ephemeralContainers"][0]["imagePullPolicy"], "Always");
  EXPECT_EQ(second.body["metadata"]["generation"], 3);
  EXPECT_EQ(call("GET", kSub).body["kind"], "Pod");
}

TEST_F(EphemeralTest, OnlyTheListIsTaken) {
  json tree = call("GET", kPod).body;
  tree["metadata"]["labels"]["new"] = "label";
  tree["spec"]["containers"][0]["image"] = "other";
  tree["spec"]["ephemeralContainers"] = json::array({{{"name", "a"}, {"image", "busybox"}}});
  const Answer a = call("PUT", kSub, tree);
  ASSERT_EQ(a.status, 200) << a.text;
  EXPECT_EQ(a.body["spec"]["containers"][0]["image"], "nginx");
  EXPECT_FALSE(a.body["metadata"]["labels"].contains("new"));
}

TEST_F(EphemeralTest, WhatIsThereStays) {
  ASSERT_EQ(call("PATCH", kSub, guest("a"), kStrategic).status, 200);
  const Answer changed = call("PATCH", kSub, guest("a", "nginx"), kStrategic);
  EXPECT_EQ(changed.status, 422);
  EXPECT_EQ(changed.message().substr(0, 97), "Pod \"p\" is invalid: spec.ephemeralContainers: Forbidden: existing ephemeral containers \"a\" may no");
  json tree = call("GET", kPod).body;
  tree["spec"].erase("ephemeralContainers");
  EXPECT_EQ(call("PUT", kSub, tree).status, 422);
}

TEST_F(EphemeralTest, NotThroughThePodItself) {
  const Answer a = call("PATCH", kPod, guest("a"), kStrategic);
  EXPECT_EQ(a.status, 422);
  EXPECT_NE(a.message().find("spec: Forbidden: pod updates may not change fields other than"), std::string::npos) << a.text;
}

TEST_F(EphemeralTest, NeedsAPod) { EXPECT_EQ(call("PATCH", "/api/v1/namespaces/default/pods/no/ephemeralcontainers", guest("a"), kStrategic).status, 404); }

}  // namespace
}  // namespace server
