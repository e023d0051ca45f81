#include "server/controllers/endpoint_slice_mirroring.h"

#include "tests/server/support/world.h"

namespace {

using namespace server;

struct Mirroring : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    controller = make_endpoint_slice_mirroring_controller(*loop);
  }
  void TearDown() override {
    loop->stop();
    controller.reset();
    WorldTest::TearDown();
  }
  // "IPv4 http:8080 10.1.1.1 !10.1.1.2": a slice a line, in order; '!' is not ready.
  std::vector<std::string> slices() {
    std::vector<std::string> out;
    for (const json& slice : items("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")) {
      if (slice["metadata"]["name"] == "kubernetes") continue;  // The API server's own.
      std::string line = store::get_string(slice, "addressType");
      for (const json& port : store::get_array(slice, "ports")) line += " " + store::get_string(port, "name") + ":" + std::to_string(store::get_int(port, "port"));
      for (const json& endpoint : store::get_array(slice, "endpoints")) {
        line += std::string(" ") + (store::get_bool(endpoint, "conditions.ready", true) ? "" : "!") + endpoint["addresses"][0].get<std::string>();
      }
      out.push_back(line);
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  std::unique_ptr<Controller> controller;
};

using Lines = std::vector<std::string>;

TEST_F(Mirroring, follows_hand_made_endpoints) {
  apply("apiVersion: v1\nkind: Service\nmetadata: {name: db}\nspec: {ports: [{name: http, port: 80}]}\n");
  EXPECT_EQ(slices(), Lines{});
  apply("apiVersion: v1\nkind: Endpoints\nmetadata: {name: db, labels: {team: x}}\nsubsets:\n- addresses: [{ip: 10.1.1.1}]\n  notReadyAddresses: [{ip: 10.1.1.2}]\n"
        "  ports: [{name: http, port: 8080}]\n");
  EXPECT_EQ(slices(), (Lines{"IPv4 http:8080 10.1.1.1 !10.1.1.2"}));
  json slice;
  for (const json& one : items("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices")) {
    if (one["metadata"]["name"] != "kubernetes") slice = one;
  }
  EXPECT_EQ(slice["metadata"]["labels"]["kubernetes.io/service-name"], "db");
  EXPECT_EQ(slice["metadata"]["labels"]["endpointslice.kubernetes.io/managed-by"], "endpointslicemirroring-controller.k8s.io");
  EXPECT_EQ(slice["metadata"]["labels"]["team"], "x");
  EXPECT_EQ(slice["metadata"]["ownerReferences"][0]["kind"], "Endpoints");
  merge("/api/v1/namespaces/default/endpoints/db", {{"subsets", {{{"addresses", {{{"ip", "10.1.1.3"}}, {{"ip", "fd00::3"}}}}, {"ports", {{{"name", "http"}, {"port", 8080}}}}},
                                                                 {{"addresses", {{{"ip", "10.1.1.3"}}}}, {"ports", {{{"name", "more"}, {"port", 9090}}}}}}}});
  EXPECT_EQ(slices(), (Lines{"IPv4 http:8080 10.1.1.3", "IPv4 more:9090 10.1.1.3", "IPv6 http:8080 fd00::3"}));
  remove("/api/v1/namespaces/default/endpoints/db");
  EXPECT_EQ(slices(), Lines{});
}

TEST_F(Mirroring, what_is_not_mirrored) {
  const std::string subsets = "subsets: [{addresses: [{ip: 10.1.1.1}], ports: [{port: 80}]}]\n";
  apply("apiVersion: v1\nkind: Endpoints\nmetadata: {name: alone}\n" + subsets);
  apply("apiVersion: v1\nkind: Service\nmetadata: {name: selects}\nspec: {selector: {a: b}, ports: [{port: 80}]}\n");
  apply("apiVersion: v1\nkind: Endpoints\nmetadata: {name: selects}\n" + subsets);
  apply("apiVersion: v1\nkind: Service\nmetadata: {name: skipped}\nspec: {ports: [{port: 80}]}\n");
  apply("apiVersion: v1\nkind: Endpoints\nmetadata: {name: skipped, labels: {endpointslice.kubernetes.io/skip-mirror: \"true\"}}\n" + subsets);
  EXPECT_EQ(slices(), Lines{});
  apply("apiVersion: v1\nkind: Service\nmetadata: {name: alone}\nspec: {ports: [{port: 80}]}\n");
  EXPECT_EQ(slices(), (Lines{"IPv4 :80 10.1.1.1"}));
}

}  // namespace
