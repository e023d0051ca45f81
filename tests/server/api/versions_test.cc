// Kinds served in several versions and kept in one: each sees the same objects in its own form.
#include "tests/server/api/fixture.h"

namespace server {
namespace {

using Versions = ApiTest;

constexpr const char* kNewEvents = "/apis/events.k8s.io/v1/namespaces/default/events";
constexpr const char* kOldEvents = "/api/v1/namespaces/default/events";

json new_event(const std::string& name) {
  return {{"apiVersion", "events.k8s.io/v1"},
          {"kind", "Event"},
          {"metadata", {{"name", name}}},
          {"eventTime", "2026-01-01T00:00:00.000000Z"},
          {"regarding", {{"kind", "Pod"}, {"name", "web"}, {"namespace", "default"}}},
          {"reason", "Started"},
          {"action", "Start"},
          {"note", "it runs"},
          {"type", "Normal"},
          {"reportingController", "example.io/tester"},
          {"reportingInstance", "tester-1"}};
}

TEST_F(Versions, AnEventIsOneObjectInTwoGroups) {
  Answer made = call("POST", kNewEvents, new_event("e"));
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["apiVersion"], "events.k8s.io/v1");
  EXPECT_EQ(made.body["note"], "it runs");
  Answer old_form = call("GET", std::string(kOldEvents) + "/e");
  ASSERT_EQ(old_form.status, 200);
  EXPECT_EQ(old_form.body["apiVersion"], "v1");
  EXPECT_EQ(old_form.body["message"], "it runs");
  EXPECT_EQ(old_form.body["involvedObject"]["name"], "web");
  EXPECT_FALSE(old_form.body.contains("note"));
  EXPECT_EQ(old_form.body["metadata"]["uid"], made.body["metadata"]["uid"]);
  Answer listed = call("GET", std::string(kNewEvents) + "?fieldSelector=regarding.name=web,reportingController=example.io/tester");
  ASSERT_EQ(listed.body["items"].size(), 1u) << listed.text;
  EXPECT_EQ(listed.body["items"][0]["note"], "it runs");
  EXPECT_EQ(call("GET", std::string(kOldEvents) + "?fieldSelector=involvedObject.name=web").body["items"].size(), 1u);
  EXPECT_EQ(call("GET", std::string(kNewEvents) + "?fieldSelector=regarding.name=other").body["items"].size(), 0u);
}

TEST_F(Versions, PatchesSpeakTheVersionOfTheRequest) {
  ASSERT_EQ(call("POST", kNewEvents, new_event("e")).status, 201);
  Answer patched = call("PATCH", std::string(kNewEvents) + "/e", R"({"series":{"count":2,"lastObservedTime":"2026-01-01T00:00:05.000000Z"}})",
                        "application/merge-patch+json");
  ASSERT_EQ(patched.status, 200) << patched.text;
  EXPECT_EQ(patched.body["note"], "it runs");
  EXPECT_EQ(patched.body["series"]["count"], 2);
  Answer old_form = call("PATCH", std::string(kOldEvents) + "/e", R"({"message":"other words"})", "application/strategic-merge-patch+json");
  ASSERT_EQ(old_form.status, 200) << old_form.text;
  EXPECT_EQ(call("GET", std::string(kNewEvents) + "/e").body["note"], "other words");
  Answer same = call("PATCH", std::string(kNewEvents) + "/e", R"({"note":"other words"})", "application/merge-patch+json");
  EXPECT_EQ(same.body["metadata"]["resourceVersion"], old_form.body["metadata"]["resourceVersion"]) << "nothing changed, nothing is written";
}

TEST_F(Versions, TheNewerGroupIsStricter) {
  json event = new_event("e");
  event.erase("eventTime");
  event["type"] = "Odd";
  event["deprecatedCount"] = 3;
  Answer refused = call("POST", kNewEvents, event);
  ASSERT_EQ(refused.status, 422) << refused.text;
  EXPECT_EQ(refused.message(),
            "Event \"e\" is invalid: [eventTime: Required value, type: Invalid value: \"\": has invalid value: Odd, count: Invalid value: \"\": needs to be unset]");
  ASSERT_EQ(call("POST", kNewEvents, new_event("f")).status, 201);
  Answer changed = call("PATCH", std::string(kNewEvents) + "/f", R"({"reason":"Other"})", "application/merge-patch+json");
  EXPECT_EQ(changed.message(), "Event \"f\" is invalid: reason: Invalid value: \"Other\": field is immutable");
}

TEST_F(Versions, AWatchShowsItsVersion) {
  ASSERT_EQ(call("POST", kNewEvents, new_event("e")).status, 201);
  auto lines = watch(std::string(kNewEvents) + "?watch=true&fieldSelector=regarding.name=web", 1);
  ASSERT_FALSE(lines.empty());
  EXPECT_EQ(lines[0]["object"]["apiVersion"], "events.k8s.io/v1");
  EXPECT_EQ(lines[0]["object"]["note"], "it runs");
  EXPECT_EQ(call("DELETE", std::string(kNewEvents) + "/e").status, 200);
  EXPECT_EQ(call("GET", std::string(kOldEvents) + "/e").status, 404);
}

TEST_F(Versions, TablesAreTheSameInEveryVersion) {
  ASSERT_EQ(call("POST", kNewEvents, new_event("e")).status, 201);
  const std::string table = "application/json;as=Table;v=v1;g=meta.k8s.io";
  json old_row = call("GET", kOldEvents, "", "", table).body["rows"][0]["cells"], new_row = call("GET", kNewEvents, "", "", table).body["rows"][0]["cells"];
  EXPECT_EQ(old_row, new_row);
  EXPECT_EQ(new_row[3], "pod/web");
}

constexpr const char* kScalersV1 = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
constexpr const char* kScalersV2 = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";

json scaler(const char* version) {
  return {{"apiVersion", std::string("autoscaling/") + version},
          {"kind", "HorizontalPodAutoscaler"},
          {"metadata", {{"name", "web"}}},
          {"spec", {{"maxReplicas", 5}, {"scaleTargetRef", {{"apiVersion", "apps/v1"}, {"kind", "Deployment"}, {"name", "web"}}}}}};
}

TEST_F(Versions, AnAutoscalerKeepsWhatV1CannotSay) {
  json body = scaler("v2");
  body["spec"]["metrics"] = json::parse(R"([{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":60}}},
                                            {"type":"Resource","resource":{"name":"memory","target":{"type":"AverageValue","averageValue":"1Gi"}}}])");
  Answer made = call("POST", kScalersV2, body);
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_NE(made.header("Warning").find("kubelan stores spec.metrics and does not act on it"), std::string::npos) << made.header("Warning");
  Answer v1 = call("GET", std::string(kScalersV1) + "/web");
  EXPECT_EQ(v1.body["spec"]["targetCPUUtilizationPercentage"], 60);
  EXPECT_EQ(v1.body["spec"]["minReplicas"], 1);
  EXPECT_EQ(v1.body["metadata"]["annotations"]["autoscaling.alpha.kubernetes.io/metrics"],
            R"([{"type":"Resource","resource":{"name":"memory","targetAverageValue":"1Gi"}}])");
  Answer patched = call("PATCH", std::string(kScalersV1) + "/web", R"({"spec":{"targetCPUUtilizationPercentage":75,"maxReplicas":6}})", "application/merge-patch+json");
  ASSERT_EQ(patched.status, 200) << patched.text;
  EXPECT_EQ(patched.body["spec"]["targetCPUUtilizationPercentage"], 75);
  Answer v2 = call("GET", std::string(kScalersV2) + "/web");
  EXPECT_EQ(v2.body["spec"]["metrics"].size(), 2u) << v2.text;
  EXPECT_EQ(v2.body["spec"]["maxReplicas"], 6);
  EXPECT_FALSE(v2.body["metadata"].contains("annotations")) << v2.text;
  const std::string table = "application/json;as=Table;v=v1;g=meta.k8s.io";
  EXPECT_EQ(call("GET", kScalersV1, "", "", table).body["rows"][0]["cells"][2], "cpu: <unknown>/75%, memory: <unknown>/1Gi");
}

