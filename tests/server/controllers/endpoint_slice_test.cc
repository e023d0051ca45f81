#include "server/controllers/endpoint_slice.h"

#include "server/controllers/controllers.h"
#include "tests/server/controllers/controllers_world.h"

namespace server {
namespace {

constexpr const char* kSlices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices?labelSelector=kubernetes.io/service-name=web";
constexpr const char* kEndpoints = "/api/v1/namespaces/default/endpoints/web";

std::string web_pod(const std::string& name, const std::string& port_name = "http", int port = 8080) {
  return "apiVersion: v1\nkind: Pod\nmetadata: {name: " + name + ", labels: {app: web}}\nspec:\n  hostname: " + name + "\n  subdomain: web\n  containers: [{name: c, image: nginx, ports: [{name: " + port_name + ", containerPort: " +
         std::to_string(port) + "}]}]\n";
}
const char kService[] = "apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {a: b}}\nspec: {selector: {app: web}, ports: [{name: web, port: 80, targetPort: http}]}\n";

struct EndpointSliceTest : ControllersTest {
  // "10.244.1.2 ready serving" a line, in order.
  std::string text() {
    std::string out;
    for (const json& slice : items(kSlices)) {
      for (const json& e : slice["endpoints"]) {
        out += e["addresses"][0].get<std::string>();
        for (const char* c : {"ready", "serving", "terminating"}) out += store::get_bool(e, std::string("conditions.") + c) ? std::string(" ") + c : "";
        out += "\n";
      }
    }
    return out;
  }
};

TEST_F(EndpointSliceTest, FollowsPods) {
  apply(kService);
  ASSERT_EQ(items(kSlices).size(), 1u) << "one slice, empty, as upstream";
  EXPECT_EQ(text(), "");
  apply(web_pod("a"));
  EXPECT_EQ(text(), "") << "no address yet";
  make_ready("a", "10.244.1.2", false);
  EXPECT_EQ(text(), "10.244.1.2\n");
  EXPECT_EQ(get(kEndpoints)["subsets"][0]["notReadyAddresses"][0]["ip"], "10.244.1.2");
  make_ready("a", "10.244.1.2");
  EXPECT_EQ(text(), "10.244.1.2 ready serving\n");
  json slice = items(kSlices)[0];
  EXPECT_EQ(slice["ports"], json::parse(R"([{"name":"web","protocol":"TCP","port":8080}])"));
  EXPECT_EQ(slice["addressType"], "IPv4");
  EXPECT_EQ(slice["endpoints"][0]["targetRef"]["name"], "a");
  EXPECT_EQ(slice["endpoints"][0]["hostname"], "a");
  EXPECT_EQ(slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"], "endpointslice-controller.k8s.io");
  EXPECT_EQ(slice["metadata"]["labels"]["a"], "b");
  EXPECT_EQ(slice["metadata"]["ownerReferences"][0]["kind"], "Service");
  EXPECT_EQ(get(kEndpoints)["subsets"][0]["addresses"][0]["ip"], "10.244.1.2");
  EXPECT_EQ(get(kEndpoints)["subsets"][0]["ports"][0]["port"], 8080);
}

TEST_F(EndpointSliceTest, TerminatingPodsLeaveAtOnce) {
  apply(kService);
  apply(web_pod("a"));
  ASSERT_TRUE(api->client().bind("default", "a", "node-1").ok());  // Only a bound pod has a grace period.
  make_ready("a", "10.244.1.2");
  remove("/api/v1/namespaces/default/pods/a");
  EXPECT_EQ(text(), "10.244.1.2 serving terminating\n");
  EXPECT_TRUE(store::get_array(get(kEndpoints), "subsets").empty());
}

TEST_F(EndpointSliceTest, NamedPortsResolveForEachPod) {
  apply(kService);
  apply(web_pod("a"));
  apply(web_pod("b", "http", 9090));
  make_ready("a", "10.244.1.2");
  make_ready("b", "10.244.1.3");
  std::set<int> ports;
  for (const json& slice : items(kSlices)) ports.insert(slice["ports"][0]["port"].get<int>());
  EXPECT_EQ(ports, (std::set<int>{8080, 9090}));
  remove("/api/v1/namespaces/default/pods/b");
  EXPECT_EQ(items(kSlices).size(), 1u);
}

TEST_F(EndpointSliceTest, PublishNotReady) {
  apply("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {clusterIP: None, publishNotReadyAddresses: true, selector: {app: web}, ports: [{port: 80}]}\n");
  apply(web_pod("a"));
  make_ready("a", "10.244.1.2", false);
  EXPECT_EQ(text(), "10.244.1.2 ready\n") << "published, but the pod itself says it does not serve";
  EXPECT_TRUE(items(kSlices)[0]["metadata"]["labels"].contains("service.kubernetes.io/headless"));
}

TEST_F(EndpointSliceTest, SelectorAndServiceChanges) {
  apply(kService);
  apply(web_pod("a"));
  make_ready("a", "10.244.1.2");
  merge("/api/v1/namespaces/default/pods/a", {{"metadata", {{"labels", {{"app", "other"}}}}}});
  EXPECT_EQ(text(), "");
  merge("/api/v1/namespaces/default/services/web", {{"spec", {{"selector", {{"app", "other"}}}}}});
  EXPECT_EQ(text(), "10.244.1.2 ready serving\n");
  remove("/api/v1/namespaces/default/services/web");
  EXPECT_EQ(items(kSlices).size(), 0u);
  EXPECT_EQ(call("GET", kEndpoints).status, 404);
}

TEST_F(EndpointSliceTest, ZoneOfTheNode) {
  const std::string node = "apiVersion: v1\nkind: Node\nmetadata: {name: node-1, labels: {topology.kubernetes.io/zone: ";
  apply(node + "zone-a}}\n");
  apply(kService);
  apply(web_pod("a"));
  ASSERT_TRUE(api->client().bind("default", "a", "node-1").ok());
  make_ready("a", "10.244.1.2");
  EXPECT_EQ(store::get_string(items(kSlices)[0]["endpoints"][0], "zone"), "zone-a");
  merge("/api/v1/nodes/node-1", {{"metadata", {{"labels", {{"topology.kubernetes.io/zone", "zone-b"}}}}}});
  EXPECT_EQ(store::get_string(items(kSlices)[0]["endpoints"][0], "zone"), "zone-b");
}

TEST_F(EndpointSliceTest, EditsOfOurObjectsAreUndone) {
  apply(kService);
  apply(web_pod("a"));
  make_ready("a", "10.244.1.2");
  const std::string slice = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/" + items(kSlices)[0]["metadata"]["name"].get<std::string>();
  merge(slice, {{"endpoints", json::array()}});
  EXPECT_EQ(text(), "10.244.1.2 ready serving\n");
  merge(kEndpoints, {{"subsets", nullptr}});
  EXPECT_EQ(store::get_array(get(kEndpoints), "subsets").size(), 1u);
}

TEST_F(EndpointSliceTest, ASliceThatIsTakenOverIsReplaced) {
  apply(kService);
  apply(web_pod("a"));
  make_ready("a", "10.244.1.2");
  const std::string name = items(kSlices)[0]["metadata"]["name"];
  merge("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/" + name,
        {{"metadata", {{"labels", {{"endpointslice.kubernetes.io/managed-by", "somebody"}}}}}});
  EXPECT_EQ(items(kSlices).size(), 2u) << "theirs, and a new one of ours";
  make_ready("a", "10.244.1.2", false);
  for (const json& slice : items(kSlices)) {
    const bool theirs = slice["metadata"]["name"] == name;
    EXPECT_EQ(store::get_bool(slice["endpoints"][0], "conditions.ready"), theirs) << "theirs is left as it was";
  }
}

TEST_F(EndpointSliceTest, EndpointsFollowTheLabelsOfTheService) {
  apply(kService);
  EXPECT_EQ(get(kEndpoints)["metadata"]["labels"]["a"], "b");
  merge("/api/v1/namespaces/default/services/web", {{"metadata", {{"labels", {{"a", "c"}}}}}});
  EXPECT_EQ(get(kEndpoints)["metadata"]["labels"]["a"], "c");
}

TEST_F(EndpointSliceTest, HintsFollowTheTrafficDistribution) {
  apply(kService);
  apply("apiVersion: v1\nkind: Node\nmetadata: {name: node-1, labels: {topology.kubernetes.io/zone: a}}\n");
  apply(web_pod("p"));
  ASSERT_EQ(call("POST", "/api/v1/namespaces/default/pods/p/binding", std::string(R"({"apiVersion":"v1","kind":"Binding","metadata":{"name":"p"},"target":{"name":"node-1"}})")).status, 201);
  make_ready("p", "10.244.1.2");
  struct Row {
    const char* distribution;
    json hints;
  };
  const json zone = {{{"name", "a"}}}, node = {{{"name", "node-1"}}};
  const Row rows[] = {{"PreferClose", {{"forZones", zone}}}, {"PreferSameZone", {{"forZones", zone}}}, {"PreferSameNode", {{"forZones", zone}, {"forNodes", node}}}};
  for (const Row& row : rows) {
    merge("/api/v1/namespaces/default/services/web", {{"spec", {{"trafficDistribution", row.distribution}}}});
    EXPECT_EQ(items(kSlices)[0]["endpoints"][0]["hints"], row.hints) << row.distribution;
  }
  make_ready("p", "10.244.1.2", false);
  EXPECT_FALSE(items(kSlices)[0]["endpoints"][0].contains("hints")) << "an endpoint that is not ready has none";
}

TEST_F(EndpointSliceTest, HandMadeSlicesStay) {
  apply("apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {ports: [{port: 80}]}\n");
  apply("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: mine, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\nports: [{port: 80}]\nendpoints: [{addresses: [10.1.2.3]}]\n");
  ASSERT_EQ(items(kSlices).size(), 1u);
  EXPECT_EQ(items(kSlices)[0]["metadata"]["name"], "mine");
}

TEST(SliceGroups, OneSetAFamily) {
  auto pod = [](const std::string& name, const std::vector<std::string>& ips) {
    json tree = {{"metadata", {{"name", name}, {"namespace", "default"}}}, {"status", {{"podIP", ips.front()}, {"podIPs", json::array()}}}};
    for (const std::string& ip : ips) tree["status"]["podIPs"].push_back({{"ip", ip}});
    return store::Object("pods", tree);
  };
  const std::vector<store::Object> pods = {pod("a", {"10.244.1.2", "fd00::2"}), pod("b", {"10.244.1.3"})};
  struct Row {
    const char* name;
    json families;
    const char* cluster_ip;
    std::vector<std::string> want;  // Family and addresses, a slice a line.
  };
  const Row rows[] = {
      {"IPv4", {"IPv4"}, "10.96.1.1", {"IPv4 10.244.1.2 10.244.1.3"}},
      {"both, the first first", {"IPv6", "IPv4"}, "fd00:96::1", {"IPv6 fd00::2", "IPv4 10.244.1.2 10.244.1.3"}},
      {"an older object says no family", json::array(), "fd00:96::1", {"IPv6 fd00::2"}},
      {"headless, an older object", json::array(), "None", {"IPv4 10.244.1.2 10.244.1.3"}},
  };
  for (const Row& row : rows) {
    const store::Object service("services", {{"metadata", {{"name", "web"}}}, {"spec", {{"clusterIP", row.cluster_ip}, {"ipFamilies", row.families}, {"ports", {{{"port", 80}}}}}}});
    std::vector<std::string> got;
    const json groups = compile_slice_groups(service, pods, {});
    for (const json& group : groups) {
      std::string line = group["addressType"];
      for (const json& endpoint : group["endpoints"]) line += " " + endpoint["addresses"][0].get<std::string>();
      got.push_back(line);
    }
    EXPECT_EQ(got, row.want) << row.name;
  }
  const store::Object service("services", {{"metadata", {{"name", "web"}}}, {"spec", {{"clusterIP", "fd00:96::1"}, {"ipFamilies", {"IPv6", "IPv4"}}, {"ports", {{{"port", 80}}}}}}});
  const json subsets = compile_subsets(service, pods);
  ASSERT_EQ(subsets.size(), 1u);
  EXPECT_EQ(subsets[0]["notReadyAddresses"].size(), 1u) << "Endpoints hold the first family only";
}

TEST_F(EndpointSliceTest, AHundredASlice) {
  apply(kService);
  std::string many;
  for (int i = 0; i < 130; ++i) many += web_pod("p" + std::to_string(i)) + "---\n";
  apply(many);
  int n = 0;
  for (const json& p : pods()) make_ready(p["metadata"]["name"], "10.244.2." + std::to_string(++n));
  auto slices = items(kSlices);
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(slices[0]["endpoints"].size() + slices[1]["endpoints"].size(), 130u);
  EXPECT_LE(std::max(slices[0]["endpoints"].size(), slices[1]["endpoints"].size()), 100u);
}

}  // namespace
}  // namespace server
