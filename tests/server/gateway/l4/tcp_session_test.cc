// TCP that is passed on: ends, resets, slow sides, limits.
#include "server/gateway/l4/passthrough.h"
#include "store/base/loop.h"
#include "tests/server/gateway/engine/rig.h"

namespace gateway_test {
namespace {

TablePtr tcp(std::vector<uint16_t> ports, milliseconds idle = std::chrono::minutes(1)) {
  return table({}, [&](Listener& listener) {
    listener.name = "tcp";
    listener.protocol = Listener::Protocol::kTcp;
    listener.idle = idle;
    Backend backend;
    backend.upstream = upstream("u", std::move(ports));
    listener.backends.push_back(backend);
  });
}

bool becomes(const std::function<bool()>& what) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kDeadlineMs);
  while (!what() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  return what();
}

TEST(TcpSession, each_direction_ends_for_itself) {
  FakeEndpoint endpoint([](Wire& w) {
    const std::string all = w.read_to_end();  // The client's end, and only then:
    w.send("got " + all);
  });
  FakeEndpoint early([](Wire& w) {
    w.send("bye");
    w.end_sending();
    w.read_to_end();
    w.reset();
  });
  Rig rig(tcp({endpoint.port()}));
  Wire client = rig.connect("tcp");
  client.send("hello");
  client.end_sending();
  EXPECT_EQ(client.read_to_end(), "got hello");
  EXPECT_FALSE(client.was_reset());
  rig.publish(tcp({early.port()}));
  Wire other = rig.connect("tcp");
  EXPECT_EQ(other.read_to_end(), "bye");
  EXPECT_FALSE(other.was_reset());
  EXPECT_TRUE(other.send("still"));
  other.end_sending();
  EXPECT_TRUE(becomes([&] { return rig.engine->stats().connections == 0; }));
}

TEST(TcpSession, resets_go_through) {
  std::promise<bool> was_reset;
  FakeEndpoint endpoint([&](Wire& w) {
    if (w.read_exactly(1) == "r") return w.reset();
    w.read_to_end();
    was_reset.set_value(w.was_reset());
  });
  Rig rig(tcp({endpoint.port()}));
  Wire client = rig.connect("tcp");
  client.send("r");
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_TRUE(client.was_reset());
  Wire other = rig.connect("tcp");
  other.send("x");
  EXPECT_TRUE(becomes([&] { return endpoint.accepted() == 2; }));
  other.reset();
  auto seen = was_reset.get_future();
  ASSERT_EQ(seen.wait_for(std::chrono::milliseconds(kDeadlineMs)), std::future_status::ready);
  EXPECT_TRUE(seen.get());
}

// More than all buffers on the way hold, to a side that reads late: nothing is lost, and the sender had to wait.
TEST(TcpSession, a_slow_side_slows_the_other) {
  const std::string body(64 << 20, 'b');
  std::atomic<bool> sent{false};
  FakeEndpoint endpoint([&](Wire& w) {
    w.send(body);
    sent = true;
    w.end_sending();
    w.read_to_end();
  });
  Rig rig(tcp({endpoint.port()}));
  Wire client = rig.connect("tcp");
  EXPECT_EQ(client.read_exactly(1), "b");
  EXPECT_FALSE(sent);
  EXPECT_EQ(client.read_to_end().size(), body.size() - 1);
  EXPECT_TRUE(sent);
}

TEST(TcpSession, without_endpoints_the_client_is_reset) {
  Rig rig(tcp({}));
  Wire client = rig.connect("tcp");
  client.read_to_end();
  EXPECT_TRUE(client.was_reset());
}

TEST(TcpSession, too_many_are_refused_and_the_others_stay) {
  FakeEndpoint endpoint([](Wire& w) {
    for (std::string one; !(one = w.read_exactly(1)).empty();) w.send(one);
  });
  EngineOptions options;
  options.tcp_sessions = 2;
  Rig rig(tcp({endpoint.port()}), std::move(options));
  Wire a = rig.connect("tcp");
  EXPECT_EQ((a.send("a"), a.read_exactly(1)), "a");
  {
    Wire b = rig.connect("tcp");
    EXPECT_EQ((b.send("b"), b.read_exactly(1)), "b");
    Wire c = rig.connect("tcp");
    c.read_to_end();
    EXPECT_TRUE(c.was_reset());
    EXPECT_EQ(rig.engine->stats().refused, 1u);
    EXPECT_EQ((b.send("b"), b.read_exactly(1)), "b");
  }
  EXPECT_TRUE(becomes([&] { return rig.engine->stats().connections == 1; }));
  Wire d = rig.connect("tcp");
  EXPECT_EQ((d.send("d"), d.read_exactly(1)), "d");
  EXPECT_EQ((a.send("a"), a.read_exactly(1)), "a");
}

TEST(TcpSession, draining_lets_it_finish) {
  FakeEndpoint endpoint([](Wire& w) {
    for (std::string one; !(one = w.read_exactly(1)).empty();) w.send(one);
  });
  Rig rig(tcp({endpoint.port()}));
  Wire client = rig.connect("tcp");
  EXPECT_EQ((client.send("a"), client.read_exactly(1)), "a");
  std::promise<void> drained;
  rig.engine->drain([&] { drained.set_value(); });
  EXPECT_TRUE(becomes([&] { return !rig.connect("tcp").connected(); }));
  EXPECT_EQ((client.send("b"), client.read_exactly(1)), "b");
  client.end_sending();
  EXPECT_EQ(client.read_to_end(), "");
  EXPECT_FALSE(client.was_reset());
  EXPECT_EQ(drained.get_future().wait_for(std::chrono::milliseconds(kDeadlineMs)), std::future_status::ready);
}

TEST(TcpSession, draining_ends_it_at_last) {
  FakeEndpoint endpoint([](Wire& w) { w.read_to_end(); });
  struct Host final : TcpSession::Host {
    void on_session_over(TcpSession&) override {
      bury(std::move(session));
      over.set_value();
    }
    std::unique_ptr<TcpSession> session;
    std::promise<void> over;
  } host;
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
  Wire client{base::Fd(pair[0])};
  base::Loop loop("test");
  std::unique_ptr<Deadlines> deadlines;
  loop.call([&] {
    Socket::Turn turn;
    deadlines = std::make_unique<Deadlines>(loop);
    host.session = std::make_unique<TcpSession>(loop, *deadlines, host, base::Fd(pair[1]), ClientInfo(), upstream("u", {endpoint.port()}), std::make_shared<UpstreamState>(), std::chrono::minutes(1));
    host.session->begin();
    host.session->drain(std::chrono::milliseconds(30));
  });
  EXPECT_EQ(host.over.get_future().wait_for(std::chrono::milliseconds(kDeadlineMs)), std::future_status::ready);
  loop.call([&] { deadlines.reset(); });
}

}  // namespace
}  // namespace gateway_test
