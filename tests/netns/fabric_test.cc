#include "netns/fabric.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <future>

#include "netns/link/messages.h"
#include "netns/link/rtnl.h"
#include "netns/nft/nft.h"
#include "tests/netns/support.h"

namespace {

using base::Cidr;
using base::Fd;
using base::Ip;
using base::Result;
using netns::Fabric;
using netns::FabricPlan;
using netns::Node;
using netns::Sandbox;
using netns::Worker;
using netns_test::eventually;
using netns_test::run_isolated;

FabricPlan three_nodes() { return netns_test::plan_of(3, {Ip::v4(10, 96, 0, 10)}); }

Result<Sandbox> attach(Node* node, const std::string& id, Ip address) {
  auto result = std::make_shared<std::promise<Result<Sandbox>>>();
  node->attach({id, id, address}, [result](Result<Sandbox> sandbox) { result->set_value(std::move(sandbox)); });
  return result->get_future().get();
}

sockaddr_in to_sockaddr(const Ip& ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  std::memcpy(&address.sin_addr, ip.bytes(), 4);
  return address;
}

// 0 or the errno of connect(), made in the namespace of `worker`.
int connect_from(Worker& worker, const Ip& ip, uint16_t port) {
  return worker.call([&]() -> int {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    timeval limit{5, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    sockaddr_in address = to_sockaddr(ip, port);
    return ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
  });
}

// 0 or the errno that a datagram to there comes back with. Datagrams, because a TCP socket that is still inside
// connect() takes "unreachable" for a passing trouble and asks again a second later.
int probe_from(Worker& worker, const Ip& ip, uint16_t port) {
  return worker.call([&]() -> int {
    Fd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    timeval limit{5, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int on = 1;
    ::setsockopt(fd.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof on);  // "Unreachable" is reported only to who asks.
    sockaddr_in address = to_sockaddr(ip, port);
    char byte = 0;
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return errno;
    if (::send(fd.get(), &byte, 1, 0) != 1) return errno;
    return ::recv(fd.get(), &byte, 1, 0) >= 0 ? 0 : errno;
  });
}

// The peer's address as the listener sees it.
std::string peer_seen(Fd& listener, Worker& from, const Ip& ip, uint16_t port) {
  int err = connect_from(from, ip, port);
  if (err != 0) return std::string("connect: ") + std::strerror(err);
  sockaddr_in peer{};
  socklen_t size = sizeof peer;
  Fd accepted(::accept(listener.get(), reinterpret_cast<sockaddr*>(&peer), &size));
  return Ip::v4(ntohl(peer.sin_addr.s_addr)).text();
}

TEST(Fabric, packets_cross_with_their_own_source_address) {
  run_isolated([] {
    auto start = std::chrono::steady_clock::now();
    Result<std::unique_ptr<Fabric>> created = Fabric::create(three_nodes());
    ASSERT_TRUE(created.ok()) << created.error().message;
    std::printf("create, 3 nodes: %.1f ms\n", netns_test::milliseconds_since(start));
    Fabric& fabric = **created;
    Node* one = fabric.find_node("node-1");
    Node* two = fabric.find_node("node-2");
    ASSERT_NE(one, nullptr);
    EXPECT_EQ(fabric.find_node("node-9"), nullptr);
    const Ip a_ip = Ip::v4(10, 244, 1, 5), b_ip = Ip::v4(10, 244, 1, 6), c_ip = Ip::v4(10, 244, 2, 5);
    Result<Sandbox> a = attach(one, "a", a_ip), b = attach(one, "b", b_ip), c = attach(two, "c", c_ip);
    ASSERT_TRUE(a.ok()) << a.error().message;
    ASSERT_TRUE(b.ok() && c.ok());
    auto worker_in = [](const Fd& net) { return Worker::start("test", net).value(); };
    auto in_a = worker_in(a->net), in_b = worker_in(b->net), in_c = worker_in(c->net), in_client = worker_in(fabric.client_net());
    struct Row {
      const char* name;
      Worker* server;
      Ip at;
      Worker* from;
      const char* seen;
    };
    const Row rows[] = {
        {"pod to itself", in_a.get(), a_ip, in_a.get(), "10.244.1.5"},
        {"same node", in_b.get(), b_ip, in_a.get(), "10.244.1.5"},
        {"other node", in_c.get(), c_ip, in_a.get(), "10.244.1.5"},
        {"other node, back", in_a.get(), a_ip, in_c.get(), "10.244.2.5"},
        {"node to its pod", in_a.get(), a_ip, &one->worker(), "172.30.0.11"},
        {"node to another's pod", in_c.get(), c_ip, &one->worker(), "172.30.0.11"},
        {"pod to its node", &one->worker(), Ip::v4(172, 30, 0, 11), in_a.get(), "10.244.1.5"},
        {"pod to another node", &two->worker(), Ip::v4(172, 30, 0, 12), in_a.get(), "10.244.1.5"},
        {"client to node", &one->worker(), Ip::v4(172, 30, 0, 11), in_client.get(), "172.30.0.2"},
        {"pod to the node's service address", &one->worker(), Ip::v4(10, 96, 0, 10), in_a.get(), "10.244.1.5"},
    };
    uint16_t port = 80;  // Low ports are free for all in there.
    for (const Row& row : rows) {
      Result<Fd> listener = row.server->call([&] { return netns::make_tcp_listener(Ip(), port, 16); });
      ASSERT_TRUE(listener.ok()) << listener.error().message;
      EXPECT_EQ(peer_seen(*listener, *row.from, row.at, port), row.seen) << row.name;
      ++port;
    }
    EXPECT_EQ(a->uts.valid() && a->ipc.valid(), true);
  });
}

TEST(Fabric, what_leads_nowhere_fails_at_once) {
  run_isolated([] {
    Result<std::unique_ptr<Fabric>> fabric = Fabric::create(three_nodes());
    ASSERT_TRUE(fabric.ok()) << fabric.error().message;
    Node* one = (*fabric)->find_node("node-1");
    Result<Sandbox> pod = attach(one, "a", Ip::v4(10, 244, 1, 5));
    ASSERT_TRUE(pod.ok());
    auto in_pod = Worker::start("pod", pod->net).value();
    auto in_client = Worker::start("client", (*fabric)->client_net()).value();
    struct Row {
      const char* name;
      Worker* from;
      Ip to;
      int want;
    };
    const Row rows[] = {
        {"outside, from a pod", in_pod.get(), Ip::v4(192, 0, 2, 1), EHOSTUNREACH},
        {"outside, from a node", &one->worker(), Ip::v4(192, 0, 2, 1), EHOSTUNREACH},
        {"outside, from the client", in_client.get(), Ip::v4(192, 0, 2, 1), EHOSTUNREACH},
        {"no such pod here", in_pod.get(), Ip::v4(10, 244, 1, 99), EHOSTUNREACH},
        {"no such pod there", in_pod.get(), Ip::v4(10, 244, 2, 99), EHOSTUNREACH},
        {"a pod, from outside the cluster", in_client.get(), Ip::v4(10, 244, 1, 5), EHOSTUNREACH},
        {"no such machine", in_client.get(), Ip::v4(172, 30, 9, 9), EHOSTUNREACH},
        {"nobody listens", in_pod.get(), Ip::v4(172, 30, 0, 12), ECONNREFUSED},
    };
    // What the fabric answers is not rate-limited; what a node answers is, by the kernel: five, then one a second.
    for (int round = 0; round < 8; ++round) {
      for (const Row& row : rows) {
        if (round > 0 && std::strstr(row.name, "no such") != nullptr) continue;
        int err = probe_from(*row.from, row.to, 9);
        ASSERT_EQ(err, row.want) << row.name << ": " << std::strerror(err);
      }
    }
  });
}

TEST(Fabric, many_pods_then_none) {
  run_isolated([] {
    constexpr int kPods = 200;
    Result<std::unique_ptr<Fabric>> fabric = Fabric::create(three_nodes());
    ASSERT_TRUE(fabric.ok()) << fabric.error().message;
    Node* one = (*fabric)->find_node("node-1");
    std::vector<std::promise<Result<Sandbox>>> made(kPods);
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kPods; ++i) {
      one->attach({"pod-" + std::to_string(i), "h", Ip::v4(10, 244, 1, static_cast<uint8_t>(2 + i))},
                  [&made, i](Result<Sandbox> sandbox) { made[static_cast<size_t>(i)].set_value(std::move(sandbox)); });
    }
    std::vector<Sandbox> pods;
    for (auto& each : made) {
      Result<Sandbox> sandbox = each.get_future().get();
      ASSERT_TRUE(sandbox.ok()) << sandbox.error().message;
      pods.push_back(std::move(*sandbox));
    }
    std::printf("attach: %.0f pods/s\n", kPods * 1000.0 / netns_test::milliseconds_since(start));
    auto links = [&] { return one->worker().call([] { return netns::Rtnl::open()->list_links()->size(); }); };
    EXPECT_EQ(links(), static_cast<size_t>(2 + kPods));
    start = std::chrono::steady_clock::now();
    for (int i = 0; i < kPods; ++i) one->detach("pod-" + std::to_string(i));
    // The route goes at once, the link with the namespace.
    EXPECT_EQ(probe_from(one->worker(), Ip::v4(10, 244, 1, 2), 9), EHOSTUNREACH);
    pods.clear();
    EXPECT_TRUE(eventually([&] { return links() == 2; })) << links();
    std::printf("detach: %.0f pods/s\n", kPods * 1000.0 / netns_test::milliseconds_since(start));
    // The address is free again.
    Result<Sandbox> again = attach(one, "again", Ip::v4(10, 244, 1, 2));
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(probe_from(one->worker(), Ip::v4(10, 244, 1, 2), 9), ECONNREFUSED);
  });
}

TEST(Fabric, same_id_twice_is_an_error_that_names_the_pod) {
  run_isolated([] {
    Result<std::unique_ptr<Fabric>> fabric = Fabric::create(three_nodes());
    ASSERT_TRUE(fabric.ok()) << fabric.error().message;
    Node* one = (*fabric)->find_node("node-1");
    Result<Sandbox> first = attach(one, "twin", Ip::v4(10, 244, 1, 5));
    ASSERT_TRUE(first.ok());
    Result<Sandbox> second = attach(one, "twin", Ip::v4(10, 244, 1, 6));
    ASSERT_FALSE(second.ok());
    EXPECT_NE(second.error().message.find("twin"), std::string::npos) << second.error().message;
    EXPECT_NE(second.error().message.find("File exists"), std::string::npos) << second.error().message;
  });
}

TEST(Fabric, ways_to_addresses_that_nodes_take) {
  run_isolated([] {
    auto fabric = Fabric::create(three_nodes()).value();
    const Ip taken = Ip::v4(203, 0, 113, 9);  // Not of the underlay: no node could be asked for it by ARP.
    std::map<std::string, Fd> listeners;
    for (const char* name : {"node-1", "node-3"}) {
      Worker& worker = fabric->find_node(name)->worker();
      const base::Status added = worker.call([&]() -> base::Status {
        netns::Rtnl rtnl = TRY(netns::Rtnl::open());
        netns::Batch batch;
        netns::add_address(batch, netns::kLoIndex, taken, 32, 0);
        return rtnl.apply(batch);
      });
      ASSERT_TRUE(added.ok()) << added.error().message;
      listeners[name] = worker.call([&] { return netns::make_tcp_listener(taken, 80, 64); }).value();
    }
    auto client = Worker::start("asker", fabric->client_net()).value();
    auto route_by = [&](const std::vector<Ip>& nodes) {
      auto done = std::make_shared<std::promise<base::Status>>();
      fabric->set_outside_routes(nodes.empty() ? Fabric::OutsideRoutes{} : Fabric::OutsideRoutes{{taken, nodes}}, [done](base::Status status) { done->set_value(std::move(status)); });
      const base::Status status = done->get_future().get();
      EXPECT_TRUE(status.ok()) << status.error().message;
    };
    auto count = [&](Worker& from, const std::string& node) {
      for (int i = 0; i < 20; ++i) EXPECT_EQ(connect_from(from, taken, 80), 0);
      int got = 0;
      for (auto& [name, listener] : listeners) {
        ::fcntl(listener.get(), F_SETFL, O_NONBLOCK);
        for (Fd one(::accept(listener.get(), nullptr, nullptr)); one.valid(); one = Fd(::accept(listener.get(), nullptr, nullptr))) got += name == node;
      }
      return got;
    };
    for (Worker* from : {client.get(), &fabric->fabric_worker()}) {
      route_by({Ip::v4(172, 30, 0, 11), Ip::v4(172, 30, 0, 13)});
      const int first = count(*from, "node-1");
      EXPECT_GT(first, 0);
      EXPECT_LT(first, 20);
      route_by({Ip::v4(172, 30, 0, 13)});
      EXPECT_EQ(count(*from, "node-3"), 20);
      route_by({});
      EXPECT_EQ(connect_from(*from, taken, 80), EHOSTUNREACH);
    }
  });
}

TEST(Nft, transactions_apply_whole_or_not_at_all) {
  run_isolated([] {
    Result<std::unique_ptr<Fabric>> fabric = Fabric::create(three_nodes());
    ASSERT_TRUE(fabric.ok()) << fabric.error().message;
    Node* one = (*fabric)->find_node("node-1");
    one->worker().call([&] {
      netns::Nft& nft = one->nft();
      base::Status made = nft.run("add table ip t\nadd map ip t m { type ipv4_addr : ipv4_addr; }\nadd element ip t m { 10.0.0.1 : 10.0.0.2 }\n");
      EXPECT_TRUE(made.ok()) << made.error().message;
      base::Status bad = nft.run("add table ip u\nadd element ip t nosuch { 10.0.0.3 : 10.0.0.4 }\n");
      EXPECT_FALSE(bad.ok());
      EXPECT_NE(bad.error().message.find("No such file or directory"), std::string::npos) << bad.error().message;
      Result<std::string> text = nft.query("list ruleset", false);
      EXPECT_TRUE(text.ok());
      EXPECT_NE(text->find("10.0.0.1 : 10.0.0.2"), std::string::npos) << *text;
      EXPECT_EQ(text->find("table ip u"), std::string::npos) << *text;
      Result<std::string> json = nft.query("list table ip t", true);
      EXPECT_TRUE(json.ok() && json->find("\"nftables\"") != std::string::npos);
      Result<std::string> plain = nft.query("list table ip t", false);
      EXPECT_TRUE(plain.ok() && plain->find("table ip t {") != std::string::npos);
      return 0;
    });
    // Another node has a ruleset of its own.
    Node* two = (*fabric)->find_node("node-2");
    EXPECT_EQ(two->worker().call([&] { return *two->nft().query("list ruleset", false); }), "");
  });
}

}  // namespace
