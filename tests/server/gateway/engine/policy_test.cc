// Rules of a route that take more than one part of the engine.
#include "server/gateway/policy/template.h"
#include "tests/server/gateway/engine/rig.h"

namespace gateway_test {
namespace {

TEST(Policy, a_default_backend_gets_the_request_as_it_is) {
  FakeEndpoint endpoint(echo);
  Forward to = forward_to(upstream("empty", {}));
  to.fallback = upstream("fallback", {endpoint.port()});
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", to)})}));
  Wire::Message m = rig.ask("POST /x?y HTTP/1.1\r\nHost: a\r\nAccept: text/css\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(m.status(), 200);
  EXPECT_EQ(m.body.substr(0, m.body.find("\r\n")), "POST /x?y HTTP/1.1");
  EXPECT_EQ(m.body.substr(m.body.size() - 6), "\r\n\r\nhi") << m.body;
  EXPECT_NE(m.body.find("\r\nX-Code: 503\r\n"), std::string::npos) << m.body;
  EXPECT_NE(m.body.find("\r\nX-Format: text/css\r\n"), std::string::npos) << m.body;
  EXPECT_EQ(m.body.find("X-Original-URI"), std::string::npos) << m.body;
}

TEST(Policy, an_error_page_is_asked_for_in_place_of_the_answer) {
  FakeEndpoint broken([](Wire& w) { while (!w.read_message().head.empty()) w.send("HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nbad"); });
  FakeEndpoint pages(echo);
  Forward to = forward_to(upstream("broken", {broken.port()}));
  to.error_pages = ErrorPages{{500, 503}, upstream("pages", {pages.port()})};
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", to)})}));
  Wire::Message m = rig.ask(get("/x?y"));
  EXPECT_EQ(m.body.substr(0, m.body.find("\r\n")), "GET / HTTP/1.1");
  EXPECT_NE(m.body.find("\r\nX-Code: 500\r\n"), std::string::npos) << m.body;
  EXPECT_NE(m.body.find("\r\nX-Original-URI: /x?y\r\n"), std::string::npos) << m.body;
}

// nginx's add_header leaves errors alone.
TEST(Policy, cookies_of_the_auth_service_go_with_answers_that_are_no_errors) {
  FakeEndpoint endpoint([](Wire& w) {
    for (Wire::Message m; !(m = w.read_message()).head.empty();) w.send(m.head.find("/bad") != std::string::npos ? "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n" : ok("x"));
  });
  FakeEndpoint auth([](Wire& w) { while (!w.read_message().head.empty()) w.send(ok("", "Set-Cookie: a=b\r\n")); });
  Policy policy;
  auto external = std::make_shared<ExternalAuth>();
  external->url = *Template::parse("http://auth.example/check");
  external->upstream = upstream("auth", {auth.port()});
  policy.external = external;
  auto always = std::make_shared<ExternalAuth>(*external);
  always->always_set_cookie = true;
  Policy always_policy;
  always_policy.external = always;
  Forward to = forward_to(upstream("u", {endpoint.port()}));
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", to, policy), route(PathKind::kPrefix, "/always", to, always_policy)})}));
  EXPECT_EQ(rig.ask(get("/good")).header("Set-Cookie"), "a=b");
  EXPECT_EQ(rig.ask(get("/bad")).header("Set-Cookie"), "-");
  EXPECT_EQ(rig.ask(get("/always/bad")).header("Set-Cookie"), "a=b");
}

// proxy-buffering: more than the kernel's buffers hold is taken off the endpoint while the client reads nothing.
TEST(Policy, a_buffered_answer_does_not_wait_for_its_client) {
  const std::string body(48 << 20, 'b');
  std::promise<bool> sent;
  FakeEndpoint endpoint([&](Wire& w) {
    w.read_message();
    sent.set_value(w.send(ok(body)));
    w.read_to_end();
  });
  Forward to = forward_to(upstream("u", {endpoint.port()}));
  to.buffer_response = true;
  to.response_buffers = 64 << 20;
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", to)})}));
  Wire client = Wire::connect(rig.port());
  client.send(get("/"));
  std::future<bool> done = sent.get_future();
  ASSERT_EQ(done.wait_for(std::chrono::milliseconds(kDeadlineMs)), std::future_status::ready);
  EXPECT_TRUE(done.get());
  Wire::Message m = client.read_message();
  EXPECT_TRUE(m.body == body) << m.body.size();
}

TEST(Tcp, bytes_pass_and_the_endpoint_learns_who_called_whom) {
  FakeEndpoint endpoint([](Wire& w) {
    std::string line = w.read_until("\r\n");
    w.send(line);
    w.send(w.read_to_end());
  });
  Rig rig(table({}, [&](Listener& listener) {
    listener.protocol = Listener::Protocol::kTcp;
    auto to = std::make_shared<Upstream>(*upstream("tcp", {endpoint.port()}));
    to->send_proxy_protocol = 1;
    Backend backend;
    backend.upstream = to;
    listener.backends.push_back(backend);
  }));
  Wire client = rig.connect();
  sockaddr_in own{};
  socklen_t size = sizeof own;
  ::getsockname(client.fd(), reinterpret_cast<sockaddr*>(&own), &size);
  client.send("hello");
  client.end_sending();
  EXPECT_EQ(client.read_to_end(), "PROXY TCP4 127.0.0.1 127.0.0.1 " + std::to_string(ntohs(own.sin_port)) + " " + std::to_string(rig.port()) + "\r\nhello");
}

TEST(Tcp, backends_get_their_shares) {
  std::atomic<int> first{0}, second{0};
  FakeEndpoint a([&](Wire& w) { ++first; w.send("a"); });
  FakeEndpoint b([&](Wire& w) { ++second; w.send("b"); });
  EngineOptions options;
  options.threads = 2;
  Rig rig(table({}, [&](Listener& listener) {
    listener.protocol = Listener::Protocol::kTcp;
    Backend backend;
    backend.upstream = upstream("a", {a.port()});
    backend.weight = 3;
    listener.backends.push_back(backend);
    backend.upstream = upstream("b", {b.port()});
    backend.weight = 1;
    listener.backends.push_back(backend);
  }), std::move(options));
  for (int i = 0; i < 20; ++i) EXPECT_NE(rig.connect().read_to_end(), "");
  EXPECT_EQ(first, 15);
  EXPECT_EQ(second, 5);
}

}  // namespace
}  // namespace gateway_test
