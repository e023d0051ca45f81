// The server on 127.0.0.1: UDP, TCP, many at once, clients that misbehave, and dig where it is installed.
#include "server/dns/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <future>

#include "tests/server/dns/messages.h"
#include "tests/server/proxy/fake_loop.h"
#include "tests/server/proxy/objects.h"

namespace {

using base::Fd;
using dns_test::Response;

sockaddr_in local(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

Fd open_socket(int type) { return Fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0)); }

// TCP and UDP on one free port.
uint16_t bind_pair(server::DnsSockets& sockets) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    Fd tcp = open_socket(SOCK_STREAM), udp = open_socket(SOCK_DGRAM);
    sockaddr_in address = local(0);
    socklen_t size = sizeof address;
    if (::bind(tcp.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(tcp.get(), 64) != 0) continue;
    ::getsockname(tcp.get(), reinterpret_cast<sockaddr*>(&address), &size);
    if (::bind(udp.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) continue;
    sockets.tcp = std::move(tcp);
    sockets.udp = std::move(udp);
    return ntohs(address.sin_port);
  }
  return 0;
}

// A zone with one service, served as in the product.
struct Fixture {
  Fixture() : io("dns-test") {
    std::vector<server::DnsSockets> sockets(1);
    port = bind_pair(sockets[0]);
    dns = server::make_dns(loop, services, io, std::move(sockets), {});
    loop.put("namespaces", "", "default", nlohmann::json::object());
    loop.put("services", "default", "web", proxy_test::service_tree("10.96.1.1", R"([{"name":"http","port":80}])"));
    loop.put("services", "default", "big", proxy_test::service_tree("None", "[]"));
    std::vector<std::string> many;
    for (int i = 1; i <= 200; ++i) many.push_back("10.244.3." + std::to_string(i));
    loop.put("endpointslices.discovery.k8s.io", "default", "big-1", proxy_test::slice_tree("big", many, "[]"));
    settle();
  }
  void settle() {
    loop.run_until_idle();
    std::promise<void> reached;
    io.post([&] { reached.set_value(); });
    reached.get_future().wait();
  }

  proxy_test::FakeLoop loop;
  server::ServiceFeed services{loop};
  base::Loop io;
  uint16_t port = 0;
  std::unique_ptr<server::Dns> dns;
};

