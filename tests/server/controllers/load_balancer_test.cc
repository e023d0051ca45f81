#include "server/controllers/load_balancer.h"

#include "tests/server/support/world.h"

namespace {

using namespace server;

struct LoadBalancer : WorldTest {
  void SetUp() override {
    WorldTest::SetUp();
    controller = make_load_balancer_controller(*loop, {base::Cidr::parse("172.30.255.0/24").value()});
  }
  void TearDown() override {
    loop->stop();
    controller.reset();
    WorldTest::TearDown();
  }
  void put(const std::string& name, const std::string& more = "") {
    apply("apiVersion: v1\nkind: Service\nmetadata: {name: " + name + "}\nspec: {type: LoadBalancer, ports: [{port: 80}]" + more + "}\n");
  }
  std::string address(const std::string& name) {
    const json service = get("/api/v1/namespaces/default/services/" + name);
    std::string out;
    for (const json& ingress : store::get_array(service, "status.loadBalancer.ingress")) out += (out.empty() ? "" : " ") + store::get_string(ingress, "ip");
    return out;
  }
  std::vector<std::string> events() {
    std::vector<std::string> out;
    for (const json& event : items("/api/v1/namespaces/default/events")) out.push_back(store::get_string(event, "reason") + ": " + store::get_string(event, "message"));
    return out;
  }
  bool told(const std::string& line) {
    pass(std::chrono::seconds(1));
    const std::vector<std::string> all = events();
    return std::find(all.begin(), all.end(), line) != all.end();
  }
  std::unique_ptr<Controller> controller;
};

TEST_F(LoadBalancer, gives_an_address_at_once_and_takes_it_back) {
  put("a");
  put("b");
  EXPECT_EQ(address("a"), "172.30.255.1");
  EXPECT_EQ(address("b"), "172.30.255.2");
  EXPECT_EQ(get("/api/v1/namespaces/default/services/a")["status"]["loadBalancer"]["ingress"][0]["ipMode"], "VIP");
  EXPECT_TRUE(told("EnsuredLoadBalancer: Ensured load balancer"));
  remove("/api/v1/namespaces/default/services/a");
  EXPECT_EQ(call("GET", "/api/v1/namespaces/default/services/a").status, 404);
  put("c");
  EXPECT_EQ(address("c"), "172.30.255.1");
}

TEST_F(LoadBalancer, of_several_wanted_addresses_the_one_of_the_family_counts) {
  apply("apiVersion: v1\nkind: Service\nmetadata: {name: a, annotations: {kubelan.dev/load-balancer-ip: \"fd00::7,172.30.255.9\"}}\nspec: {type: LoadBalancer, ports: [{port: 80}]}\n");
  EXPECT_EQ(address("a"), "172.30.255.9");
}

TEST_F(LoadBalancer, keeps_it_over_changes_and_clears_it_with_the_type) {
  put("a");
  merge("/api/v1/namespaces/default/services/a", {{"spec", {{"ports", {{{"port", 81}}}}}}});
  EXPECT_EQ(address("a"), "172.30.255.1");
  merge("/api/v1/namespaces/default/services/a", {{"spec", {{"type", "ClusterIP"}}}});
  EXPECT_EQ(address("a"), "");
  EXPECT_TRUE(store::get_array(get("/api/v1/namespaces/default/services/a"), "metadata.finalizers").empty());
}

TEST_F(LoadBalancer, wanted_addresses) {
  put("a", ", loadBalancerIP: 172.30.255.77");
  EXPECT_EQ(address("a"), "172.30.255.77");
  put("b", ", loadBalancerIP: 172.30.255.77");
  EXPECT_EQ(address("b"), "");
  EXPECT_TRUE(told("AllocationFailed: 172.30.255.77 belongs to Service default/a already"));
  put("c", ", loadBalancerIP: 10.0.0.1");
  EXPECT_EQ(address("c"), "");
  EXPECT_TRUE(told("AllocationFailed: 10.0.0.1 is not in the load balancer pool 172.30.255.0/24"));
  remove("/api/v1/namespaces/default/services/a");
  EXPECT_EQ(address("b"), "172.30.255.77");
}

TEST_F(LoadBalancer, another_class_is_left_alone) {
  put("a", ", loadBalancerClass: example.com/x");
  EXPECT_EQ(address("a"), "");
  EXPECT_TRUE(store::get_array(get("/api/v1/namespaces/default/services/a"), "metadata.finalizers").empty());
  put("b", ", loadBalancerClass: kubelan");
  EXPECT_EQ(address("b"), "172.30.255.1");
}

}  // namespace
