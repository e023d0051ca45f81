// What writes of kinds that make no pods are warned of.
#include "store/schema/object_warnings.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>  // Lint: tests read trees.

namespace store {
namespace {

TEST(ObjectWarnings, Rows) {
  struct Row {
    const char *name, *kind, *in, *old;
    std::vector<std::string> want;
  };
  const char* kTokens = "spec.serviceAccountTokenInSecrets is unset; if supported by this CSI driver, set to true to prevent possible logging of tokens in volume attributes";
  const Row rows[] = {
      {"another kind", "pods", "{}", "", {}},
      {"endpoints", "endpoints", R"({"subsets":[{"addresses":[{"ip":"FD00::1"}]}]})", "",
       {R"(subsets[0].addresses[0].ip: IPv6 address "FD00::1" should be in RFC 5952 canonical format ("fd00::1"))"}},
      {"endpoints of the controller", "endpoints", R"({"metadata":{"labels":{"endpoints.kubernetes.io/managed-by":"endpoint-controller"}},"subsets":[{"addresses":[{"ip":"FD00::1"}]}]})", "", {}},
      {"slice of names", "endpointslices.discovery.k8s.io", R"({"addressType":"FQDN"})", "", {"spec.addressType: FQDN endpoints are deprecated"}},
      {"slice of names, later", "endpointslices.discovery.k8s.io", R"({"addressType":"FQDN"})", R"({"addressType":"FQDN"})", {}},
      {"tokens", "csidrivers.storage.k8s.io", R"({"spec":{"tokenRequests":[{"audience":"a"}]}})", "", {kTokens}},
      {"tokens in secrets", "csidrivers.storage.k8s.io", R"({"spec":{"tokenRequests":[{"audience":"a"}],"serviceAccountTokenInSecrets":false}})", "", {}},
      {"tokens as before", "csidrivers.storage.k8s.io", R"({"spec":{"tokenRequests":[{"audience":"a"}]}})", R"({"spec":{"tokenRequests":[{"audience":"a"}]}})", {}},
      {"old labels", "storageclasses.storage.k8s.io", R"({"allowedTopologies":[{"matchLabelExpressions":[{"key":"beta.kubernetes.io/os"}]}]})", "",
       {"allowedTopologies[0].matchLabelExpressions[0].key: deprecated since v1.14; use \"kubernetes.io/os\" instead"}},
      {"volume", "persistentvolumes", R"({"spec":{"persistentVolumeReclaimPolicy":"Recycle","rbd":{"image":"i"}}})", "",
       {"spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.",
        "spec.rbd: deprecated in v1.28, non-functional in v1.31+"}},
      {"quota", "resourcequotas", R"({"spec":{"hard":{"cpu":"2","limits.cpu":"1"}}})", "", {"ResourceQuota cpu (2) should be less than limits.cpu (1)"}},
      {"node", "nodes", R"({"spec":{"externalID":"x","configSource":{}}})", "",
       {"spec.configSource: the feature is removed", "spec.externalID: this field is deprecated, and is unused by Kubernetes"}},
      {"policy", "networkpolicies.networking.k8s.io", R"({"spec":{"egress":[{"to":[{"ipBlock":{"cidr":"FD00::/8"}}]}]}})", "",
       {R"(spec.egress[0].to[0].ipBlock.cidr: IPv6 CIDR value "FD00::/8" should be in RFC 5952 canonical format ("fd00::/8"))"}},
      {"webhooks", "mutatingwebhookconfigurations.admissionregistration.k8s.io", R"({"metadata":{"name":"a.static.k8s.io"}})", "",
       {"metadata.name: names ending with \".static.k8s.io\" are reserved for static manifest-based configurations and cannot be managed via the API"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const json old = *row.old ? json::parse(row.old) : json();
    EXPECT_EQ(object_warnings(row.kind, json::parse(row.in), *row.old ? &old : nullptr), row.want);
  }
}

}  // namespace
}  // namespace store
