// What must live through changes of the table: upgraded connections, answers that stream, and every request while endpoints roll.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <future>
#include <iostream>
#include <thread>

#include "server/gateway/engine/engine.h"
#include "tests/server/gateway/differential/echo_backend.h"

namespace conformance {
namespace {

using namespace server::gateway;
using differential::EchoBackend;

// A client's connection that is kept.
class Client {
 public:
  explicit Client(uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fd_.reset();
  }
  bool send(const std::string& bytes) { return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()); }
  // Up to and with `mark`; empty: it did not come.
  std::string read_until(const std::string& mark) {
    while (in_.find(mark) == std::string::npos) {
      if (!fill()) return "";
    }
    return take(in_.find(mark) + mark.size());
  }
  // The status of a whole answer with a length; 0: none came.
  int ask(const std::string& bytes) {
    if (!send(bytes)) return 0;
    std::string head = read_until("\r\n\r\n");
    size_t at = head.find("Content-Length: ");
    if (at == std::string::npos) return 0;
    over = head.find("Connection: close") != std::string::npos;
    size_t size = std::strtoul(head.c_str() + at + 16, nullptr, 10);
    while (in_.size() < size) {
      if (!fill()) return 0;
    }
    take(size);
    return std::atoi(head.c_str() + 9);
  }
  bool over = false;  // The last answer said so: after a thousand requests it does.

