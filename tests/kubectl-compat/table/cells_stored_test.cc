// Cells of the kinds that kubelan keeps for others.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/kubectl-compat/table/cell_rows.h"

namespace compat {
namespace {

using Row = CellCheck;

TEST(Cells, Autoscalers) {
  const Row rows[] = {
      {"reference", "autoscaler_reference", R"({"spec":{"scaleTargetRef":{"kind":"Deployment","name":"web"}}})", "Deployment/web"},
      {"no metrics", "autoscaler_targets", "{}", "<none>"},
      {"cpu", "autoscaler_targets",
       R"({"spec":{"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"averageUtilization":80}}}]},
           "status":{"currentMetrics":[{"type":"Resource","resource":{"name":"cpu","current":{"averageUtilization":12}}}]}})",
       "cpu: 12%/80%"},
      {"cpu, not known yet", "autoscaler_targets", R"({"spec":{"metrics":[{"type":"Resource","resource":{"name":"cpu","target":{"averageUtilization":80}}}]}})",
       "cpu: <unknown>/80%"},
      {"three", "autoscaler_targets",
       R"({"spec":{"metrics":[{"type":"Pods","pods":{"target":{"averageValue":"10"}}},{"type":"Object","object":{"target":{"value":"5k"}}},{"type":"External"}]}})",
       "<unknown>/10, <unknown>/5k + 1 more..."},
      {"external, averaged", "autoscaler_targets",
       R"({"spec":{"metrics":[{"type":"External","external":{"target":{"averageValue":"10"}}}]},"status":{"currentMetrics":[{"external":{"current":{"averageValue":"7"}}}]}})",
       "7/10 (avg)"},
      {"unknown type", "autoscaler_targets", R"({"spec":{"metrics":[{"type":"X"}]}})", "<unknown type>"},
      {"no minimum", "autoscaler_min", "{}", "<unset>"},
      {"minimum", "autoscaler_min", R"({"spec":{"minReplicas":2}})", "2"},
      {"maximum", "autoscaler_max", R"({"spec":{"maxReplicas":5}})", 5},
      {"replicas, not known yet", "autoscaler_replicas", "{}", 0},
  };
  check(rows);
}

TEST(Cells, BudgetsQuotasAndPolicies) {
  const Row rows[] = {
      {"number", "budget_min_available", R"({"spec":{"minAvailable":2}})", "2"},
      {"share", "budget_max_unavailable", R"({"spec":{"maxUnavailable":"30%"}})", "30%"},
      {"neither", "budget_min_available", "{}", "N/A"},
      {"requests", "quota_requests", R"({"status":{"hard":{"limits.cpu":"2","pods":"10","requests.cpu":"1"},"used":{"pods":"3"}}})", "pods: 3/10, requests.cpu: 0/1"},
      {"limits", "quota_limits", R"({"status":{"hard":{"limits.cpu":"2","pods":"10"}}})", "limits.cpu: 0/2"},
      {"priority", "priority_preemption", "{}", "PreemptLowerPriority"},
      {"all pods", "pod_selector", R"({"spec":{"podSelector":{}}})", "<none>"},
      {"some pods", "pod_selector", R"({"spec":{"podSelector":{"matchLabels":{"a":"b"}}}})", "a=b"},
      {"template", "podtemplate_labels", R"({"template":{"metadata":{"labels":{"a":"b"}}}})", "a=b"},
      {"webhooks", "webhook_count", R"({"webhooks":[{},{}]})", 2},
      {"no kind", "policy_param_kind", "{}", "<unset>"},
      {"kind", "policy_param_kind", R"({"spec":{"paramKind":{"apiVersion":"v1","kind":"ConfigMap"}}})", "v1/ConfigMap"},
      {"settings by name", "policy_param_ref", R"({"spec":{"paramRef":{"name":"n"}}})", "*/n"},
      {"healthy", "component_status", R"({"conditions":[{"type":"Healthy","status":"True"}]})", "Healthy"},
      {"not known", "component_status", "{}", "Unknown"},
  };
  check(rows);
}

TEST(Cells, Volumes) {
  const Row rows[] = {
      {"claim of a volume", "volume_claim", R"({"spec":{"claimRef":{"namespace":"a","name":"b"}}})", "a/b"},
      {"unclaimed", "volume_claim", "{}", ""},
      {"modes", "volume_access_modes", R"({"spec":{"accessModes":["ReadWriteMany","ReadWriteOnce","ReadWriteOnce"]}})", "RWO,RWX"},
      {"default class", "storageclass_name", R"({"metadata":{"name":"fast","annotations":{"storageclass.kubernetes.io/is-default-class":"true"}}})", "fast (default)"},
      {"class", "storageclass_name", R"({"metadata":{"name":"fast"}})", "fast"},
      {"expansion", "storageclass_expansion", "{}", false},
      {"attach", "driver_attach", "{}", true},
      {"modes of a driver", "driver_modes", R"({"spec":{"volumeLifecycleModes":["Persistent","Ephemeral"]}})", "Persistent,Ephemeral"},
      {"no tokens", "driver_tokens", "{}", "<unset>"},
      {"attached", "attachment_attached", R"({"status":{"attached":true}})", true},
  };
  check(rows);
}

}  // namespace
}  // namespace compat
