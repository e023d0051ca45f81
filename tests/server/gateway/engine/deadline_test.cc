// What happens when time runs out.
#include "tests/server/gateway/engine/rig.h"

namespace gateway_test {
namespace {

// The endpoint may have begun to act on it, and may only be slow.
TEST(Deadline, what_was_sent_is_not_sent_again_unless_that_does_no_harm) {
  std::promise<void> over;
  std::shared_future<void> wait = over.get_future();
  std::atomic<int> posts{0}, gets{0};
  FakeEndpoint endpoint([&, wait](Wire& w) {
    Wire::Message m = w.read_message();
    if (m.head.empty()) return;
    ++(m.head.rfind("POST", 0) == 0 ? posts : gets);
    wait.wait();
  });
  Forward to = forward_to(upstream("u", {endpoint.port()}));
  to.timeouts.read = milliseconds(50);
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", to)})}));
  EXPECT_EQ(rig.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").status(), 504);
  EXPECT_EQ(posts, 1);
  EXPECT_EQ(rig.ask(get("/")).status(), 504);
  EXPECT_EQ(gets, 3);
  over.set_value();
}

// The endpoint's answer is let go of, with whatever of it still comes.
TEST(Deadline, a_request_that_takes_too_long_is_cut_in_the_middle_of_its_answer) {
  std::promise<bool> ended;
  FakeEndpoint endpoint([&](Wire& w) {
    w.read_message();
    w.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    // Without the gateway's hanging up this would go on for minutes.
    bool going = true;
    for (int i = 0; i < 10'000 && going; ++i) {
      going = w.send("1\r\nx\r\n");
      pollfd p{w.fd(), POLLIN, 0};
      if (::poll(&p, 1, 5) > 0) going = false;
    }
    ended.set_value(!going);
  });
  Forward to = forward_to(upstream("u", {endpoint.port()}));
  to.timeouts.request = milliseconds(100);
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", to), route(PathKind::kPrefix, "/alive", Reply{200, "text/plain", "yes"})})}));
  Wire client = rig.connect();
  client.send(get("/"));
  std::string all = client.read_to_end();
  EXPECT_NE(all.find("200 OK"), std::string::npos);
  EXPECT_EQ(all.find("\r\n0\r\n\r\n"), std::string::npos);
  auto future = ended.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(future.get());
  EXPECT_EQ(rig.ask(get("/alive")).body, "yes");
}

}  // namespace
}  // namespace gateway_test
