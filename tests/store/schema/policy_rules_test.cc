// What limits and steers workloads: defaults and checks.
#include "tests/store/schema/rules_support.h"

namespace store {
namespace {

using Wanted = std::vector<std::string>;

struct PolicyRow {
  const char* name;
  const char* kind;
  std::string in;
  std::string old;  // "": a create.
  Wanted want;
};

void check(std::span<const PolicyRow> rows) {
  for (const PolicyRow& row : rows) {
    SCOPED_TRACE(row.name);
    EXPECT_EQ(problems(row.kind, row.in, row.old), row.want);
  }
}

TEST(ValidatePodDisruptionBudget, AsUpstream) {
  const PolicyRow rows[] = {
      {"a number", "PodDisruptionBudget", R"({"spec":{"minAvailable":1,"selector":{"matchLabels":{"a":"b"}}}})", "", {}},
      {"nothing at all", "PodDisruptionBudget", R"({"spec":{}})", "", {}},
      {"both", "PodDisruptionBudget", R"({"spec":{"minAvailable":1,"maxUnavailable":1}})", "",
       {R"(spec: Invalid value: {"MinAvailable":1,"Selector":null,"MaxUnavailable":1,"UnhealthyPodEvictionPolicy":null}: minAvailable and maxUnavailable cannot be both set)"}},
      {"below zero", "PodDisruptionBudget", R"({"spec":{"minAvailable":-1}})", "",
       {"spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"}},
      {"more than all", "PodDisruptionBudget", R"({"spec":{"maxUnavailable":"101%"}})", "",
       {"spec.maxUnavailable: Invalid value: \"101%\": must not be greater than 100%"}},
      {"no share", "PodDisruptionBudget", R"({"spec":{"minAvailable":"half"}})", "",
       {"spec.minAvailable: Invalid value: \"half\": a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for "
        "validation is '[0-9]+%')"}},
      {"policy", "PodDisruptionBudget", R"({"spec":{"unhealthyPodEvictionPolicy":"Never"}})", "",
       {R"(spec.unhealthyPodEvictionPolicy: Unsupported value: "Never": supported values: "AlwaysAllow", "IfHealthyBudget")"}},
      {"selector", "PodDisruptionBudget", R"({"spec":{"selector":{"matchExpressions":[{"key":"a","operator":"Like"}]}}})", "",
       {R"(spec.selector.matchExpressions[0].operator: Invalid value: "Like": not a valid selector operator)"}},
      {"status", "PodDisruptionBudget", R"({"spec":{},"status":{"currentHealthy":-1}})", R"({"spec":{}})",
       {"status.currentHealthy: Invalid value: -1: must be greater than or equal to 0"}},
  };
  check(rows);
}

std::string scaler(const std::string& more) {
  return R"({"spec":{"maxReplicas":3,"scaleTargetRef":{"apiVersion":"apps/v1","kind":"Deployment","name":"web"})" + (more.empty() ? "" : "," + more) + "}}";
}

TEST(PrepareAutoscaler, FillsMetricsAndBehaviour) {
  json plain = prepared("HorizontalPodAutoscaler", scaler(""));
  EXPECT_EQ(plain["spec"]["minReplicas"], 1);
  EXPECT_EQ(plain["spec"]["metrics"].dump(),
            R"([{"resource":{"name":"cpu","target":{"averageUtilization":80,"type":"Utilization"}},"type":"Resource"}])");
  EXPECT_FALSE(plain["spec"].contains("behavior"));
  json rules = prepared("HorizontalPodAutoscaler", scaler(R"("behavior":{"scaleDown":{"stabilizationWindowSeconds":10}})"))["spec"]["behavior"];
  EXPECT_EQ(rules["scaleDown"]["stabilizationWindowSeconds"], 10);
  EXPECT_EQ(rules["scaleDown"]["policies"].size(), 1u);
  EXPECT_EQ(rules["scaleUp"]["policies"].size(), 2u);
  EXPECT_EQ(rules["scaleUp"]["stabilizationWindowSeconds"], 0);
  json again = plain;
  find_prepare_hook("autoscaler")(again);
  EXPECT_EQ(again, plain) << "not idempotent";
}

TEST(ValidateAutoscaler, AsUpstream) {
  const char* kKind = "HorizontalPodAutoscaler";
  const PolicyRow rows[] = {
      {"plain", kKind, scaler(""), "", {}},
      {"bounds", kKind, R"({"spec":{"minReplicas":4,"maxReplicas":3,"scaleTargetRef":{"apiVersion":"a/v1","kind":"D","name":"d"}}})", "",
       {"spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"}},
      {"none wanted", kKind, R"({"spec":{"minReplicas":0,"maxReplicas":0,"scaleTargetRef":{"apiVersion":"a/v1","kind":"D","name":"d"}}})", "",
       {"spec.minReplicas: Invalid value: 0: must be greater than or equal to 1", "spec.maxReplicas: Required value: must be set and greater than 0",
        "spec.metrics: Forbidden: must specify at least one Object or External metric to support scaling to zero replicas"}},
      {"no target", kKind, R"({"spec":{"maxReplicas":1,"scaleTargetRef":{"apiVersion":"a/v1","kind":"a/b"}}})", "",
       {"spec.scaleTargetRef.kind: Invalid value: \"a/b\": may not contain '/'", "spec.scaleTargetRef.name: Required value"}},
      {"metric without its source", kKind, scaler(R"("metrics":[{"type":"Pods"}])"), "",
       {"spec.metrics[0].pods: Required value: must populate information for the given metric source"}},
      {"unknown type", kKind, scaler(R"("metrics":[{"type":"X","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":5}}}])"), "",
       {R"(spec.metrics[0].type: Unsupported value: "X": supported values: "ContainerResource", "External", "Object", "Pods", "Resource")",
        R"(spec.metrics[0].type: Unsupported value: "X": supported values: "ContainerResource", "External", "Object", "Pods", "Resource")"}},
      {"resource", kKind, scaler(R"("metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"type":"Utilization","averageUtilization":0,"averageValue":"1"}}}])"), "",
       {"spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0",
        "spec.metrics[0].resource.target.averageValue: Forbidden: may not set both a target raw value and a target utilization"}},
      {"pods", kKind, scaler(R"("metrics":[{"type":"Pods","pods":{"metric":{"name":"rps"},"target":{"type":"Value","value":"1"}}}])"), "",
       {"spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue"}},
      {"object", kKind, scaler(R"("metrics":[{"type":"Object","object":{"describedObject":{"kind":"Ingress","name":"i"},"metric":{},"target":{"type":"Value","value":"0"}}}])"), "",
       {"spec.metrics[0].object.metric.name: Required value: must specify a metric name", "spec.metrics[0].object.target.value: Invalid value: \"0\": must be positive"}},
      {"behaviour", kKind, scaler(R"("behavior":{"scaleUp":{"stabilizationWindowSeconds":4000,"policies":[{"type":"Pod","value":0,"periodSeconds":2000}]}})"), "",
       {"spec.behavior.scaleUp.stabilizationWindowSeconds: Invalid value: 4000: must be less than or equal to 3600",
        R"(spec.behavior.scaleUp.policies[0].type: Unsupported value: "Pod": supported values: "Percent", "Pods")",
        "spec.behavior.scaleUp.policies[0].value: Invalid value: 0: must be greater than zero",
        "spec.behavior.scaleUp.policies[0].periodSeconds: Invalid value: 2000: must be less than or equal to 1800"}},
  };
  check(rows);
}

TEST(ValidateEvent, WithATimeItMustSayWhoReports) {
  const std::string involved = R"("metadata":{"namespace":"a"},"involvedObject":{"namespace":"a"})";
  const PolicyRow rows[] = {
      {"old", "Event", "{" + involved + "}", "", {}},
      {"elsewhere", "Event", R"({"metadata":{"namespace":"a"},"involvedObject":{"namespace":"b"}})", "",
       {"involvedObject.namespace: Invalid value: \"b\": does not match event.namespace"}},
      {"new, empty", "Event", "{" + involved + R"(,"eventTime":"2026-01-01T00:00:00.000000Z"})", "",
       {"reportingComponent: Required value",
        "reportingComponent: Invalid value: \"\": name part must be non-empty",
        "reportingComponent: Invalid value: \"\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
        "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        "reportingInstance: Required value", "action: Required value", "reason: Required value"}},
      {"new", "Event",
       "{" + involved + R"(,"eventTime":"2026-01-01T00:00:00.000000Z","reportingComponent":"x.io/c","reportingInstance":"i","action":"a","reason":"r"})", "", {}},
  };
  check(rows);
}

}  // namespace
}  // namespace store
