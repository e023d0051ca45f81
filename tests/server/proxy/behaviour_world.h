// tests/server/proxy/behaviour_world.h - the world of behaviours.txt in namespaces: two nodes, four pods, a client outside, and
// the real proxy. Lives inside netns_test::run_isolated().
#pragma once

#include <memory>

#include "netns/link/messages.h"
#include "netns/link/rtnl.h"
#include "tests/server/proxy/real_packets.h"
#include "tests/server/proxy/scenario.h"

namespace proxy_test {

class World {
 public:
  explicit World(const server::ProxyOptions& options) {
    fabric_ = netns::Fabric::create(netns_test::plan_of(2)).value();
    client_ = netns::Worker::start("client", fabric_->client_net()).value();
    add_routes();
    proxy_ = server::make_proxy(loop_, services_, *fabric_, options);
    const base::Status loaded = proxy_->load();
    EXPECT_TRUE(loaded.ok()) << loaded.error().message;
    for (const PodPlace& pod : kPods) pods_[pod.name] = std::make_unique<AnsweringPod>(*fabric_->find_node("node-" + std::to_string(pod.node)), pod.name, base::Ip::parse(pod.ip).value());
    for (const char* node : {"node-1", "node-2"}) loop_.put("nodes", "", node, render_node(node, {}));
  }

  void sync() { proxy_test::sync(loop_, *proxy_); }
  // No transaction was refused either.
  void expect_as_planned() {
    for (const server::proxy::NodeProxyStatus& status : proxy_->status()) EXPECT_EQ(status.failures, 0u) << status.node;
    expect_kernel_as_planned(loop_, *proxy_);
  }
  FakeLoop& loop() { return loop_; }
  netns::Fabric& fabric() { return *fabric_; }
  netns::Worker& place(const std::string& name) {
    if (name == "client") return *client_;
    if (netns::Node* node = fabric_->find_node(name)) return node->worker();
    return pods_.at(name)->worker();
  }

 private:
  // As the top of behaviours.txt says.
  void add_routes() {
    struct Row {
      const char* to;
      const char* via;
    };
    const Row rows[] = {{"10.96.0.0/12", "172.30.0.11"},     {"172.30.255.0/25", "172.30.0.11"}, {"172.30.255.128/25", "172.30.0.12"},
                        {"203.0.113.0/25", "172.30.0.11"}, {"203.0.113.128/25", "172.30.0.12"}};
    const base::Status routed = client_->call([&]() -> base::Status {
      netns::Rtnl rtnl = TRY(netns::Rtnl::open());
      netns::Batch batch;
      for (const Row& row : rows) {
        netns::Route route;
        route.to = base::Cidr::parse(row.to).value();
        route.via = {base::Ip::parse(row.via).value()};
        netns::add_route(batch, route);
      }
      return rtnl.apply(batch);
    });
    EXPECT_TRUE(routed.ok()) << routed.error().message;
    netns::Node* node_1 = fabric_->find_node("node-1");
    const base::Status second = node_1->worker().call([&]() -> base::Status {
      netns::Rtnl rtnl = TRY(netns::Rtnl::open());
      netns::Batch batch;
      netns::add_address(batch, netns::kEth0Index, base::Ip::v4(172, 30, 1, 11), 32, 0);
      return rtnl.apply(batch);
    });
    EXPECT_TRUE(second.ok()) << second.error().message;
  }

  FakeLoop loop_;
  server::ServiceFeed services_{loop_};
  std::unique_ptr<netns::Fabric> fabric_;
  std::unique_ptr<netns::Worker> client_;
  std::unique_ptr<server::Proxy> proxy_;
  std::map<std::string, std::unique_ptr<AnsweringPod>> pods_;
};

}  // namespace proxy_test
