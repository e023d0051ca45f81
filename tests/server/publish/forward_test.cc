// Forwarders under real connections. A fabric of two nodes stands for everything: node-2's loopback plays the host,
// node-1 holds the servers, and the way between leads from the fabric, as to a node port.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <future>
#include <numeric>
#include <set>
#include <thread>

#include "netns/fabric.h"
#include "store/base/socket_address.h"
#include "server/publish/forwarder.h"
#include "tests/netns/support.h"

namespace {

using base::Fd;
using base::Ip;
using netns_test::eventually;
using server::publish::Destination;
using server::publish::Forwarder;
using server::publish::From;
using server::publish::SocketPool;

const Ip kNode1 = Ip::v4(172, 30, 0, 11);
const Ip kLoopback = Ip::v4(127, 0, 0, 1);

void set_patience(const Fd& fd) {
  const timeval limit{20, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

uint16_t port_of(const Fd& fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

// Bound by number, as the keeper does it: a port chosen by the kernel would be given up with listening.
Fd bind_by_number(int type) {
  for (int i = 0; i < 100; ++i) {
    Fd any(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    auto address = base::socket_address(kLoopback, 0);
    ::bind(any.get(), address.get(), address.size);
    const uint16_t port = port_of(any);
    any.reset();
    Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
    int on = 1;
    if (type == SOCK_STREAM) ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    address = base::socket_address(kLoopback, port);
    if (::bind(fd.get(), address.get(), address.size) == 0) return fd;
  }
  return Fd();
}

struct World {
  World() : fabric(netns::Fabric::create(netns_test::plan_of(2)).value()), io("io-test") {}
  ~World() {
    on_io([this] {
      forwarder.reset();
      pools.clear();
    });
  }

  netns::Worker& servers() { return fabric->find_node("node-1")->worker(); }
  netns::Worker& host() { return fabric->find_node("node-2")->worker(); }
  void on_io(const std::function<void()>& fn) {
    std::promise<void> done;
    io.post([&] {
      fn();
      done.set_value();
    });
    done.get_future().wait();
  }

  SocketPool& pool(From from, base::Family family, int type) {
    auto& pool = pools[{static_cast<int>(from), type}];
    if (pool == nullptr) pool = std::make_unique<SocketPool>(io, from == From::kNode ? servers() : fabric->fabric_worker(), family, type);
    return *pool;
  }

  // Publishes a fresh port of the host.
  void publish(int type, std::optional<Destination> to, server::publish::ForwarderLimits limits = {}) {
    Fd socket = host().call([type] { return bind_by_number(type); });
    host_port = port_of(socket);
    on_io([&] {
      server::publish::ForwarderContext context{io, [this](From from, base::Family family, int t) -> SocketPool& { return pool(from, family, t); }, traffic,
                                                [this](const std::string& reason) {
                                                  std::lock_guard lock(mutex);
                                                  failures.push_back(reason);
                                                },
                                                limits};
      forwarder = type == SOCK_STREAM ? make_tcp_forwarder(std::move(context), std::move(socket)) : make_udp_forwarder(std::move(context), std::move(socket));
      forwarder->set_destination(std::move(to));
    });
  }
  void lead_to(std::optional<Destination> to) {
    on_io([&] { forwarder->set_destination(to); });
  }

  Fd server(int type) {
    Fd fd = servers().call([type] { return (type == SOCK_STREAM ? netns::make_tcp_listener(Ip(), 0, 1024) : netns::make_udp_socket(Ip(), 0)).value(); });
    set_patience(fd);
    return fd;
  }
  // A client's socket, connected to the published port; errno in *error.
  Fd connect(int type, int* error = nullptr) {
    return host().call([&] {
      Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
      set_patience(fd);
      const auto address = base::socket_address(kLoopback, host_port);
      const int result = ::connect(fd.get(), address.get(), address.size);
      if (error != nullptr) *error = result == 0 ? 0 : errno;
      return fd;
    });
  }
  std::vector<std::string> reasons() {
    std::lock_guard lock(mutex);
    return failures;
  }

  std::unique_ptr<netns::Fabric> fabric;
  base::Loop io;
  std::shared_ptr<server::publish::Traffic> traffic = std::make_shared<server::publish::Traffic>();
  std::map<std::pair<int, int>, std::unique_ptr<SocketPool>> pools;
  std::unique_ptr<Forwarder> forwarder;
  uint16_t host_port = 0;
  std::mutex mutex;
  std::vector<std::string> failures;
};

Destination to_server(const Fd& server) { return {From::kFabric, kNode1, port_of(server)}; }

Fd accept(const Fd& listener) {
  Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  EXPECT_TRUE(fd.valid()) << std::strerror(errno);
  set_patience(fd);
  return fd;
}

void send_all(const Fd& fd, const std::string& data) {
  size_t at = 0;
  while (at < data.size()) {
    const ssize_t n = ::send(fd.get(), data.data() + at, data.size() - at, MSG_NOSIGNAL);
    ASSERT_GT(n, 0) << std::strerror(errno);
    at += static_cast<size_t>(n);
  }
}
// To the end; *error is 0 or what ended it.
std::string receive_all(const Fd& fd, int* error = nullptr) {
  std::string out;
  std::vector<char> buffer(65536);
  ssize_t n = 0;
  while ((n = ::recv(fd.get(), buffer.data(), buffer.size(), 0)) > 0) out.append(buffer.data(), static_cast<size_t>(n));
  if (error != nullptr) *error = n < 0 ? errno : 0;
  return out;
}
void reset(Fd& fd) {
  const linger now{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd.reset();
}

std::string pattern(size_t size, unsigned seed) {
  std::string out(size, '\0');
  uint64_t state = seed * 2654435761u + 1;
  for (char& c : out) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>(state >> 56);
  }
  return out;
}

TEST(PublishTcp, HalfCloseAndBothDirectionsAtOnce) {
  netns_test::run_isolated([] {
    World w;
    Fd listener = w.server(SOCK_STREAM);
    w.publish(SOCK_STREAM, to_server(listener));
    const std::string up = pattern(8 << 20, 1), down = pattern(5 << 20, 2);
    for (int round = 0; round < 3; ++round) {
      Fd client = w.connect(SOCK_STREAM);
      Fd served = accept(listener);
      std::thread upload([&] {
        send_all(client, up);
        ::shutdown(client.get(), SHUT_WR);
      });
      std::thread download([&] { send_all(served, down); });
      // The server hears the client's end while it still sends, and answers after it.
      std::string received;
      std::thread server([&] { received = receive_all(served); });
      std::string head(down.size(), '\0');
      ASSERT_EQ(::recv(client.get(), head.data(), head.size(), MSG_WAITALL), static_cast<ssize_t>(down.size()));
      EXPECT_TRUE(head == down);
      upload.join();
      download.join();
      server.join();
      EXPECT_TRUE(received == up);
      send_all(served, "after your end");
      served.reset();
      int error = 0;
      EXPECT_EQ(receive_all(client, &error), "after your end");
      EXPECT_EQ(error, 0);
    }
    EXPECT_TRUE(eventually([&] { return w.traffic->open == 0; }));
    EXPECT_EQ(w.traffic->total, 3u);
    EXPECT_EQ(w.traffic->sent, 3 * up.size());
    EXPECT_EQ(w.traffic->received, 3 * (down.size() + 14));
    EXPECT_TRUE(w.reasons().empty());
  });
}

TEST(PublishTcp, ASlowReaderSlowsTheWriterDown) {
  netns_test::run_isolated([] {
    World w;
    Fd listener = w.server(SOCK_STREAM);
    w.publish(SOCK_STREAM, to_server(listener));
    Fd client = w.connect(SOCK_STREAM);
    Fd served = accept(listener);
    base::ignore(base::set_nonblocking(client.get()), "a test's socket");
    const std::string block = pattern(1 << 20, 3);
    // Nobody reads: what fits into buffers is taken, and no more. 64 MiB is far above all of them.
    size_t taken = 0;
    pollfd writable{client.get(), POLLOUT, 0};
    while (taken < (64u << 20) && ::poll(&writable, 1, 300) > 0) {
      const ssize_t n = ::send(client.get(), block.data() + taken % block.size(), block.size() - taken % block.size(), MSG_NOSIGNAL);
      if (n > 0) taken += static_cast<size_t>(n);
    }
    EXPECT_LT(taken, 64u << 20);
    ::shutdown(client.get(), SHUT_WR);
    const std::string got = receive_all(served);
    ASSERT_EQ(got.size(), taken);
    for (size_t i = 0; i < got.size(); i += block.size()) {
      const size_t size = std::min(block.size(), got.size() - i);
      ASSERT_EQ(got.compare(i, size, block, 0, size), 0) << i;
    }
  });
}

TEST(PublishTcp, ResetsArePassedOn) {
  netns_test::run_isolated([] {
    World w;
    Fd listener = w.server(SOCK_STREAM);
    w.publish(SOCK_STREAM, to_server(listener));
    int error = 0;
    {  // By the server, after data.
      Fd client = w.connect(SOCK_STREAM);
      Fd served = accept(listener);
      send_all(served, "last words");
      char first[10];
      EXPECT_EQ(::recv(client.get(), first, 10, MSG_WAITALL), 10);
      reset(served);
      receive_all(client, &error);
      EXPECT_EQ(error, ECONNRESET);
    }
    {  // By the client.
      Fd client = w.connect(SOCK_STREAM);
      Fd served = accept(listener);
      reset(client);
      receive_all(served, &error);
      EXPECT_EQ(error, ECONNRESET);
    }
    {  // By a client that had ended its side, while the server says nothing.
      Fd client = w.connect(SOCK_STREAM);
      Fd served = accept(listener);
      send_all(client, "question");
      ::shutdown(client.get(), SHUT_WR);
      EXPECT_EQ(receive_all(served, &error), "question");
      EXPECT_EQ(error, 0);
      reset(client);
      EXPECT_TRUE(eventually([&] { return ::send(served.get(), "x", 1, MSG_NOSIGNAL) < 0; }));
    }
    {  // By a server that refuses what is still being sent: its answer comes through.
      Fd client = w.connect(SOCK_STREAM);
      Fd served = accept(listener);
      send_all(served, "too large");
      send_all(client, pattern(1000, 4));
      char first[4];
      EXPECT_EQ(::recv(served.get(), first, 4, MSG_WAITALL), 4);
      served.reset();  // With unread data: the kernel resets.
      EXPECT_EQ(receive_all(client, &error), "too large");
    }
    EXPECT_TRUE(eventually([&] { return w.traffic->open == 0; }));
  });
}

TEST(PublishTcp, WithoutADestinationClientsAreRefused) {
  netns_test::run_isolated([] {
    World w;
    Fd listener = w.server(SOCK_STREAM);
    w.publish(SOCK_STREAM, std::nullopt);
    for (int round = 0; round < 3; ++round) {
      int error = 0;
      w.connect(SOCK_STREAM, &error);
      EXPECT_EQ(error, ECONNREFUSED);
      // The port is ours all the same.
      EXPECT_FALSE(w.host().call([&] { return netns::make_tcp_listener(kLoopback, w.host_port, 1).ok(); }));
      w.lead_to(to_server(listener));
      Fd client = w.connect(SOCK_STREAM, &error);
      ASSERT_EQ(error, 0);
      Fd served = accept(listener);
      send_all(client, "hello");
      ::shutdown(client.get(), SHUT_WR);
      EXPECT_EQ(receive_all(served), "hello");
      // Connections that stand outlive their destination's name.
      w.lead_to(std::nullopt);
      send_all(served, "still here");
      served.reset();
      EXPECT_EQ(receive_all(client), "still here");
    }
  });
}

TEST(PublishTcp, ARefusalIsToldOnce) {
  netns_test::run_isolated([] {
    World w;
    Fd listener = w.server(SOCK_STREAM);
    const Destination to = to_server(listener);
    listener.reset();
    w.publish(SOCK_STREAM, to);
    const std::string want = to.text() + ": Connection refused";
    for (int i = 0; i < 3; ++i) {
      int error = 0;
      Fd client = w.connect(SOCK_STREAM);
      receive_all(client, &error);
      EXPECT_EQ(error, ECONNRESET);
    }
    EXPECT_EQ(w.reasons(), std::vector<std::string>{want});
    EXPECT_EQ(w.traffic->last_error(), want);
    EXPECT_EQ(w.traffic->failed, 3u);
    listener = w.servers().call([&] { return netns::make_tcp_listener(Ip(), to.port, 16); }).value();
    Fd client = w.connect(SOCK_STREAM);
    Fd served = accept(listener);
    EXPECT_TRUE(eventually([&] { return w.traffic->last_error().empty(); }));
  });
}

TEST(PublishTcp, ManyAtOnce) {
  netns_test::run_isolated([] {
    World w;
    Fd listener = w.server(SOCK_STREAM);
    server::publish::ForwarderLimits limits;
    limits.connections = 300;  // The rest wait in the listener's queue.
    w.publish(SOCK_STREAM, to_server(listener), limits);
    constexpr int kClients = 1000;
    std::vector<Fd> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(w.connect(SOCK_STREAM));
      send_all(clients.back(), "client " + std::to_string(i));
      ::shutdown(clients.back().get(), SHUT_WR);
    }
    std::thread server([&] {
      for (int i = 0; i < kClients; ++i) {
        Fd served = accept(listener);
        send_all(served, receive_all(served));
      }
    });
    for (int i = 0; i < kClients; ++i) EXPECT_EQ(receive_all(clients[static_cast<size_t>(i)]), "client " + std::to_string(i));
    server.join();
    EXPECT_EQ(w.traffic->total, static_cast<uint64_t>(kClients));
    EXPECT_TRUE(eventually([&] { return w.traffic->open == 0; }));
  });
}

TEST(PublishTcp, EndsWithConnectionsUnderWay) {
  netns_test::run_isolated([] {
    World w;
    Fd listener = w.server(SOCK_STREAM);
    w.publish(SOCK_STREAM, to_server(listener));
    std::vector<Fd> clients;
    for (int i = 0; i < 100; ++i) clients.push_back(w.connect(SOCK_STREAM));
    w.on_io([&] { w.forwarder.reset(); });
    EXPECT_EQ(w.traffic->open, 0u);
    for (Fd& client : clients) {
      int error = 0;
      receive_all(client, &error);
      EXPECT_EQ(error, ECONNRESET);
    }
  });
}

// Answers each datagram to its sender, until it gets "stop".
std::thread echo_datagrams(const Fd& fd, std::set<uint16_t>* senders) {
  return std::thread([&fd, senders] {
    std::vector<char> buffer(70000);
    for (;;) {
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      const ssize_t n = ::recvfrom(fd.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&peer), &size);
      if (n < 0 || std::string_view(buffer.data(), static_cast<size_t>(n)) == "stop") return;
      senders->insert(ntohs(peer.sin_port));
      ::sendto(fd.get(), buffer.data(), static_cast<size_t>(n), 0, reinterpret_cast<sockaddr*>(&peer), size);
    }
  });
}

std::string round_trip(const Fd& client, const std::string& data) {
  EXPECT_EQ(::send(client.get(), data.data(), data.size(), 0), static_cast<ssize_t>(data.size())) << std::strerror(errno);
  std::vector<char> buffer(70000);
  const ssize_t n = ::recv(client.get(), buffer.data(), buffer.size(), 0);
  return n < 0 ? std::string("error ") + std::strerror(errno) : std::string(buffer.data(), static_cast<size_t>(n));
}

TEST(PublishUdp, DatagramsOfEverySizeAndSessionsOfTheirOwn) {
  netns_test::run_isolated([] {
    World w;
    Fd server = w.server(SOCK_DGRAM);
    std::set<uint16_t> senders;
    std::thread echo = echo_datagrams(server, &senders);
    server::publish::ForwarderLimits limits;
    limits.udp_sessions = 3;
    w.publish(SOCK_DGRAM, to_server(server), limits);
    Fd first = w.connect(SOCK_DGRAM), second = w.connect(SOCK_DGRAM);
    for (size_t size : {0u, 1u, 512u, 1472u, 1473u, 9000u, 65507u}) {
      const std::string data = pattern(size, 5);
      EXPECT_TRUE(round_trip(first, data) == data) << size;
    }
    EXPECT_EQ(round_trip(second, "second"), "second");
    EXPECT_EQ(round_trip(first, "first again"), "first again");
    EXPECT_EQ(w.traffic->open, 2u);
    // Bounded: the quietest goes, and is a new session when it speaks again.
    Fd third = w.connect(SOCK_DGRAM), fourth = w.connect(SOCK_DGRAM);
    EXPECT_EQ(round_trip(third, "third"), "third");
    EXPECT_EQ(round_trip(fourth, "fourth"), "fourth");
    EXPECT_EQ(w.traffic->open, 3u);
    EXPECT_EQ(w.traffic->total, 4u);
    EXPECT_EQ(round_trip(second, "second again"), "second again");
    EXPECT_EQ(w.traffic->total, 5u);
    ::send(first.get(), "stop", 4, 0);
    echo.join();
    EXPECT_EQ(senders.size(), 5u);
  });
}

TEST(PublishUdp, QuietSessionsAreForgotten) {
  netns_test::run_isolated([] {
    World w;
    Fd server = w.server(SOCK_DGRAM);
    std::set<uint16_t> senders;
    std::thread echo = echo_datagrams(server, &senders);
    server::publish::ForwarderLimits limits;
    limits.udp_idle = std::chrono::milliseconds(50);
    w.publish(SOCK_DGRAM, to_server(server), limits);
    Fd client = w.connect(SOCK_DGRAM);
    EXPECT_EQ(round_trip(client, "a"), "a");
    EXPECT_TRUE(eventually([&] { return w.traffic->open == 0; }));
    EXPECT_EQ(round_trip(client, "b"), "b");
    // Another destination: a new session at once.
    Fd other = w.server(SOCK_DGRAM);
    std::set<uint16_t> other_senders;
    std::thread other_echo = echo_datagrams(other, &other_senders);
    w.lead_to(to_server(other));
    EXPECT_EQ(round_trip(client, "c"), "c");
    ::send(client.get(), "stop", 4, 0);
    other_echo.join();
    EXPECT_EQ(other_senders.size(), 1u);
    w.lead_to(to_server(server));
    ::send(client.get(), "stop", 4, 0);
    echo.join();
  });
}

TEST(PublishUdp, WhatNobodyTakesIsTold) {
  netns_test::run_isolated([] {
    World w;
    Fd server = w.server(SOCK_DGRAM);
    const Destination to = to_server(server);
    server.reset();
    w.publish(SOCK_DGRAM, to);
    Fd client = w.connect(SOCK_DGRAM);
    ::send(client.get(), "x", 1, 0);
    EXPECT_TRUE(eventually([&] { return w.traffic->last_error() == to.text() + ": Connection refused"; })) << w.traffic->last_error();
    // No way there at all: the socket cannot even be connected.
    w.lead_to(Destination{From::kFabric, Ip::v4(203, 0, 113, 1), 53});
    ::send(client.get(), "x", 1, 0);
    EXPECT_TRUE(eventually([&] { return w.traffic->last_error().find("203.0.113.1:53") == 0; })) << w.traffic->last_error();
    EXPECT_EQ(w.traffic->open, 0u);
  });
}

}  // namespace