TEST_F(Versions, AnAutoscalerOfV1GetsWhatV2Defaults) {
  Answer made = call("POST", kScalersV1, scaler("v1"));
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["apiVersion"], "autoscaling/v1");
  EXPECT_EQ(made.body["spec"]["targetCPUUtilizationPercentage"], 80);
  Answer bad = call("PATCH", std::string(kScalersV1) + "/web", R"({"spec":{"maxReplicas":0}})", "application/merge-patch+json");
  EXPECT_EQ(bad.message(), "HorizontalPodAutoscaler.autoscaling \"web\" is invalid: [spec.maxReplicas: Required value: must be set and greater than 0, spec.maxReplicas: "
                           "Invalid value: 0: must be greater than or equal to `minReplicas`]");
}

TEST_F(Versions, ServerSideApplyKeepsToItsVersion) {
  Answer applied = call("PATCH", std::string(kScalersV1) + "/web?fieldManager=a&force=false", scaler("v1").dump(), "application/apply-patch+yaml");
  ASSERT_EQ(applied.status, 201) << applied.text;
  Answer again = call("PATCH", std::string(kScalersV2) + "/web?fieldManager=b",
                      R"({"apiVersion":"autoscaling/v2","kind":"HorizontalPodAutoscaler","metadata":{"name":"web"},"spec":{"minReplicas":2}})", "application/apply-patch+yaml");
  ASSERT_EQ(again.status, 200) << again.text;
  EXPECT_EQ(again.body["spec"]["minReplicas"], 2);
  EXPECT_EQ(call("GET", std::string(kScalersV1) + "/web").body["spec"]["minReplicas"], 2);
}

}  // namespace
}  // namespace server
