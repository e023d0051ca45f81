// kube-proxy's URLs in the namespaces of two nodes, asked from inside.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

#include "server/proxy_health/proxy_health.h"
#include "tests/netns/support.h"
#include "tests/server/support/threaded_loop.h"

namespace {

using base::Ip;
using netns_test::eventually;
using nlohmann::json;
using server::proxy::NodeProxyStatus;

struct World {
  World() : io("io-test") {
    const netns::FabricPlan plan = netns_test::plan_of(2);
    for (const netns::NodePlan& node : plan.nodes) {
      NodeProxyStatus s;
      s.node = node.name;
      s.loaded = true;
      statuses.push_back(s);
    }
    fabric = netns::Fabric::create(plan).value();
    health = server::make_proxy_health(loop, io, *fabric, [this] { return statuses; }).value();
    base::ignore(loop.start(), "cannot fail");
  }
  ~World() {
    loop.stop();
    health.reset();
  }

  void set(const std::function<void()>& change) {
    loop.call([&] {
      change();
      health->health_checks_changed();
    });
  }
  // The status line's number, or 0 when nobody listens; the body in *body, the head in *head.
  int get(const std::string& from, const Ip& ip, uint16_t port, const std::string& path, std::string* body = nullptr, std::string* head = nullptr) {
    base::Fd fd = fabric->find_node(from)->worker().call([&] {
      base::Fd made(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const timeval limit{20, 0};
      ::setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(port);
      std::memcpy(&address.sin_addr, ip.bytes(), 4);
      if (::connect(made.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) made.reset();
      return made;
    });
    if (!fd) return 0;
    const std::string request = "GET " + path + " HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n";
    ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
    std::string out;
    char buffer[65536];
    for (ssize_t n; (n = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;) out.append(buffer, static_cast<size_t>(n));
    const size_t end = out.find("\r\n\r\n");
    if (end == std::string::npos) return -1;
    if (body != nullptr) *body = out.substr(end + 4);
    if (head != nullptr) *head = out.substr(0, end + 2);
    return std::atoi(out.c_str() + 9);
  }

  base::Loop io;
  server::ThreadedLoop loop;
  std::vector<NodeProxyStatus> statuses;  // Control thread.
  std::unique_ptr<netns::Fabric> fabric;
  std::unique_ptr<server::ProxyHealth> health;
};

const Ip kLoopback = Ip::v4(127, 0, 0, 1), kNode1 = Ip::v4(172, 30, 0, 11), kNode2 = Ip::v4(172, 30, 0, 12);

TEST(ProxyHealth, PagesOfEachNode) {
  netns_test::run_isolated([] {
    World w;
    w.loop.put("nodes", "", "node-1", {{"spec", json::object()}});
    w.loop.put("nodes", "", "node-2", {{"spec", json::object()}});
    const struct {
      const char* from;
      Ip ip;
      uint16_t port;
      const char* path;
      int want;
    } rows[] = {
        {"node-1", kLoopback, 10256, "/healthz", 200}, {"node-1", kNode1, 10256, "/healthz", 200}, {"node-2", kNode1, 10256, "/livez", 200},
        {"node-1", kNode2, 10256, "/livez", 200},      {"node-1", kLoopback, 10256, "/", 404},     {"node-1", kLoopback, 10249, "/healthz", 200},
        {"node-2", kLoopback, 10249, "/metrics", 200}, {"node-1", kNode1, 10249, "/metrics", 0},   {"node-1", kLoopback, 10249, "/proxyMode", 200},
        {"node-1", kLoopback, 10249, "/nothing", 404},
    };
    for (const auto& row : rows) EXPECT_EQ(w.get(row.from, row.ip, row.port, row.path), row.want) << row.from << " " << row.ip.text() << ":" << row.port << row.path;
    std::string body;
    w.get("node-1", kLoopback, 10249, "/proxyMode", &body);
    EXPECT_EQ(body, "nftables");
    w.get("node-1", kLoopback, 10249, "/healthz", &body);
    EXPECT_EQ(body, "ok");

    // Of the node alone that is not loaded; and that is about to go.
    w.loop.call([&] { w.statuses[1].loaded = false; });
    EXPECT_EQ(w.get("node-1", kNode1, 10256, "/healthz"), 200);
    EXPECT_EQ(w.get("node-1", kNode2, 10256, "/healthz"), 503);
    EXPECT_EQ(w.get("node-1", kNode2, 10256, "/livez"), 503);
    w.loop.put("nodes", "", "node-1", {{"spec", {{"taints", {{{"key", "ToBeDeletedByClusterAutoscaler"}, {"effect", "NoSchedule"}}}}}}});
    EXPECT_EQ(w.get("node-1", kNode1, 10256, "/healthz", &body), 503);
    EXPECT_EQ(json::parse(body)["nodeEligible"], false);
    EXPECT_EQ(w.get("node-1", kNode1, 10256, "/livez"), 200);
    w.loop.put("nodes", "", "node-1", {{"spec", json::object()}});
    EXPECT_EQ(w.get("node-1", kNode1, 10256, "/healthz"), 200);
    w.loop.put("nodes", "", "node-1", {{"metadata", {{"deletionTimestamp", "2026-01-01T00:00:00Z"}}}});
    EXPECT_EQ(w.get("node-1", kNode1, 10256, "/healthz"), 503);
    // Counted, each for its node.
    w.get("node-1", kLoopback, 10249, "/metrics", &body);
    EXPECT_NE(body.find("kubeproxy_proxy_healthz_total{code=\"503\"} 2\n"), std::string::npos) << body;
    EXPECT_NE(body.find("kubeproxy_proxy_livez_total{code=\"200\"} 2\n"), std::string::npos) << body;
  });
}

TEST(ProxyHealth, HealthCheckNodePortsComeAndGo) {
  netns_test::run_isolated([] {
    World w;
    EXPECT_EQ(w.get("node-1", kNode1, 30500, "/"), 0);
    w.set([&] {
      w.statuses[0].health_checks = {{{"shop", "web"}, 30500, 2}};
      w.statuses[1].health_checks = {{{"shop", "web"}, 30500, 0}};
    });
    EXPECT_TRUE(eventually([&] { return w.get("node-1", kNode1, 30500, "/") == 200 && w.get("node-1", kNode2, 30500, "/any") == 503; }));
    std::string body, head;
    w.get("node-2", kNode1, 30500, "/healthz", &body, &head);
    EXPECT_EQ(json::parse(body), (json{{"service", {{"namespace", "shop"}, {"name", "web"}}}, {"localEndpoints", 2}, {"serviceProxyHealthy", true}}));
    EXPECT_NE(head.find("X-Load-Balancing-Endpoint-Weight: 2\r\n"), std::string::npos) << head;
    EXPECT_NE(head.find("Content-Type: application/json\r\n"), std::string::npos) << head;
    EXPECT_NE(head.find("X-Content-Type-Options: nosniff\r\n"), std::string::npos) << head;

    // Numbers follow without the port being touched.
    w.set([&] { w.statuses[0].health_checks[0].local_endpoints = 0; });
    EXPECT_EQ(w.get("node-1", kNode1, 30500, "/"), 503);
    // Another Service takes the port over in the same step; another port besides.
    w.set([&] { w.statuses[0].health_checks = {{{"shop", "new"}, 30500, 1}, {{"shop", "web"}, 30501, 1}}; });
    EXPECT_TRUE(eventually([&] { return w.get("node-1", kNode1, 30501, "/") == 200 && w.get("node-1", kNode1, 30500, "/", &body) == 200; }));
    EXPECT_EQ(json::parse(body)["service"]["name"], "new");
    w.set([&] {
      w.statuses[0].health_checks.clear();
      w.statuses[1].health_checks.clear();
    });
    EXPECT_TRUE(eventually([&] { return w.get("node-1", kNode1, 30500, "/") == 0 && w.get("node-1", kNode1, 30501, "/") == 0 && w.get("node-1", kNode2, 30500, "/") == 0; }));
  });
}

TEST(ProxyHealth, APortThatSomebodyHoldsIsTriedAgain) {
  netns_test::run_isolated([] {
    World w;
    base::Fd holder = w.fabric->find_node("node-1")->worker().call([] { return netns::make_tcp_listener(Ip(), 30500, 1).value(); });
    w.loop.put("services", "shop", "web", {{"apiVersion", "v1"}, {"kind", "Service"}, {"metadata", {{"uid", "u"}}}});
    w.set([&] {
      w.statuses[0].health_checks = {{{"shop", "taken"}, 30500, 1}, {{"shop", "web"}, 30501, 1}};
      w.statuses[1].health_checks = w.statuses[0].health_checks;
    });
    EXPECT_TRUE(eventually([&] { return w.get("node-1", kNode1, 30501, "/") == 200 && w.get("node-1", kNode2, 30500, "/") == 200; }));
    holder.reset();
    EXPECT_TRUE(eventually([&] {
      w.set([] {});  // Any other change tries again at once.
      return w.get("node-1", kNode1, 30500, "/") == 200;
    }));
  });
}

TEST(ProxyHealth, EndsWhilePortsAreOpened) {
  netns_test::run_isolated([] {
    World w;
    for (uint16_t round = 0; round < 20; ++round) {
      w.set([&] {
        w.statuses[0].health_checks.clear();
        for (uint16_t i = 0; i < 20; ++i) w.statuses[0].health_checks.push_back({{"shop", "web" + std::to_string(i)}, static_cast<uint16_t>(30000 + (round + i) % 40), 1});
      });
    }
  });
}

}  // namespace
