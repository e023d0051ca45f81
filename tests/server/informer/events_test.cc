#include "server/informer/events.h"

#include "tests/server/support/world.h"

namespace server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct EventsTest : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    recorder = std::make_unique<EventRecorder>(*loop, "tester");
    idle();
    ASSERT_EQ(call("POST", cms, config_map("web")).status, 201);
    idle();
    about = make_ref(*loop->cache("configmaps").find("default", "web"), "spec.x");
  }
  void TearDown() override {
    loop.reset();  // Its queue calls the recorder.
    recorder.reset();
    WorldTest::TearDown();
  }
  std::vector<json> events(const std::string& ns = "default") { return items("/api/v1/namespaces/" + ns + "/events"); }

  std::unique_ptr<EventRecorder> recorder;
  ObjectRef about;
};

TEST_F(EventsTest, AreWrittenWhenThingsAreQuiet) {
  recorder->record(about, "Normal", "Started", "it runs", "node-1");
  idle();
  EXPECT_EQ(events().size(), 0u);
  pass(milliseconds(60));
  ASSERT_EQ(events().size(), 1u);
  const json e = events()[0];
  EXPECT_EQ(e["involvedObject"], (json{{"apiVersion", "v1"},
                                       {"kind", "ConfigMap"},
                                       {"namespace", "default"},
                                       {"name", "web"},
                                       {"uid", about.uid},
                                       {"resourceVersion", std::to_string(about.revision)},
                                       {"fieldPath", "spec.x"}}));
  EXPECT_EQ(e["type"], "Normal");
  EXPECT_EQ(e["reason"], "Started");
  EXPECT_EQ(e["message"], "it runs");
  EXPECT_EQ(e["source"], (json{{"component", "tester"}, {"host", "node-1"}}));
  EXPECT_EQ(e["count"], 1);
  EXPECT_EQ(e["firstTimestamp"], e["lastTimestamp"]);
  EXPECT_TRUE(e["metadata"]["name"].get<std::string>().starts_with("web."));
}

TEST_F(EventsTest, NoiseDelaysThemForASecondAtMost) {
  for (int i = 0; i < 50 && events().empty(); ++i) {
    recorder->normal(about, "Busy", "step " + std::to_string(i));
    pass(milliseconds(40));
    if (i < 20) {
      EXPECT_EQ(events().size(), 0u) << i;
    }
  }
  EXPECT_GT(events().size(), 0u);
}

TEST_F(EventsTest, RepeatsAreCounted) {
  for (int i = 0; i < 3; ++i) recorder->warning(about, "Failed", "no");
  pass(seconds(1));
  recorder->warning(about, "Failed", "no");
  recorder->warning(about, "Failed", "something else");
  pass(seconds(1));
  std::map<std::string, int> counts;
  for (const json& e : events()) counts[e["message"]] = e["count"];
  EXPECT_EQ(counts, (std::map<std::string, int>{{"no", 4}, {"something else", 1}}));
  for (const json& e : events()) EXPECT_EQ(e["message"] == "no", e["firstTimestamp"] != e["lastTimestamp"]);
}

TEST_F(EventsTest, ARepeatOfADeletedEventIsANewOne) {
  recorder->normal(about, "Started", "x");
  pass(seconds(1));
  remove("/api/v1/namespaces/default/events/" + store::get_string(events()[0], "metadata.name"));
  recorder->normal(about, "Started", "x");
  pass(seconds(1));
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(events()[0]["count"], 1);
}

TEST_F(EventsTest, WhatCannotBeWrittenIsDropped) {
  ObjectRef lost = about;
  lost.ns = "nowhere";
  recorder->normal(lost, "Started", "x");
  recorder->normal(about, "Started", "y");
  pass(seconds(1));
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(events()[0]["message"], "y");
}

TEST_F(EventsTest, ClusterScopedObjectsHaveThemInDefault) {
  recorder->normal(make_ref(*loop->cache("namespaces").find("", "kube-system")), "Seen", "x");
  pass(seconds(1));
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(events()[0]["involvedObject"]["kind"], "Namespace");
  EXPECT_FALSE(events()[0]["involvedObject"].contains("namespace"));
}

TEST_F(EventsTest, LongMessagesAreCut) {
  recorder->normal(about, "Long", std::string(5000, 'x'));
  pass(seconds(1));
  ASSERT_EQ(events().size(), 1u);
  EXPECT_EQ(events()[0]["message"].get<std::string>().size(), 1024u);
}

}  // namespace
}  // namespace server
