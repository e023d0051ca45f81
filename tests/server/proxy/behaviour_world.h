// tests/server/proxy/behaviour_world.h - the world of behaviours.txt in namespaces: two nodes, four pods, a client outside, and
// the real proxy. Lives inside netns_test::run_isolated().
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "netns/fabric.h"
#include "netns/link/messages.h"
#include "netns/link/rtnl.h"
#include "tests/netns/support.h"
#include "tests/server/proxy/fake_loop.h"
#include "tests/server/proxy/scenario.h"

namespace proxy_test {

inline sockaddr_in to_sockaddr(const base::Ip& ip, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  std::memcpy(&address.sin_addr, ip.bytes(), 4);
  return address;
}
inline std::string peer_text(const sockaddr_in& peer) { return base::Ip::v4(ntohl(peer.sin_addr.s_addr)).text(); }

// Answers each connection, each further message on it and each datagram with "<pod>[:<port>] <peer>"; 8080 is not named.
class AnsweringPod {
 public:
  AnsweringPod(netns::Node& node, const std::string& name, const base::Ip& ip) : name_(name) {
    auto made = std::make_shared<std::promise<base::Result<netns::Sandbox>>>();
    node.attach({name, name, ip}, [made](base::Result<netns::Sandbox> sandbox) { made->set_value(std::move(sandbox)); });
    sandbox_ = std::move(made->get_future().get()).value();
    worker_ = netns::Worker::start(name, sandbox_.net).value();
    for (uint16_t port : {8080, 8081}) {
      const std::string as = port == 8080 ? name : name + ":" + std::to_string(port);
      add({worker_->call([port] { return netns::make_tcp_listener(base::Ip(), port, 512); }).value(), Kind::kListener, as, {}});
      add({worker_->call([port] { return netns::make_udp_socket(base::Ip(), port); }).value(), Kind::kUdp, as, {}});
    }
    thread_ = std::thread([this] { serve(); });
  }
  ~AnsweringPod() {
    stop_ = true;
    thread_.join();
  }
  netns::Worker& worker() { return *worker_; }

 private:
  enum class Kind { kListener, kUdp, kConnection };
  struct Socket {
    base::Fd fd;
    Kind kind;
    std::string as;
    std::string peer;
  };
  void add(Socket socket) {
    const int fd = socket.fd.get();
    sockets_.emplace(fd, std::move(socket));
  }
  void serve() {
    while (!stop_) {
      std::vector<pollfd> fds;
      for (const auto& [fd, socket] : sockets_) fds.push_back({fd, POLLIN, 0});
      if (::poll(fds.data(), fds.size(), 20) <= 0) continue;
      for (const pollfd& ready : fds) {
        if (ready.revents != 0) answer(sockets_.at(ready.fd));
      }
    }
  }
  void answer(Socket& socket) {
    char buffer[4096];
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    auto* from = reinterpret_cast<sockaddr*>(&peer);
    if (socket.kind == Kind::kListener) {
      base::Fd accepted(::accept4(socket.fd.get(), from, &size, SOCK_CLOEXEC));
      if (!accepted.valid()) return;
      say(accepted.get(), socket.as + " " + peer_text(peer), nullptr);
      add({std::move(accepted), Kind::kConnection, socket.as, peer_text(peer)});
      return;
    }
    const ssize_t got = ::recvfrom(socket.fd.get(), buffer, sizeof buffer, 0, from, &size);
    if (socket.kind == Kind::kUdp && got >= 0) say(socket.fd.get(), socket.as + " " + peer_text(peer), &peer);
    if (socket.kind != Kind::kConnection) return;
    if (got > 0) {
      say(socket.fd.get(), socket.as + " " + socket.peer, nullptr);
    } else {
      sockets_.erase(socket.fd.get());
    }
  }
  static void say(int fd, const std::string& text, const sockaddr_in* to) {
    base::ignore(::sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(to), to ? sizeof *to : 0), "the asker notices");
  }

