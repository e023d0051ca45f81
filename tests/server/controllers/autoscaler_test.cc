// HorizontalPodAutoscalers against the real API in memory: bounds are kept, and metrics are said to be missing.
#include "server/controllers/autoscaler.h"
#include "tests/server/controllers/controllers_world.h"

namespace server {
namespace {

constexpr const char* kPath = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/web";
constexpr const char* kTarget = "/apis/apps/v1/namespaces/default/deployments/web";

struct AutoscalerTest : ControllersTest {
  void deploy(int replicas) {
    apply("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: " + std::to_string(replicas) +
          "\n  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n    spec: {containers: [{name: c, image: nginx}]}\n");
  }
  void autoscale(int least, int most, const std::string& kind = "Deployment") {
    apply("apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: web}\nspec:\n  minReplicas: " + std::to_string(least) +
          "\n  maxReplicas: " + std::to_string(most) + "\n  scaleTargetRef: {apiVersion: apps/v1, kind: " + kind +
          ", name: web}\n  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 80}}}]\n");
  }
  json condition(const std::string& type) {
    const json autoscaler = get(kPath);
    for (const json& c : store::get_array(autoscaler, "status.conditions")) {
      if (c["type"] == type) return c;
    }
    return json::object();
  }
  std::vector<std::string> events() {
    for (int i = 0; i < 5; ++i) pass(std::chrono::seconds(2));  // They are written when there is nothing better to do, a few at a time.
    std::vector<std::string> out;
    for (const json& event : items("/api/v1/namespaces/default/events")) {
      if (event["involvedObject"]["kind"] == "HorizontalPodAutoscaler") out.push_back(event["reason"]);
    }
    std::sort(out.begin(), out.end());
    return out;
  }
};

TEST_F(AutoscalerTest, WithoutMetricsItSaysSo) {
  deploy(2);
  autoscale(1, 5);
  EXPECT_EQ(condition("AbleToScale")["reason"], "SucceededGetScale");
  const json active = condition("ScalingActive");
  EXPECT_EQ(active["status"], "False");
  EXPECT_EQ(active["reason"], "FailedGetResourceMetric");
  EXPECT_EQ(active["message"],
            "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for resource cpu: unable to fetch metrics from resource "
            "metrics API: the server could not find the requested resource (get pods.metrics.k8s.io)");
  EXPECT_EQ(events(), (std::vector<std::string>{"FailedComputeMetricsReplicas", "FailedGetResourceMetric"}));
  EXPECT_EQ(get(kPath)["status"]["currentReplicas"], 2);
  const std::string before = get(kPath)["metadata"]["resourceVersion"];
  make_all_ready();
  pass(std::chrono::minutes(5));
  EXPECT_EQ(get(kPath)["metadata"]["resourceVersion"], before) << "nothing new to say";
}

TEST_F(AutoscalerTest, TheBoundsAreKept) {
  deploy(1);
  autoscale(3, 5);
  EXPECT_EQ(get(kTarget)["spec"]["replicas"], 3);
  EXPECT_EQ(events(), (std::vector<std::string>{"FailedComputeMetricsReplicas", "FailedGetResourceMetric", "SuccessfulRescale"}));
  merge(kTarget, {{"spec", {{"replicas", 9}}}});
  EXPECT_EQ(get(kTarget)["spec"]["replicas"], 5);
  merge(kTarget, {{"spec", {{"replicas", 0}}}});
  EXPECT_EQ(get(kTarget)["spec"]["replicas"], 0) << "switched off";
  EXPECT_EQ(condition("ScalingActive")["reason"], "ScalingDisabled");
}

TEST_F(AutoscalerTest, ATargetThatIsNotThere) {
  autoscale(1, 5);
  EXPECT_EQ(condition("AbleToScale")["reason"], "FailedGetScale");
  EXPECT_EQ(condition("AbleToScale")["message"], "the HPA controller was unable to get the target's current scale: deployments.apps \"web\" not found");
  deploy(1);
  EXPECT_EQ(condition("AbleToScale")["reason"], "SucceededGetScale") << "it came";
}

TEST_F(AutoscalerTest, AKindThatIsNone) {
  autoscale(1, 5, "Wheel");
  EXPECT_EQ(condition("AbleToScale")["message"], "the HPA controller was unable to get the target's current scale: no matches for kind \"Wheel\" in group \"apps\"");
}

}  // namespace
}  // namespace server
