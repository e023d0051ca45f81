// The ruleset under real packets: a fabric of two nodes in namespaces of the test's own, pods on both.
#include <algorithm>
#include <set>

#include "netns/nft/nft.h"
#include "tests/server/proxy/objects.h"
#include "tests/server/proxy/real_packets.h"

namespace {

using base::Cidr;
using base::Fd;
using base::Ip;
using netns::Worker;
using proxy_test::AnsweringPod;
using proxy_test::FakeLoop;
using proxy_test::service_tree;
using proxy_test::slice_tree;

constexpr const char* kSlices = "endpointslices.discovery.k8s.io";

// What one connection or datagram to the address got: the pod's words, or "refused", "silence", or an error.
std::string ask(Worker& from, int type, const Ip& ip, uint16_t port, int timeout_ms = 5000) { return proxy_test::Asker(from, type, {ip, port}, timeout_ms).greeting(); }
std::string tcp(Worker& from, const Ip& ip, uint16_t port = 80) { return ask(from, SOCK_STREAM, ip, port); }

struct Cluster {
  explicit Cluster(server::Balancing balancing = server::Balancing::kRoundRobin) {
    netns::FabricPlan plan = netns_test::plan_of(2, {Ip::v4(10, 96, 0, 10)});
    plan.via_nodes = {Cidr(Ip::v4(10, 96, 0, 0), 12)};
    fabric = netns::Fabric::create(plan).value();
    node_1 = fabric->find_node("node-1");
    node_2 = fabric->find_node("node-2");
    client = Worker::start("client", fabric->client_net()).value();
    server::ProxyOptions options;
    options.service_cidr = Cidr(Ip::v4(10, 96, 0, 0), 12);
    options.pod_cidr = Cidr(Ip::v4(10, 244, 0, 0), 16);
    options.local_services = {Ip::v4(10, 96, 0, 10)};
    options.balancing = balancing;
    proxy = server::make_proxy(loop, services, *fabric, options);
    const base::Status loaded = proxy->load();
    EXPECT_TRUE(loaded.ok()) << loaded.error().message;
  }
  void sync() { proxy_test::sync(loop, *proxy); }
  void expect_kernel_as_planned() { proxy_test::expect_kernel_as_planned(loop, *proxy); }
  void put_service(const std::string& name, const Ip& ip, const std::string& ports = R"([{"port":80}])") {
    loop.put("services", "default", name, service_tree(ip.text(), ports));
  }
  void put_endpoints(const std::string& name, const std::vector<Ip>& ips, const std::string& ports = R"([{"port":8080}])") {
    std::vector<std::string> texts;
    for (const Ip& ip : ips) texts.push_back(ip.text());
    loop.put(kSlices, "default", name + "-1", slice_tree(name, texts, ports));
  }

