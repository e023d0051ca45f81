// UDP listeners: sessions, balance, changes of the table.
#include <set>

#include "server/gateway/l4/udp_front.h"
#include "tests/server/gateway/engine/rig.h"

namespace gateway_test {
namespace {

// Blocking, on a port of its own on 127.0.0.1; connected where `to` is given.
class Datagrams {
 public:
  explicit Datagrams(uint16_t to = 0) : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    socklen_t size = sizeof address;
    ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    address.sin_port = htons(to);
    if (to != 0) ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  bool send(std::string_view bytes) { return ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) >= 0; }
  // "(none)": the deadline has passed.
  std::string receive(int ms = kDeadlineMs) {
    pollfd p{fd_.get(), POLLIN, 0};
    if (::poll(&p, 1, ms) <= 0) return "(none)";
    char buffer[65536];
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    return n < 0 ? "(none)" : std::string(buffer, static_cast<size_t>(n));
  }
  std::string ask(std::string_view bytes) { return send(bytes) ? receive() : "(none)"; }
  int fd() const { return fd_.get(); }
  void close() { fd_.reset(); }
  uint16_t port = 0;

 private:
  base::Fd fd_;
};

// Answers "NAME PORT DATA", with the port that it was asked from; "stop" ends it.
class UdpEcho {
 public:
  explicit UdpEcho(std::string name) : name_(std::move(name)), thread_([this] { run(); }) {}
  ~UdpEcho() {
    Datagrams(socket_.port).send("stop");
    thread_.join();
  }
  uint16_t port() const { return socket_.port; }

 private:
  void run() {
    for (;;) {
      char buffer[65536];
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t n = ::recvfrom(socket_.fd(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 0) continue;
      const std::string got(buffer, static_cast<size_t>(n));
      if (got == "stop") return;
      const std::string out = got.size() > 1000 ? got : name_ + " " + std::to_string(ntohs(from.sin_port)) + " " + got;
      ::sendto(socket_.fd(), out.data(), out.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }
  Datagrams socket_;
  std::string name_;
  std::thread thread_;
};

TablePtr udp(std::vector<uint16_t> ports, milliseconds idle = std::chrono::minutes(1)) {
  return table({}, [&](Listener& listener) {
    listener.name = "udp";
    listener.protocol = Listener::Protocol::kUdp;
    listener.idle = idle;
    Backend backend;
    backend.upstream = upstream("u", std::move(ports));
    listener.backends.push_back(backend);
  });
}
std::string from_of(const std::string& answer) { return answer.substr(0, answer.rfind(' ')); }

TEST(Udp, clients_keep_their_endpoint_and_take_turns) {
  UdpEcho a("a"), b("b");
  Rig rig(udp({a.port(), b.port()}));
  std::multiset<char> seen;
  std::set<std::string> sessions;
  for (int i = 0; i < 10; ++i) {
    Datagrams client(rig.port("udp"));
    const std::string first = client.ask("one"), second = client.ask("two");
    EXPECT_EQ(first.substr(first.rfind(' ') + 1), "one");
    EXPECT_EQ(second.substr(second.rfind(' ') + 1), "two");
    EXPECT_EQ(from_of(first), from_of(second));
    seen.insert(first[0]);
    sessions.insert(from_of(first));
  }
  EXPECT_EQ(seen.count('a'), 5u);
  EXPECT_EQ(seen.count('b'), 5u);
  EXPECT_EQ(sessions.size(), 10u);
  EXPECT_EQ(rig.engine->stats().connections, 10u);
}

TEST(Udp, large_and_empty_datagrams) {
  UdpEcho a("a");
  Rig rig(udp({a.port()}));
  Datagrams client(rig.port("udp"));
  const std::string large(60'000, 'x');
  EXPECT_EQ(client.ask(large), large);
  const std::string empty = client.ask("");
  EXPECT_EQ(empty.back(), ' ');
}

TEST(Udp, a_change_of_the_table_cuts_only_those_whose_endpoint_is_gone) {
  UdpEcho a("a"), b("b"), c("c");
  Rig rig(udp({a.port(), b.port()}));
  Datagrams first(rig.port("udp")), second(rig.port("udp"));
  const std::string of_first = from_of(first.ask("x")), of_second = from_of(second.ask("x"));
  ASSERT_NE(of_first[0], of_second[0]);
  const bool first_has_a = of_first[0] == 'a';
  rig.publish(udp({a.port(), c.port()}));
  const std::string kept = from_of((first_has_a ? first : second).ask("x")), moved = from_of((first_has_a ? second : first).ask("x"));
  EXPECT_EQ(kept, first_has_a ? of_first : of_second);
  EXPECT_NE(moved[0], 'b');
}

TEST(Udp, silence_ends_a_session) {
  UdpEcho a("a");
  Rig rig(udp({a.port()}, milliseconds(50)));
  Datagrams client(rig.port("udp"));
  EXPECT_EQ(client.ask("x")[0], 'a');
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kDeadlineMs);
  while (rig.engine->stats().connections != 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_EQ(rig.engine->stats().connections, 0u);
  EXPECT_EQ(client.ask("x")[0], 'a');
}

TEST(Udp, an_endpoint_where_nobody_listens_is_left) {
  Datagrams nobody;
  const uint16_t closed = nobody.port;
  nobody.close();
  UdpEcho b("b");
  Rig rig(udp({closed, b.port()}));
  Datagrams client(rig.port("udp"));
  std::string answer;
  for (int i = 0; i < 100 && answer.empty(); ++i) {
    client.send("x");
    answer = client.receive(100);
    if (answer == "(none)") answer.clear();
  }
  EXPECT_EQ(answer.substr(0, 1), "b");
}

TEST(Udp, without_endpoints_datagrams_are_lost_and_nothing_is_kept) {
  Rig rig(udp({}));
  Datagrams client(rig.port("udp"));
  client.send("x");
  UdpEcho a("a");
  rig.publish(udp({a.port()}));
  std::string answer;
  for (int i = 0; i < 100 && answer.substr(0, 1) != "a"; ++i) {
    client.send("y");
    answer = client.receive(100);
  }
  EXPECT_EQ(answer.back(), 'y');
}

TEST(Udp, a_listener_that_goes_lets_sessions_end) {
  UdpEcho a("a");
  Rig rig(udp({a.port()}));
  Datagrams client(rig.port("udp"));
  const std::string session = from_of(client.ask("x"));
  rig.publish(table({}));
  EXPECT_EQ(from_of(client.ask("x")), session);
  EXPECT_EQ(rig.engine->ports().count("udp"), 0u);
}

TEST(Udp, too_many_sessions_push_out_the_most_silent) {
  UdpEcho a("a");
  EngineOptions options;
  options.udp_sessions = 3;
  Rig rig(udp({a.port()}), std::move(options));
  Datagrams first(rig.port("udp")), second(rig.port("udp")), third(rig.port("udp")), fourth(rig.port("udp"));
  const std::string of_first = from_of(first.ask("x")), of_second = from_of(second.ask("x"));
  third.ask("x");
  first.ask("x");
  EXPECT_EQ(from_of(fourth.ask("x")).substr(0, 1), "a");
  EXPECT_EQ(rig.engine->stats().connections, 3u);
  EXPECT_EQ(from_of(first.ask("x")), of_first);
  EXPECT_EQ(rig.engine->stats().accepted, 4u);
  second.ask("x");
  EXPECT_EQ(rig.engine->stats().accepted, 5u) << "it had been pushed out";
}

}  // namespace
}  // namespace gateway_test
