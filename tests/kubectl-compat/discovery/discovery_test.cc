#include "kubectl-compat/discovery/discovery.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace compat {
namespace {

const std::string_view kAllVerbs[] = {"create", "delete", "get", "list", "update", "watch"};
const std::string_view kCreate[] = {"create"};
const std::string_view kGet[] = {"get"};
const std::string_view kScaleVerbs[] = {"get", "patch", "update"};
const std::string_view kPo[] = {"po"};
const std::string_view kAll[] = {"all"};
const store::Subresource kPodSubs[] = {
    {.name = "status", .verbs = kGet}, {.name = "log", .verbs = kGet}, {"eviction", "policy", "v1", "Eviction", kCreate}};
const store::Subresource kDeploymentSubs[] = {{"scale", "autoscaling", "v1", "Scale", kScaleVerbs}};

const store::Resource kPods = {.version = "v1", .kind = "Pod", .plural = "pods", .singular = "pod", .short_names = kPo,
                               .categories = kAll, .verbs = kAllVerbs, .subresources = kPodSubs};
const store::Resource kNodes = {.version = "v1", .kind = "Node", .plural = "nodes", .singular = "node", .namespaced = false,
                                .verbs = kAllVerbs};
const store::Resource kDeployments = {.group = "apps", .version = "v1", .kind = "Deployment", .plural = "deployments",
                                      .singular = "deployment", .verbs = kAllVerbs, .subresources = kDeploymentSubs};
const store::Resource kGatewaysV1 = {.group = "gateway.networking.k8s.io", .version = "v1", .kind = "Gateway", .plural = "gateways",
                                     .singular = "gateway", .verbs = kAllVerbs};
const store::Resource kGatewaysBeta = {.group = "gateway.networking.k8s.io", .version = "v1beta1", .kind = "Gateway",
                                       .plural = "gateways", .singular = "gateway", .verbs = kAllVerbs};

const store::Registry& small_registry() {
  static const store::Registry kRegistry({&kPods, &kNodes, &kDeployments, &kGatewaysV1, &kGatewaysBeta});
  return kRegistry;
}

// Compares with tests/golden/NAME; KUBELAN_UPDATE_GOLDENS=1 writes it instead.
void expect_golden(const std::string& name, const Ordered& document) {
  std::string path = std::string(KUBELAN_SOURCE_DIR) + "/tests/golden/" + name;
  std::string got = document.dump(2) + "\n";
  if (std::getenv("KUBELAN_UPDATE_GOLDENS") != nullptr) {
    std::ofstream(path) << got;
    return;
  }
  std::ifstream file(path);
  ASSERT_TRUE(file.good()) << path;
  std::stringstream want;
  want << file.rdbuf();
  EXPECT_EQ(got, want.str()) << path << ": run with KUBELAN_UPDATE_GOLDENS=1 to accept";
}

TEST(Discovery, Goldens) {
  const store::Registry& r = small_registry();
  expect_golden("discovery_aggregated_core.json", aggregated_core(r, DiscoveryVersion::kV2));
  expect_golden("discovery_aggregated_groups.json", aggregated_groups(r, DiscoveryVersion::kV2));
  expect_golden("discovery_group_list.json", api_group_list(r));
  expect_golden("discovery_core_resources.json", api_resource_list(r, "", "v1").value());
}

TEST(Discovery, Versions) {
  const store::Registry& r = small_registry();
  EXPECT_EQ(aggregated_core(r, DiscoveryVersion::kV2Beta1)["apiVersion"], "apidiscovery.k8s.io/v2beta1");
  EXPECT_EQ(aggregated_core(r, DiscoveryVersion::kV2Beta1)["items"], aggregated_core(r, DiscoveryVersion::kV2)["items"]);
}

TEST(Discovery, Groups) {
  const store::Registry& r = small_registry();
  struct Row {
    const char* group;
    const char* want;  // JSON; empty: none
  };
  const Row rows[] = {
      {"apps", R"({"kind":"APIGroup","apiVersion":"v1","name":"apps","versions":[{"groupVersion":"apps/v1","version":"v1"}],
                   "preferredVersion":{"groupVersion":"apps/v1","version":"v1"}})"},
      {"", ""},
      {"nosuch", ""},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.group);
    auto got = api_group(r, row.group);
    ASSERT_EQ(got.has_value(), row.want[0] != 0);
    if (got) {
      EXPECT_EQ(*got, Ordered::parse(row.want));
    }
  }
  EXPECT_FALSE(api_resource_list(r, "apps", "v2").has_value());
  EXPECT_FALSE(api_resource_list(r, "v1", "").has_value());
}

TEST(Discovery, SubresourceKinds) {
  Ordered list = *api_resource_list(small_registry(), "apps", "v1");
  EXPECT_EQ(list["groupVersion"], "apps/v1");
  Ordered want = Ordered::parse(R"({"name":"deployments/scale","singularName":"","namespaced":true,"group":"autoscaling",
                              "version":"v1","kind":"Scale","verbs":["get","patch","update"]})");
  EXPECT_EQ(list["resources"][1], want);
}

TEST(Discovery, ApiVersionsAndVersion) {
  EXPECT_EQ(api_versions("127.0.0.1:6443"),
            Ordered::parse(R"({"kind":"APIVersions","versions":["v1"],
                "serverAddressByClientCIDRs":[{"clientCIDR":"0.0.0.0/0","serverAddress":"127.0.0.1:6443"}]})"));
  Ordered version = version_info();
  EXPECT_EQ(version["major"], "1");
  EXPECT_EQ(version["minor"], "36");
  EXPECT_EQ(version["gitVersion"], std::string("v1.36.0+kubelan-") + KUBELAN_VERSION);
}

// Whatever is compiled in can be told apart by clients: names and short names are unique in a group.
TEST(Discovery, BuiltinNamesAreUnambiguous) {
  std::map<std::string, std::string> seen;
  for (const store::Resource* r : store::builtin_registry().resources()) {
    std::string gv = r->api_version();
    EXPECT_TRUE(seen.emplace(gv + "/" + std::string(r->plural), r->kind).second) << r->plural;
    EXPECT_FALSE(r->verbs.empty()) << r->plural;
    EXPECT_FALSE(r->singular.empty()) << r->plural;
    for (std::string_view name : r->short_names) EXPECT_TRUE(seen.emplace(gv + "/" + std::string(name), r->kind).second) << name;
  }
}

}  // namespace
}  // namespace compat