  FakeLoop loop;
  server::ServiceFeed services{loop};
  std::unique_ptr<netns::Fabric> fabric;
  netns::Node* node_1 = nullptr;
  netns::Node* node_2 = nullptr;
  std::unique_ptr<Worker> client;
  std::unique_ptr<server::Proxy> proxy;
};

const Ip kWeb = Ip::v4(10, 96, 1, 1);
const Ip kA = Ip::v4(10, 244, 1, 5), kB = Ip::v4(10, 244, 1, 6), kC = Ip::v4(10, 244, 2, 5);

TEST(ProxyKernel, takes_turns_exactly) {
  netns_test::run_isolated([] {
    Cluster cluster;
    AnsweringPod a(*cluster.node_1, "a", kA), b(*cluster.node_1, "b", kB), c(*cluster.node_2, "c", kC);
    const Ip other = Ip::v4(10, 96, 1, 2);
    for (const auto& [name, ip] : std::map<std::string, Ip>{{"web", kWeb}, {"other", other}}) {
      cluster.put_service(name, ip);
      cluster.put_endpoints(name, {kA, kB, kC});
    }
    cluster.sync();
    Worker* clients[] = {&a.worker(), &c.worker(), &cluster.node_1->worker(), &cluster.node_2->worker(), cluster.client.get()};
    for (Worker* from : clients) {
      // Two services called in turn must not share a counter: each would stick to some of its pods.
      std::map<std::string, int> web_hits, other_hits;
      for (int i = 0; i < 9; ++i) {
        ++web_hits[tcp(*from, kWeb).substr(0, 1)];
        ++other_hits[tcp(*from, other).substr(0, 1)];
      }
      const std::map<std::string, int> want = {{"a", 3}, {"b", 3}, {"c", 3}};
      EXPECT_EQ(web_hits, want);
      EXPECT_EQ(other_hits, want);
    }
  });
}

TEST(ProxyKernel, source_addresses) {
  netns_test::run_isolated([] {
    Cluster cluster;
    AnsweringPod a(*cluster.node_1, "a", kA), b(*cluster.node_1, "b", kB), c(*cluster.node_2, "c", kC);
    struct Row {
      const char* name;
      Worker* from;
      Ip endpoint;
      const char* want;
    };
    const Row rows[] = {
        {"pod, same node", &a.worker(), kB, "b 10.244.1.5"},
        {"pod, other node", &a.worker(), kC, "c 10.244.1.5"},
        {"pod to itself", &a.worker(), kA, "a 172.30.0.11"},
        {"node to its pod", &cluster.node_1->worker(), kA, "a 172.30.0.11"},
        {"node to another's pod", &cluster.node_1->worker(), kC, "c 172.30.0.11"},
        {"client to a pod of the node it came in by", cluster.client.get(), kA, "a 172.30.0.11"},
        {"client to another node's pod", cluster.client.get(), kC, "c 172.30.0.11"},
    };
    cluster.put_service("web", kWeb, R"([{"name":"t","port":80},{"name":"u","port":80,"protocol":"UDP"}])");
    for (const Row& row : rows) {
      cluster.put_endpoints("web", {row.endpoint}, R"([{"name":"t","port":8080},{"name":"u","port":8080,"protocol":"UDP"}])");
      cluster.sync();
      EXPECT_EQ(ask(*row.from, SOCK_STREAM, kWeb, 80), row.want) << row.name;
      EXPECT_EQ(ask(*row.from, SOCK_DGRAM, kWeb, 80), row.want) << row.name << ", UDP";
    }
  });
}

TEST(ProxyKernel, what_is_not_served_is_refused_or_dropped) {
  netns_test::run_isolated([] {
    Cluster cluster;
    AnsweringPod a(*cluster.node_1, "a", kA), b(*cluster.node_1, "b", kB);
    const Ip empty = Ip::v4(10, 96, 1, 2), gone = Ip::v4(10, 96, 1, 3), nobody = Ip::v4(10, 96, 7, 7), dns = Ip::v4(10, 96, 0, 10);
    cluster.put_service("web", kWeb);
    cluster.put_endpoints("web", {kB});
    cluster.put_service("empty", empty);
    cluster.put_service("gone", gone);
    cluster.put_endpoints("gone", {kA, kB});
    cluster.sync();
    EXPECT_EQ(tcp(a.worker(), gone).substr(2), "172.30.0.11");  // a in turn first, to itself.
    cluster.put_endpoints("gone", {});
    cluster.sync();
    Fd dns_udp = cluster.node_1->worker().call([&] { return netns::make_udp_socket(dns, 53); }).value();
    struct Row {
      const char* name;
      int type;
      Ip ip;
      uint16_t port;
      const char* want;
    };
    const Row rows[] = {
        {"no endpoints", SOCK_STREAM, empty, 80, "refused"},
        {"no endpoints any more", SOCK_STREAM, gone, 80, "refused"},
        {"wrong port", SOCK_STREAM, kWeb, 81, "refused"},
        {"wrong protocol", SOCK_DGRAM, kWeb, 80, "refused"},
        {"no endpoints, UDP", SOCK_DGRAM, gone, 80, "refused"},
        {"the node's own service, wrong port", SOCK_STREAM, dns, 80, "refused"},
        {"the node's own service, nobody listens on TCP", SOCK_STREAM, dns, 53, "refused"},
        {"the node's own service, answered there", SOCK_DGRAM, dns, 53, "silence"},
        {"not allocated", SOCK_STREAM, nobody, 80, "silence"},
        {"served", SOCK_STREAM, kWeb, 80, "b 10.244.1.5"},
    };
    for (int round = 0; round < 3; ++round) {
      for (const Row& row : rows) {
        const int patience = std::string(row.want) == "silence" ? 150 : 5000;
        EXPECT_EQ(ask(a.worker(), row.type, row.ip, row.port, patience), row.want) << row.name;
        if (row.ip == kWeb && row.port == 80 && row.type == SOCK_STREAM) continue;
        // A local sender learns of a reject from send() itself; only TCP hides that from connect().
        const bool local_udp = row.type == SOCK_DGRAM && std::string(row.want) == "refused";
        EXPECT_EQ(ask(cluster.node_1->worker(), row.type, row.ip, row.port, patience), local_udp ? "Operation not permitted" : row.want)
            << row.name << ", from the node";
      }
    }
    char buffer[8];
    EXPECT_EQ(::recv(dns_udp.get(), buffer, sizeof buffer, MSG_DONTWAIT), 1);
    cluster.loop.put("services", "default", "web", nullptr);
    cluster.sync();
    EXPECT_EQ(ask(a.worker(), SOCK_STREAM, kWeb, 80, 150), "silence");
  });
}

TEST(ProxyKernel, the_nodes_own_service_and_the_way_out) {
  netns_test::run_isolated([] {
    Cluster cluster;
    AnsweringPod a(*cluster.node_1, "a", kA), c(*cluster.node_2, "c", kC);
    const Ip dns = Ip::v4(10, 96, 0, 10), client = Ip::v4(172, 30, 0, 2);
    struct Row {
      const char* name;
      Worker* server;
      Ip ip;
      uint16_t port;
      Worker* from;
      const char* seen;
    };
    const Row rows[] = {
        {"DNS from a pod", &cluster.node_1->worker(), dns, 53, &a.worker(), "10.244.1.5"},
        {"DNS from the node", &cluster.node_1->worker(), dns, 53, &cluster.node_1->worker(), "10.96.0.10"},
        {"a pod to the outside", cluster.client.get(), client, 7000, &a.worker(), "172.30.0.11"},
        {"a node to the outside", cluster.client.get(), client, 7000, &cluster.node_1->worker(), "172.30.0.11"},
        {"a pod to a pod", &c.worker(), kC, 7000, &a.worker(), "10.244.1.5"},
        {"a node to a pod", &c.worker(), kC, 7000, &cluster.node_1->worker(), "172.30.0.11"},
    };
    for (const Row& row : rows) {
      Fd tcp_listener = row.server->call([&] { return netns::make_tcp_listener(row.ip, row.port, 8); }).value();
      Fd udp_socket = row.server->call([&] { return netns::make_udp_socket(row.ip, row.port); }).value();
      std::string seen[2];
      std::thread server([&] {
        sockaddr_in peer{};
        socklen_t size = sizeof peer;
        char byte;
        for (int round = 0; round < 2; ++round) {
          pollfd fds[] = {{tcp_listener.get(), POLLIN, 0}, {udp_socket.get(), POLLIN, 0}};
          if (::poll(fds, 2, 10'000) <= 0) return;
          if (fds[0].revents) {
            Fd accepted(::accept(tcp_listener.get(), reinterpret_cast<sockaddr*>(&peer), &size));
            base::ignore(::send(accepted.get(), "ok", 2, MSG_NOSIGNAL), "the client will notice");
            seen[0] = Ip::v4(ntohl(peer.sin_addr.s_addr)).text();
          } else {
            base::ignore(::recvfrom(udp_socket.get(), &byte, 1, 0, reinterpret_cast<sockaddr*>(&peer), &size), "any datagram");
            base::ignore(::sendto(udp_socket.get(), "ok", 2, 0, reinterpret_cast<sockaddr*>(&peer), size), "as above");
            seen[1] = Ip::v4(ntohl(peer.sin_addr.s_addr)).text();
          }
        }
      });
      EXPECT_EQ(ask(*row.from, SOCK_STREAM, row.ip, row.port), "ok") << row.name;
      EXPECT_EQ(ask(*row.from, SOCK_DGRAM, row.ip, row.port), "ok") << row.name;
      server.join();
      EXPECT_EQ(seen[0], row.seen) << row.name;
      EXPECT_EQ(seen[1], row.seen) << row.name;
    }
  });
}

TEST(ProxyKernel, no_connection_fails_while_endpoints_change) {
  netns_test::run_isolated([] {
    Cluster cluster;
    AnsweringPod a(*cluster.node_1, "a", kA), b(*cluster.node_1, "b", kB), c(*cluster.node_2, "c", kC);
    const Ip other = Ip::v4(10, 96, 1, 2);
    cluster.put_service("web", kWeb);
    cluster.put_endpoints("web", {kA, kB, kC});
    cluster.sync();
    std::atomic<bool> stop{false};
    std::atomic<int> asked{0};
    std::map<std::string, int> answers;
    auto client = Worker::start("asker", cluster.node_2->net()).value();
    std::thread asker([&] {
      while (!stop) {
        ++answers[tcp(*client, kWeb).substr(0, 1)];
        ++asked;
      }
    });
    const std::vector<std::vector<Ip>> steps = {{kA}, {kA, kB, kC}, {kB, kC}, {kC}, {kA, kB}, {kC, kB}, {kB}, {kA, kC, kB}};
    for (int round = 0; round < 200; ++round) {
      cluster.put_endpoints("web", steps[static_cast<size_t>(round) % steps.size()]);
      if (round % 50 == 7) cluster.put_service("other-" + std::to_string(round), other);
      cluster.sync();
      if (round % 20 == 0) cluster.loop.run_timers();
      const int seen = asked;
      netns_test::eventually([&] { return asked > seen; });
    }
    stop = true;
    asker.join();
    cluster.expect_kernel_as_planned();
    std::printf("%d connections over 200 changes\n", asked.load());
    for (const auto& [who, count] : answers) EXPECT_TRUE(who == "a" || who == "b" || who == "c") << who << " " << count;
  });
}

TEST(ProxyKernel, survives_a_ruleset_that_somebody_else_removed) {
  netns_test::run_isolated([] {
    Cluster cluster;
    AnsweringPod a(*cluster.node_1, "a", kA), b(*cluster.node_1, "b", kB);
    cluster.put_service("web", kWeb);
    cluster.put_endpoints("web", {kB});
    cluster.put_service("late", Ip::v4(10, 96, 1, 9));
    cluster.sync();
    ASSERT_TRUE(cluster.node_1->worker().call([&] { return cluster.node_1->nft().run("delete table ip kubelan"); }).ok());
    cluster.put_endpoints("late", {kB});
    bool done = false;
    cluster.proxy->when_synced([&] { done = true; });
    ASSERT_TRUE(netns_test::eventually([&] {
      cluster.loop.run_one(std::chrono::milliseconds(1));
      cluster.loop.run_timers();
      return done;
    }));
    EXPECT_EQ(tcp(a.worker(), kWeb), "b 10.244.1.5");
    EXPECT_EQ(tcp(a.worker(), Ip::v4(10, 96, 1, 9)), "b 10.244.1.5");
  });
}

TEST(ProxyKernel, random_reaches_everybody) {
  netns_test::run_isolated([] {
    Cluster cluster(server::Balancing::kRandom);
    AnsweringPod a(*cluster.node_1, "a", kA), b(*cluster.node_1, "b", kB), c(*cluster.node_2, "c", kC);
    cluster.put_service("web", kWeb);
    cluster.put_endpoints("web", {kA, kB, kC});
    cluster.sync();
    std::set<std::string> seen;
    for (int i = 0; i < 300 && seen.size() < 3; ++i) seen.insert(tcp(*cluster.client, kWeb).substr(0, 1));
    EXPECT_EQ(seen, (std::set<std::string>{"a", "b", "c"}));
  });
}

TEST(ProxyKernel, loads_many_services) {
  netns_test::run_isolated([] {
    Cluster cluster;
    AnsweringPod a(*cluster.node_1, "a", kA), c(*cluster.node_2, "c", kC);
    constexpr int kCount = 3000;
    for (int i = 0; i < kCount; ++i) {
      const std::string name = "s" + std::to_string(i);
      cluster.put_service(name, Ip::v4(10, 97, 0, 0).plus(static_cast<uint64_t>(i)));
      cluster.put_endpoints(name, {kA, kC, Ip::v4(10, 244, 2, 9)});
    }
    auto start = std::chrono::steady_clock::now();
    cluster.sync();
    std::printf("%d services with 3 endpoints on 2 nodes: %.0f ms\n", kCount, netns_test::milliseconds_since(start));
    std::vector<double> one_more;
    for (int i = 0; i < 21; ++i) {
      start = std::chrono::steady_clock::now();
      cluster.put_service("more-" + std::to_string(i), Ip::v4(10, 98, 0, 0).plus(static_cast<uint64_t>(i)));
      cluster.put_endpoints("more-" + std::to_string(i), {kA, kC});
      cluster.sync();
      one_more.push_back(netns_test::milliseconds_since(start));
    }
    std::sort(one_more.begin(), one_more.end());
    std::printf("one more: median %.2f ms, most %.2f ms\n", one_more[10], one_more[20]);
    for (int i = 0; i < 21; ++i) cluster.loop.put("services", "default", "more-" + std::to_string(i), nullptr);
    cluster.put_service("web", kWeb);
    cluster.put_endpoints("web", {kA, kC});
    cluster.sync();
    cluster.expect_kernel_as_planned();
    EXPECT_EQ(tcp(a.worker(), kWeb).substr(0, 1), "a");
    EXPECT_EQ(tcp(a.worker(), kWeb).substr(0, 1), "c");
    for (int i = 0; i < kCount; ++i) cluster.loop.put("services", "default", "s" + std::to_string(i), nullptr);
    cluster.sync();
    cluster.expect_kernel_as_planned();
    for (int i = 0; i < 3; ++i) {
      cluster.loop.run_timers();
      cluster.sync();
      cluster.expect_kernel_as_planned();
    }
    EXPECT_EQ(tcp(a.worker(), kWeb).substr(0, 1), "a");
    auto chains = cluster.node_1->worker().call([&] { return cluster.node_1->nft().query("list chains ip", false); });
    ASSERT_TRUE(chains.ok());
    size_t wheels = 0;
    for (size_t at = chains->find("wheel-"); at != std::string::npos; at = chains->find("wheel-", at + 1)) ++wheels;
    EXPECT_LE(wheels, 128u);  // Some are kept for the next services.
  });
}

}  // namespace
