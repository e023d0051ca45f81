#include "server/model/service_index.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace {

using nlohmann::json;
using server::model::ServiceIndex;
using server::model::ServiceKey;
using Keys = std::set<ServiceKey>;

store::Object object(const std::string& storage, const std::string& name, json tree) {
  tree["metadata"]["namespace"] = "default";
  tree["metadata"]["name"] = name;
  return store::Object(storage, std::move(tree));
}
store::Object service(const std::string& name, int port, const std::string& noise = "") {
  json tree = {{"spec", {{"clusterIP", "10.96.1.1"}, {"ports", json::array({{{"port", port}}})}}}};
  tree["metadata"]["annotations"]["noise"] = noise;
  return object("services", name, std::move(tree));
}
store::Object slice(const std::string& name, const std::string& of, const std::string& ip) {
  json tree = {{"addressType", "IPv4"},
               {"ports", json::array({{{"port", 8080}}})},
               {"endpoints", json::array({{{"addresses", json::array({ip})}}})}};
  if (!of.empty()) tree["metadata"]["labels"]["kubernetes.io/service-name"] = of;
  return object("endpointslices.discovery.k8s.io", name, std::move(tree));
}

const ServiceKey kWeb{"default", "web"}, kApi{"default", "api"};

TEST(ServiceIndex, tells_what_really_changed) {
  ServiceIndex index;
  const auto web = service("web", 80), noisy = service("web", 80, "x"), moved = service("web", 81);
  EXPECT_EQ(index.change_service({}, web), Keys{kWeb});
  EXPECT_EQ(index.change_service(web, noisy), Keys{});
  EXPECT_EQ(index.change_service(noisy, moved), Keys{kWeb});
  ASSERT_NE(index.find(kWeb), nullptr);
  EXPECT_EQ(index.find(kWeb)->ports[0].port, 81);

  const auto one = slice("web-1", "web", "10.244.1.5"), same = slice("web-1", "web", "10.244.1.5"),
             other = slice("web-1", "web", "10.244.1.6"), away = slice("web-1", "api", "10.244.1.6"),
             loose = slice("web-1", "", "10.244.1.6");
  EXPECT_EQ(index.change_slice({}, one), Keys{kWeb});
  EXPECT_EQ(index.change_slice(one, same), Keys{});
  EXPECT_EQ(index.change_slice(same, other), Keys{kWeb});
  EXPECT_EQ(index.slices(kWeb).at(0)->endpoints[0].addresses[0].text(), "10.244.1.6");
  EXPECT_EQ(index.change_slice(other, away), (Keys{kWeb, kApi}));
  EXPECT_TRUE(index.slices(kWeb).empty());
  EXPECT_EQ(index.slices(kApi).size(), 1u);  // Filed before its service exists.
  EXPECT_EQ(index.find(kApi), nullptr);
  EXPECT_EQ(index.keys(), Keys{kWeb});
  EXPECT_EQ(index.change_slice(away, loose), Keys{kApi});
  EXPECT_EQ(index.change_slice(loose, {}), Keys{});
  EXPECT_EQ(index.change_service(moved, {}), Keys{kWeb});
  EXPECT_TRUE(index.keys().empty());
}

TEST(Projection, odd_trees_give_something_usable) {
  using server::model::project_endpoint_slice;
  using server::model::project_service;
  struct Row {
    const char* name;
    const char* tree;
    size_t endpoints;
  };
  const Row rows[] = {
      {"nothing", "{}", 0},
      {"wrong types", R"({"addressType":"IPv4","endpoints":{"a":1},"ports":"x"})", 0},
      {"an address that is none", R"({"addressType":"IPv4","endpoints":[{"addresses":["010.1.1.1"]},{"addresses":["10.1.1.1"]}]})", 1},
      {"another family's address", R"({"addressType":"IPv4","endpoints":[{"addresses":["fd00::1"]}]})", 0},
      {"null conditions", R"({"addressType":"IPv4","endpoints":[{"addresses":["10.1.1.1"],"conditions":{"ready":null}}]})", 1},
  };
  for (const Row& row : rows) {
    const auto got = project_endpoint_slice(object("endpointslices.discovery.k8s.io", "s", json::parse(row.tree)));
    EXPECT_EQ(got.endpoints.size(), row.endpoints) << row.name;
    for (const auto& endpoint : got.endpoints) EXPECT_TRUE(endpoint.ready) << row.name;
  }
  const auto headless = project_service(object("services", "s", json::parse(R"({"spec":{"clusterIP":"None"}})")));
  EXPECT_TRUE(headless.headless);
  EXPECT_TRUE(headless.cluster_ips.empty());
  const auto dual =
      project_service(object("services", "s", json::parse(R"({"spec":{"clusterIP":"10.96.0.5","clusterIPs":["10.96.0.5","fd00::5"]}})")));
  EXPECT_EQ(dual.cluster_ips.size(), 2u);
}

}  // namespace