 private:
  bool fill() {
    pollfd p{fd_.get(), POLLIN, 0};
    char buffer[16384];
    if (::poll(&p, 1, 10'000) <= 0) return false;
    ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n > 0) in_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }
  std::string take(size_t n) {
    std::string out = in_.substr(0, n);
    in_.erase(0, n);
    return out;
  }
  base::Fd fd_;
  std::string in_;
};

Route route_to(const std::string& path, const std::string& name, const std::vector<uint16_t>& ports) {
  auto upstream = std::make_shared<Upstream>();
  upstream->name = name;
  for (uint16_t port : ports) upstream->endpoints.push_back({base::Ip::v4(127, 0, 0, 1), port, std::to_string(port)});
  Forward forward;
  Backend backend;
  backend.upstream = upstream;
  forward.backends.push_back(std::move(backend));
  Route out;
  out.match.path = {PathKind::kPrefix, path, nullptr};
  out.policy = std::make_shared<Policy>();
  out.action = std::move(forward);
  return out;
}

TablePtr table_of(std::vector<Route> routes, const std::string& host = "") {
  auto listener = std::make_shared<Listener>();
  listener->name = "http";
  VirtualHost any;
  any.name = host;
  any.routes = std::move(routes);
  listener->hosts.push_back(std::move(any));
  auto out = std::make_shared<Table>();
  out->listeners.push_back(listener);
  return out;
}

class Gateway {
 public:
  explicit Gateway(TablePtr first, int threads = 1) {
    EngineOptions options;
    options.threads = threads;
    options.addresses = {base::Ip::v4(127, 0, 0, 1)};
    options.ephemeral_ports = true;
    engine = Engine::start(std::move(options)).value();
    publish(std::move(first));
  }
  void publish(TablePtr table) {
    std::promise<std::vector<std::string>> done;
    engine->publish(std::move(table), [&](std::vector<std::string> problems) { done.set_value(std::move(problems)); });
    EXPECT_EQ(done.get_future().get(), std::vector<std::string>());
  }
  uint16_t port() const { return engine->ports().at("http"); }
  std::unique_ptr<Engine> engine;
};

std::string get(const std::string& target, const std::string& more = "") { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n"; }

// Of a hundred changes some are of other routes, some of the endpoints, some take the very route away.
TEST(Changes, websockets_and_streams_are_not_cut) {
  EchoBackend backend, other;
  Gateway gateway(table_of({route_to("/", "u", {backend.port()})}));
  Client socket(gateway.port()), stream(gateway.port());
  socket.send(get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  ASSERT_NE(socket.read_until(" 101 "), "");
  ASSERT_NE(socket.read_until("\r\n\r\nGET /ws HTTP/1.1"), "");
  ASSERT_NE(socket.read_until("\r\n\r\n"), "");
  stream.send(get("/?do=ticks"));
  ASSERT_NE(stream.read_until("\r\n\r\n"), "");
  for (int i = 1; i <= 100; ++i) {
    std::vector<Route> routes;
    if (i % 10 != 0) routes.push_back(route_to("/", "u", i % 3 == 0 ? std::vector<uint16_t>{other.port()} : std::vector<uint16_t>{backend.port(), other.port()}));
    for (int k = 0; k < i % 7; ++k) routes.push_back(route_to("/more" + std::to_string(k), "more", {other.port()}));
    gateway.publish(table_of(std::move(routes), i % 20 == 0 ? "elsewhere" : ""));
    backend.tick();
    std::string line = "tick " + std::to_string(i) + "\n", word = "ping " + std::to_string(i) + ".";
    ASSERT_NE(stream.read_until(line), "") << i;
    ASSERT_TRUE(socket.send(word));
    ASSERT_NE(socket.read_until(word), "") << i;
    // And the change counts for what is new: without a route there is none.
    if (i % 10 == 0) EXPECT_EQ(Client(gateway.port()).ask(get("/x")), 404) << i;
  }
}

// Pods are replaced one by one under load: made, put into the table, the old one out of it, and then ended. `graceful`: once all that was
// begun before is answered, as a pod ends that has a grace period; else at once, and then only what may be asked twice is asked.
void roll(int threads, int rolls, bool graceful) {
  constexpr int kClients = 8;
  std::vector<std::unique_ptr<EchoBackend>> pods;
  for (int i = 0; i < 3; ++i) pods.push_back(std::make_unique<EchoBackend>());
  auto table = [&] {
    std::vector<uint16_t> ports;
    for (auto& pod : pods) ports.push_back(pod->port());
    return table_of({route_to("/", "u", ports)});
  };
  Gateway gateway(table(), threads);
  std::atomic<bool> over{false};
  std::array<std::atomic<int>, kClients> asked{};
  std::atomic<int> failed{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&, i] {
      Client client(gateway.port());
      while (!over) {
        bool posts = graceful && i % 2 == 1;
        int status = client.ask(posts ? "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody" : get("/x"));
        ++asked[i];
        if (status != 200) {
          ++failed;
          std::cout << "   " << (posts ? "POST" : "GET") << " got " << status << "\n";
        }
        if (status != 200 || client.over) client = Client(gateway.port());
      }
    });
  }
  // Until each client has begun and ended so many requests more.
  auto await = [&](int more) {
    std::array<int, kClients> before;
    for (int i = 0; i < kClients; ++i) before[i] = asked[i];
    for (int i = 0; i < kClients; ++i) {
      while (asked[i] < before[i] + more) std::this_thread::yield();
    }
  };
  for (int i = 0; i < rolls; ++i) {
    pods.push_back(std::make_unique<EchoBackend>());
    gateway.publish(table());
    std::unique_ptr<EchoBackend> old = std::move(pods.front());
    pods.erase(pods.begin());
    gateway.publish(table());
    if (graceful) await(2);
    old.reset();
    await(5);  // The new one is really used before the next goes.
  }
  over = true;
  for (std::thread& t : clients) t.join();
  int all = 0;
  for (const std::atomic<int>& one : asked) all += one;
  EXPECT_EQ(failed, 0) << "of " << all;
  std::cout << "   " << all << " requests while " << rolls << " endpoints were replaced\n";
}

TEST(Changes, no_request_fails_while_endpoints_roll) { roll(1, 40, true); }
TEST(Changes, no_request_fails_while_endpoints_roll_with_two_loops) { roll(2, 40, true); }
TEST(Changes, what_can_be_asked_twice_outlives_endpoints_that_end_at_once) { roll(1, 40, false); }

}  // namespace
}  // namespace conformance