  const std::string name_;
  netns::Sandbox sandbox_;
  std::unique_ptr<netns::Worker> worker_;
  std::map<int, Socket> sockets_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// A socket that stays open; say() is one message and its answer.
class Asker {
 public:
  Asker(netns::Worker& from, int type, const Destination& to, int patience_ms, size_t bytes = 1) : type_(type), bytes_(bytes) {
    greeting_ = from.call([&]() -> std::string {
      fd_ = base::Fd(::socket(AF_INET, type | SOCK_CLOEXEC, type == SOCK_SEQPACKET ? IPPROTO_SCTP : 0));
      timeval limit{patience_ms / 1000, patience_ms % 1000 * 1000};
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
      sockaddr_in address = to_sockaddr(to.ip, to.port);
      if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return failure();
      return type_ == SOCK_STREAM ? receive() : say();
    });
  }
  const std::string& greeting() const { return greeting_; }
  std::string say() {
    const std::string message(bytes_, '?');
    if (::send(fd_.get(), message.data(), message.size(), MSG_NOSIGNAL) < 0) return failure();
    return receive();
  }

 private:
  std::string receive() {
    char buffer[128];
    const ssize_t size = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (size == 0) return "closed";
    return size < 0 ? failure() : std::string(buffer, static_cast<size_t>(size));
  }
  std::string failure() const {
    // A reject of a local sender's own datagram is told by send() as EPERM.
    if (errno == ECONNREFUSED || (type_ == SOCK_DGRAM && errno == EPERM)) return "refused";
    if (errno == EAGAIN || errno == EINPROGRESS) return "silence";
    return std::strerror(errno);
  }

  const int type_;
  const size_t bytes_;
  base::Fd fd_;
  std::string greeting_;
};

class World {
 public:
  explicit World(const server::ProxyOptions& options) {
    using base::Cidr;
    using base::Ip;
    netns::FabricPlan plan;
    plan.underlay = Cidr(Ip::v4(172, 30, 0, 0), 16);
    plan.gateway = Ip::v4(172, 30, 0, 1);
    plan.client_address = Ip::v4(172, 30, 0, 2);
    for (uint8_t i = 1; i <= 2; ++i) {
      netns::NodePlan node;
      node.name = "node-" + std::to_string(i);
      node.address = Ip::v4(172, 30, 0, static_cast<uint8_t>(10 + i));
      node.pod_cidr = Cidr(Ip::v4(10, 244, i, 0), 24);
      plan.nodes.push_back(node);
    }
    fabric_ = netns::Fabric::create(plan).value();
    client_ = netns::Worker::start("client", fabric_->client_net()).value();
    add_routes();
    proxy_ = server::make_proxy(loop_, services_, *fabric_, options);
    const base::Status loaded = proxy_->load();
    EXPECT_TRUE(loaded.ok()) << loaded.error().message;
    for (const PodPlace& pod : kPods) pods_[pod.name] = std::make_unique<AnsweringPod>(*fabric_->find_node("node-" + std::to_string(pod.node)), pod.name, Ip::parse(pod.ip).value());
    for (const char* node : {"node-1", "node-2"}) loop_.put("nodes", "", node, render_node(node, {}));
  }

  void sync() {
    bool done = false;
    proxy_->when_synced([&] { done = true; });
    while (!done && loop_.run_one(std::chrono::seconds(20))) {
    }
    ASSERT_TRUE(done);
  }
  // No transaction was refused, and every set, map and chain of the kernel is as the plans say.
  void expect_as_planned() {
    for (const server::proxy::NodeProxyStatus& status : proxy_->status()) EXPECT_EQ(status.failures, 0u) << status.node;
    bool done = false;
    proxy_->verify([&](const std::vector<std::string>& differences) {
      done = true;
      for (const std::string& line : differences) ADD_FAILURE() << line;
    });
    while (!done && loop_.run_one(std::chrono::seconds(20))) {
    }
    ASSERT_TRUE(done);
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