Fd connect_to(uint16_t port, int type) {
  Fd fd = open_socket(type);
  sockaddr_in address = local(port);
  timeval limit{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

Response ask_udp(uint16_t port, const std::string& name) {
  Fd fd = connect_to(port, SOCK_DGRAM);
  const std::string message = dns_test::query({name});
  EXPECT_EQ(::send(fd.get(), message.data(), message.size(), 0), static_cast<ssize_t>(message.size()));
  char buffer[2048];
  const ssize_t size = ::recv(fd.get(), buffer, sizeof buffer, 0);
  return dns_test::parse(std::string(buffer, static_cast<size_t>(std::max<ssize_t>(size, 0))));
}

bool receive_exactly(int fd, std::string& out, size_t size) {
  out.resize(size);
  for (size_t at = 0; at < size;) {
    const ssize_t got = ::recv(fd, out.data() + at, size - at, 0);
    if (got <= 0) return false;
    at += static_cast<size_t>(got);
  }
  return true;
}
Response receive_tcp(int fd) {
  std::string head, body;
  if (!receive_exactly(fd, head, 2)) return {};
  receive_exactly(fd, body, static_cast<size_t>(static_cast<uint8_t>(head[0]) << 8 | static_cast<uint8_t>(head[1])));
  return dns_test::parse(body);
}
std::string framed(const std::string& message) { return dns_test::u16(static_cast<unsigned>(message.size())) + message; }

TEST(DnsServer, udp_and_changes) {
  Fixture f;
  const Response got = ask_udp(f.port, "web.default.svc.cluster.local.");
  EXPECT_TRUE(got.ok);
  EXPECT_EQ(got.id, 0x1234);
  EXPECT_EQ(got.answers, (std::vector<std::string>{"web.default.svc.cluster.local. 5 A 10.96.1.1"}));
  EXPECT_TRUE(ask_udp(f.port, "big.default.svc.cluster.local.").tc);
  EXPECT_EQ(ask_udp(f.port, "late.default.svc.cluster.local.").rcode, 3);
  f.loop.put("services", "default", "late", proxy_test::service_tree("10.96.1.9", "[]"));
  f.loop.put("services", "default", "web", nullptr);
  f.settle();
  EXPECT_EQ(ask_udp(f.port, "late.default.svc.cluster.local.").answers.size(), 1u);
  EXPECT_EQ(ask_udp(f.port, "web.default.svc.cluster.local.").rcode, 3);
}

TEST(DnsServer, tcp_pipelined_and_in_pieces) {
  Fixture f;
  Fd fd = connect_to(f.port, SOCK_STREAM);
  const std::string one = framed(dns_test::query({"big.default.svc.cluster.local."}));
  std::string all;
  constexpr int kQueries = 100;
  for (int i = 0; i < kQueries; ++i) all += one;
  // The last one comes byte by byte.
  ASSERT_TRUE(base::write_all(fd.get(), all.data(), all.size() - one.size()).ok());
  for (char c : one) ASSERT_TRUE(base::write_all(fd.get(), &c, 1).ok());
  for (int i = 0; i < kQueries; ++i) {
    const Response got = receive_tcp(fd.get());
    ASSERT_TRUE(got.ok) << i;
    ASSERT_EQ(got.answers.size(), 200u);
  }
  // A client that is done sending still gets its answer, then the end.
  ASSERT_TRUE(base::write_all(fd.get(), one.data(), one.size()).ok());
  ::shutdown(fd.get(), SHUT_WR);
  EXPECT_EQ(receive_tcp(fd.get()).answers.size(), 200u);
  char byte;
  EXPECT_EQ(::recv(fd.get(), &byte, 1, 0), 0);
}

TEST(DnsServer, a_client_that_never_reads_does_not_stop_others) {
  Fixture f;
  Fd greedy = connect_to(f.port, SOCK_STREAM);
  ASSERT_TRUE(base::set_nonblocking(greedy.get()).ok());
  std::string many;
  for (int i = 0; i < 200; ++i) many += framed(dns_test::query({"big.default.svc.cluster.local."}));
  size_t sent = 0;
  // Until both socket buffers are full: then the server has stopped reading.
  for (int quiet = 0; quiet < 20 && sent < (64u << 20);) {
    const ssize_t size = ::send(greedy.get(), many.data(), many.size(), MSG_NOSIGNAL);
    if (size > 0) {
      sent += static_cast<size_t>(size);
      quiet = 0;
      continue;
    }
    pollfd fd{greedy.get(), POLLOUT, 0};
    quiet += ::poll(&fd, 1, 10) == 0;
  }
  EXPECT_LT(sent, 64u << 20);
  EXPECT_TRUE(ask_udp(f.port, "web.default.svc.cluster.local.").ok);
}

TEST(DnsServer, bad_lengths_and_garbage_close_only_their_connection) {
  Fixture f;
  Fd liar = connect_to(f.port, SOCK_STREAM);
  ASSERT_TRUE(base::write_all(liar.get(),
                              "\xff\xff"
                              "abc",
                              5)
                  .ok());
  char byte;
  EXPECT_EQ(::recv(liar.get(), &byte, 1, 0), 0);
  Fd garbage = connect_to(f.port, SOCK_DGRAM);
  for (const char* text : {"", "x", "hello, is this a web server? GET / HTTP/1.1"}) ::send(garbage.get(), text, std::strlen(text), 0);
  EXPECT_TRUE(ask_udp(f.port, "web.default.svc.cluster.local.").ok);
}

TEST(DnsServer, idle_and_surplus_connections_are_closed) {
  base::Loop io("dns-test");
  server::DnsSockets sockets;
  const uint16_t port = bind_pair(sockets);
  auto held = std::make_shared<server::DnsSockets>(std::move(sockets));
  std::unique_ptr<server::dns::Server> server;
  io.post([&, held] {
    server::dns::ServerLimits limits;
    limits.connections = 2;
    limits.idle = std::chrono::milliseconds(50);
    server = std::make_unique<server::dns::Server>(
        io, std::move(*held), [](const server::dns::Query&) { return server::dns::Answer{}; }, limits);
  });
  std::vector<Fd> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(connect_to(port, SOCK_STREAM));
  for (Fd& client : clients) {
    char byte;
    EXPECT_EQ(::recv(client.get(), &byte, 1, 0), 0);
  }
  std::promise<void> gone;
  io.post([&] {
    server.reset();
    gone.set_value();
  });
  gone.get_future().wait();
}

TEST(DnsServer, dig_agrees) {
  if (std::system("command -v dig >/dev/null 2>&1") != 0) GTEST_SKIP() << "dig is not installed";
  Fixture f;
  auto dig = [&](const std::string& args) {
    const std::string command = "dig @127.0.0.1 -p " + std::to_string(f.port) + " +tries=1 +time=5 " + args + " 2>&1";
    std::string out;
    FILE* pipe = ::popen(command.c_str(), "r");
    char buffer[512];
    while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) out += buffer;
    ::pclose(pipe);
    return out;
  };
  EXPECT_EQ(dig("+short web.default.svc.cluster.local"), "10.96.1.1\n");
  EXPECT_EQ(dig("+short +tcp _http._tcp.web.default.svc.cluster.local SRV"), "0 100 80 web.default.svc.cluster.local.\n");
  EXPECT_EQ(dig("+short -x 10.96.1.1"), "web.default.svc.cluster.local.\n");
  const std::string big = dig("big.default.svc.cluster.local");  // Truncated, then over TCP.
  EXPECT_NE(big.find("ANSWER: 200"), std::string::npos) << big;
  EXPECT_NE(big.find("flags: qr aa rd;"), std::string::npos) << big;
  const std::string outside = dig("example.com");
  EXPECT_NE(outside.find("status: SERVFAIL"), std::string::npos) << outside;
  EXPECT_NE(outside.find("EDE: 22"), std::string::npos) << outside;
  EXPECT_EQ(outside.find("Warning"), std::string::npos) << outside;
}

}  // namespace
