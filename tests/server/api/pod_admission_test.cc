#include "server/api/pod_admission.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/server/api/fixture.h"

namespace server {
namespace {

using nlohmann::json;

struct Row {
  const char* name;
  const char* found;  // The class; "" when there is none.
  const char* spec;
  const char* refusal;
  const char* want;  // The spec that comes of it.
};

template <size_t N, class Apply>
void check(const Row (&rows)[N], const Apply& apply) {
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const json found = *row.found ? json::parse(row.found) : json();
    json pod = {{"spec", json::parse(row.spec)}};
    EXPECT_EQ(apply(found.is_null() ? nullptr : &found, pod), row.refusal);
    if (!*row.refusal) EXPECT_EQ(pod["spec"], json::parse(row.want));
  }
}

TEST(PodAdmission, Priority) {
  const char* kHigh = R"({"metadata":{"name":"high"},"value":7,"preemptionPolicy":"Never"})";
  const Row rows[] = {
      {"no class", "", "{}", "", R"({"priority":0,"preemptionPolicy":"PreemptLowerPriority"})"},
      {"a class", kHigh, R"({"priorityClassName":"high"})", "", R"({"priorityClassName":"high","priority":7,"preemptionPolicy":"Never"})"},
      {"the default one", kHigh, "{}", "", R"({"priorityClassName":"high","priority":7,"preemptionPolicy":"Never"})"},
      {"its number again", kHigh, R"({"priorityClassName":"high","priority":7})", "", R"({"priorityClassName":"high","priority":7,"preemptionPolicy":"Never"})"},
      {"an unknown class", "", R"({"priorityClassName":"high"})", "no PriorityClass with name high was found", ""},
      {"a number of one's own", "", R"({"priority":1})",
       "the integer value of priority (1) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name", ""},
      {"a policy of one's own", "", R"({"preemptionPolicy":"Never"})",
       "the string value of PreemptionPolicy (Never) must not be provided in pod spec; priority admission controller computed PreemptLowerPriority from the given "
       "PriorityClass name",
       ""},
  };
  check(rows, apply_priority);
}

TEST(PodAdmission, RuntimeClass) {
  const char* kHeavy = R"({"overhead":{"podFixed":{"cpu":"1"}},"scheduling":{"nodeSelector":{"a":"b"},"tolerations":[{"key":"k"}]}})";
  const Row rows[] = {
      {"none", "", "{}", "", "{}"},
      {"a class", kHeavy, R"({"runtimeClassName":"h"})", "", R"({"runtimeClassName":"h","overhead":{"cpu":"1"},"nodeSelector":{"a":"b"},"tolerations":[{"key":"k"}]})"},
      {"an unknown class", "", R"({"runtimeClassName":"h"})", R"(pod rejected: RuntimeClass "h" not found)", ""},
      {"overhead of nothing", "", R"({"overhead":{"cpu":"1"}})", "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead", ""},
      {"another overhead", kHeavy, R"({"runtimeClassName":"h","overhead":{"cpu":"2"}})", "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead", ""},
      {"another node", kHeavy, R"({"runtimeClassName":"h","nodeSelector":{"a":"c"}})",
       "conflict: runtimeClass.scheduling.nodeSelector[a] = b; pod.spec.nodeSelector[a] = c", ""},
  };
  check(rows, apply_runtime_class);
}

using PodClasses = ApiTest;

TEST_F(PodClasses, AreLookedUp) {
  auto pod = [](const std::string& name, const std::string& more) {
    return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":")" + name + R"("},"spec":{"containers":[{"name":"c","image":"x"}])" + more + "}}";
  };
  const std::string pods = "/api/v1/namespaces/default/pods";
  EXPECT_EQ(call("POST", pods, pod("a", R"(,"priorityClassName":"system-node-critical")")).body["spec"]["priority"], 2000001000);
  EXPECT_EQ(call("POST", pods, pod("b", R"(,"priorityClassName":"none")")).message(), R"(pods "b" is forbidden: no PriorityClass with name none was found)");
  EXPECT_EQ(call("POST", pods, pod("c", R"(,"runtimeClassName":"none")")).message(), R"(pods "c" is forbidden: pod rejected: RuntimeClass "none" not found)");
  EXPECT_EQ(call("POST", pods, pod("d", "")).body["spec"]["priority"], 0);
}

TEST_F(PodClasses, AGatedPodSaysSo) {
  const auto made = call("POST", "/api/v1/namespaces/default/pods",
                         R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"g"},"spec":{"containers":[{"name":"c","image":"x"}],"schedulingGates":[{"name":"a.b/c"}]}})");
  ASSERT_EQ(made.status, 201) << made.text;
  EXPECT_EQ(made.body["status"]["conditions"][0]["reason"], "SchedulingGated");
  EXPECT_EQ(made.body["status"]["conditions"][0]["lastTransitionTime"], made.body["metadata"]["creationTimestamp"]);
}

TEST_F(PodClasses, AreResizedInAWayOfTheirOwn) {
  auto pod = [](const std::string& container) { return R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c",)" + container + "}]}}"; };
  ASSERT_EQ(call("POST", "/api/v1/namespaces/default/pods", pod(R"("image":"x","resources":{"requests":{"cpu":"100m"}})")).status, 201);
  struct Row {
    const char* name;
    std::string container;
    const char* message;
  };
  const Row rows[] = {
      {"more", R"("image":"x","resources":{"requests":{"cpu":"200m","memory":"1Mi"}})", ""},
      {"what is not its business stays", R"("image":"y","resources":{"requests":{"cpu":"200m","memory":"1Mi"}})", ""},
      {"less kinds of it", R"("image":"x","resources":{"requests":{"cpu":"200m"}})",
       "Pod \"p\" is invalid: spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"},
      {"another class of service", R"("image":"x","resources":{"limits":{"cpu":"200m","memory":"1Mi"},"requests":{"cpu":"200m","memory":"1Mi"}})",
       "Pod \"p\" is invalid: spec: Invalid value: \"Burstable\": Pod QOS Class may not change as a result of resizing"},
      {"other resources", R"("image":"x","resources":{"requests":{"cpu":"200m","memory":"1Mi","ephemeral-storage":"1"}})",
       "Pod \"p\" is invalid: spec: Forbidden: only cpu and memory resources are mutable"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const auto answer = call("PUT", "/api/v1/namespaces/default/pods/p/resize", pod(row.container));
    EXPECT_EQ(answer.message(), row.message);
    if (!*row.message) EXPECT_EQ(answer.body["spec"]["containers"][0]["resources"]["requests"]["cpu"], "200m") << answer.text;
  }
  EXPECT_EQ(call("GET", "/api/v1/namespaces/default/pods/p").body["spec"]["containers"][0]["image"], "x");
}

// A manifest put over the pod that came of it lacks what the server added, and is refused with the difference.
TEST_F(PodClasses, AnUpdateGetsNoAccount) {
  const std::string pod = R"({"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"x"}]}})";
  ASSERT_EQ(call("POST", "/api/v1/namespaces/default/pods", pod).status, 201);
  const auto put = call("PUT", "/api/v1/namespaces/default/pods/p", pod);
  EXPECT_EQ(put.status, 422);
  EXPECT_NE(put.message().find("- \"ServiceAccountName\": \"default\",\n+ \"ServiceAccountName\": \"\",\n"), std::string::npos) << put.message();
}

}  // namespace
}  // namespace server
