// Requests through a real engine: bytes in, bytes out.
#include "server/gateway/policy/template.h"
#include "tests/server/gateway/engine/rig.h"

namespace gateway_test {
namespace {

TEST(Forward, reaches_the_endpoint_and_comes_back) {
  FakeEndpoint endpoint(echo);
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire::Message m = rig.ask(get("/x/%7Ey?q=1", "X-Mine: 1\r\nAccept: */*\r\n"));
  EXPECT_EQ(m.line(), "HTTP/1.1 200 OK");
  EXPECT_EQ(m.body.substr(0, m.body.find("\r\n")), "GET /x/%7Ey?q=1 HTTP/1.1");  // As sent, not normalised.
  EXPECT_NE(m.body.find("\r\nHost: a.example\r\n"), std::string::npos);
  EXPECT_NE(m.body.find("\r\nX-Mine: 1\r\n"), std::string::npos);
  EXPECT_NE(m.header("Date"), "-");
}

TEST(Forward, both_connections_are_kept) {
  FakeEndpoint endpoint(echo);
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.ask(get("/" + std::to_string(i))).status(), 200);
  EXPECT_EQ(endpoint.accepted(), 1);
  // Pipelined ones are answered in order.
  client.send(get("/one") + get("/two") + get("/three"));
  for (const char* path : {"GET /one ", "GET /two ", "GET /three "}) EXPECT_EQ(client.read_message().body.rfind(path, 0), 0u) << path;
}

TEST(Forward, turns_are_exact) {
  FakeEndpoint a([](Wire& w) { while (!w.read_message().head.empty()) w.send(ok("a")); });
  FakeEndpoint b([](Wire& w) { while (!w.read_message().head.empty()) w.send(ok("b")); });
  FakeEndpoint c([](Wire& w) { while (!w.read_message().head.empty()) w.send(ok("c")); });
  EngineOptions options;
  options.threads = 2;
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {a.port(), b.port(), c.port()})))})}), std::move(options));
  std::map<std::string, int> seen;
  for (int i = 0; i < 30; ++i) ++seen[rig.ask(get("/")).body];
  EXPECT_EQ(seen, (std::map<std::string, int>{{"a", 10}, {"b", 10}, {"c", 10}}));
}

TEST(Forward, bodies_of_both_framings) {
  FakeEndpoint endpoint(echo);
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  Wire::Message m = client.ask("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_NE(m.body.find("Content-Length: 5\r\n"), std::string::npos) << m.body;
  EXPECT_EQ(m.body.substr(m.body.size() - 5), "hello");
  // A small chunked body gets a length; chunks' borders mean nothing.
  m = client.ask("POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
  EXPECT_NE(m.body.find("Content-Length: 5\r\n"), std::string::npos) << m.body;
  EXPECT_EQ(m.body.substr(m.body.size() - 5), "hello");
  // A large one streams.
  std::string large(800'000, 'x');
  large.back() = 'y';
  m = client.ask("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 800000\r\n\r\n" + large);
  EXPECT_TRUE(m.body.size() > large.size() && m.body.substr(m.body.size() - large.size()) == large);
  m = client.ask("POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nC3500\r\n" + large + "\r\n0\r\n\r\n");
  EXPECT_NE(m.body.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_TRUE(m.body.size() > large.size() && m.body.substr(m.body.size() - large.size()) == large);
}

TEST(Forward, chunked_answers_and_trailers) {
  FakeEndpoint endpoint([](Wire& w) {
    while (!w.read_message().head.empty()) w.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nX-Sum: 5\r\n\r\n");
  });
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  for (int i = 0; i < 3; ++i) {
    Wire::Message m = client.ask(get("/"));
    EXPECT_EQ(m.body, "hello");
    EXPECT_NE(m.head.find("Trailer X-Sum: 5"), std::string::npos) << m.head;
  }
  EXPECT_EQ(endpoint.accepted(), 1);
  // HTTP/1.0 knows no chunks: the end of the connection is the end.
  Wire old = rig.connect();
  old.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  std::string all = old.read_to_end();
  EXPECT_EQ(all.substr(all.find("\r\n\r\n") + 4), "hello");
}

TEST(Forward, an_answer_without_a_length_ends_with_its_connection) {
  FakeEndpoint endpoint([](Wire& w) {
    w.read_message();
    w.send("HTTP/1.1 200 OK\r\n\r\nall there is");
  });
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  EXPECT_EQ(client.ask(get("/")).body, "all there is");
  EXPECT_EQ(client.ask(get("/")).body, "all there is");
  EXPECT_EQ(endpoint.accepted(), 2);
}

TEST(Forward, large_answers_do_not_pile_up) {
  const std::string piece(1'000'000, 'z');
  std::atomic<size_t> written{0};
  FakeEndpoint endpoint([&](Wire& w) {
    w.read_message();
    w.send("HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n");
    for (int i = 0; i < 200 && w.send(piece); ++i) written += piece.size();
  });
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  client.send(get("/"));
  EXPECT_NE(client.read_until("\r\n\r\n"), "");
  // The client stops reading: the endpoint must be stopped, too, by what fits into buffers on the way.
  size_t before = 0;
  for (int i = 0; i < 200; ++i) {
    before = written;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (written == before && before > 0) break;
  }
  EXPECT_LT(written, 60'000'000u);
  size_t got = 0;
  while (got < 200'000'000u) {
    std::string some = client.read_exactly(1'000'000);
    if (some.empty()) break;
    got += some.size();
  }
  EXPECT_EQ(got, 200'000'000u);
}

TEST(Forward, head_and_bodyless_answers) {
  FakeEndpoint endpoint([](Wire& w) {
    for (;;) {
      Wire::Message m = w.read_message();
      if (m.head.empty()) return;
      if (m.head.rfind("HEAD", 0) == 0) w.send("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n");
      else w.send("HTTP/1.1 204 No Content\r\n\r\n");
    }
  });
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  Wire::Message m = client.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", true);
  EXPECT_EQ(m.header("Content-Length"), "1234");
  m = client.ask(get("/"));
  EXPECT_EQ(m.status(), 204);
  EXPECT_EQ(m.header("Content-Length"), "-");
  EXPECT_EQ(m.header("Transfer-Encoding"), "-");
  EXPECT_EQ(client.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", true).status(), 200);
}

TEST(Forward, continue_is_said_before_the_body) {
  FakeEndpoint endpoint(echo);
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  Wire::Message m = client.read_message();
  EXPECT_EQ(m.status(), 200);
  EXPECT_EQ(m.body.find("Expect"), std::string::npos);
}

TEST(Forward, an_upgraded_connection_is_bytes_both_ways) {
  FakeEndpoint endpoint([](Wire& w) {
    w.read_message();
    w.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\nwelcome");
    for (std::string line; !(line = w.read_until("\n")).empty();) w.send("echo " + line);
    w.send("bye");
  });
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  Wire::Message m = client.ask(get("/chat", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: k\r\n"), true);
  EXPECT_EQ(m.line(), "HTTP/1.1 101 Switching Protocols");
  EXPECT_EQ(m.header("Upgrade"), "websocket");
  EXPECT_EQ(m.header("Sec-WebSocket-Accept"), "x");
  EXPECT_EQ(client.read_exactly(7), "welcome");
  for (int i = 0; i < 100; ++i) {
    // The routes change under it.
    rig.publish(table({host("", {route(PathKind::kPrefix, "/other" + std::to_string(i), Reply{})})}));
    client.send("line " + std::to_string(i) + "\n");
    EXPECT_EQ(client.read_until("\n"), "echo line " + std::to_string(i) + "\n");
  }
  client.end_sending();
  EXPECT_EQ(client.read_to_end(), "bye");
}

TEST(Forward, an_endpoint_that_refuses_an_upgrade_answers_as_usual) {
  FakeEndpoint endpoint(echo);
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  EXPECT_EQ(client.ask(get("/", "Upgrade: websocket\r\nConnection: Upgrade\r\n")).status(), 200);
  EXPECT_EQ(client.ask(get("/")).status(), 200);
}

// ---- When things fail --------------------------------------------------------------------------------------------

uint16_t closed_port() {
  FakeEndpoint gone([](Wire&) {});
  return gone.port();
}

TEST(Failure, nobody_there) {
  Rig rig(table({host("", {route(PathKind::kPrefix, "/refused", forward_to(upstream("r", {closed_port()}))), route(PathKind::kPrefix, "/empty", forward_to(upstream("e", {})))})}));
  Wire client = rig.connect();
  EXPECT_EQ(client.ask(get("/refused")).status(), 502);
  EXPECT_EQ(client.ask(get("/empty")).status(), 503);
  Wire::Message m = client.ask(get("/none"));
  EXPECT_EQ(m.line(), "HTTP/1.1 404 Not Found");
  EXPECT_EQ(m.body, "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n");
}

TEST(Failure, the_next_endpoint_is_tried) {
  FakeEndpoint good([](Wire& w) { while (!w.read_message().head.empty()) w.send(ok("good")); });
  FakeEndpoint cuts([](Wire& w) { w.read_message(); });
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {closed_port(), cuts.port(), good.port()})))})}));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(rig.ask(get("/")).body, "good");
  // Not once something was sent that must not be sent twice.
  std::map<int, int> seen;
  for (int i = 0; i < 6; ++i) ++seen[rig.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi").status()];
  EXPECT_GT(seen[200], 0);
  EXPECT_GT(seen[502], 0);
}

TEST(Failure, a_kept_connection_that_was_closed_meanwhile_is_no_error) {
  FakeEndpoint endpoint([](Wire& w) {
    w.read_message();
    w.send(ok("x"));  // Says nothing about closing, and closes.
  });
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.ask(get("/")).body, "x") << i;
}

// As nginx: what was tried stands in the fields of the upstream, separated by commas.
TEST(Failure, the_access_log_names_each_try) {
  FakeEndpoint good([](Wire& w) { while (!w.read_message().head.empty()) w.send(ok("good")); });
  std::promise<std::string> lines;
  EngineOptions options;
  options.access_log = [&](std::string&& text) { lines.set_value(std::move(text)); };
  const uint16_t closed = closed_port();
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {closed, good.port()}))), route(PathKind::kPrefix, "/one", forward_to(upstream("v", {good.port()})))})}), std::move(options));
  Wire client = rig.connect();
  for (const char* path : {"/", "/one"}) EXPECT_EQ(client.ask(get(path)).body, "good");
  client.close();
  const std::string text = lines.get_future().get();
  const std::string tried = "127.0.0.1:" + std::to_string(closed) + ", 127.0.0.1:" + std::to_string(good.port()) + " 0, 4 0.00";
  EXPECT_NE(text.find(tried), std::string::npos) << text;
  EXPECT_NE(text.find(" 502, 200 "), std::string::npos) << text;
  EXPECT_NE(text.find("] 127.0.0.1:" + std::to_string(good.port()) + " 4 0.00"), std::string::npos) << text;
}

// A pod that goes may take its time to fail a request; by then all those that stood beside it can be gone.
TEST(Failure, another_try_goes_to_an_endpoint_of_now) {
  std::promise<void> asked, over;
  std::shared_future<void> wait = over.get_future();
  FakeEndpoint old([&](Wire& w) {
    w.read_message();
    asked.set_value();
    wait.wait();
  });
  FakeEndpoint now([](Wire& w) { while (!w.read_message().head.empty()) w.send(ok("now")); });
  auto to = [&](std::vector<uint16_t> ports) { return table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", std::move(ports))))})}); };
  Rig rig(to({old.port()}));
  Wire client = rig.connect();
  client.send(get("/"));
  asked.get_future().wait();
  rig.publish(to({closed_port(), now.port()}));
  over.set_value();
  EXPECT_EQ(client.read_message().body, "now");
}

// The same when the connection was kept from a request before: it is not tried again where nobody is any more.
TEST(Failure, a_kept_connection_to_an_endpoint_that_is_gone) {
  std::promise<void> asked, over;
  std::shared_future<void> wait = over.get_future();
  FakeEndpoint old([&](Wire& w) {
    if (w.read_message().head.empty()) return;
    w.send(ok("old"));
    if (w.read_message().head.empty()) return;
    asked.set_value();
    wait.wait();
  });
  FakeEndpoint now([](Wire& w) { while (!w.read_message().head.empty()) w.send(ok("now")); });
  auto to = [&](uint16_t port) { return table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {port})))})}); };
  Rig rig(to(old.port()));
  Wire client = rig.connect();
  EXPECT_EQ(client.ask(get("/")).body, "old");
  client.send(get("/"));
  asked.get_future().wait();
  rig.publish(to(now.port()));
  over.set_value();
  EXPECT_EQ(client.read_message().body, "now");
  EXPECT_EQ(old.accepted(), 1);
}

TEST(Failure, half_an_answer_is_cut_not_ended) {
  FakeEndpoint endpoint([](Wire& w) {
    std::string head = w.read_message().head;
    w.send(head.find("/chunks") != std::string::npos ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n" : "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
  });
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  for (const char* path : {"/chunks", "/length"}) {
    Wire client = rig.connect();
    client.send(get(path));
    std::string all = client.read_to_end();
    EXPECT_EQ(all.find("\r\n0\r\n\r\n"), std::string::npos) << all;
    EXPECT_NE(all.find("200 OK"), std::string::npos) << all;
  }
}

TEST(Failure, what_is_not_http_is_a_bad_gateway) {
  FakeEndpoint endpoint([](Wire& w) {
    w.read_message();
    w.send("SSH-2.0-OpenSSH\r\n\r\n");
  });
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  EXPECT_EQ(rig.ask(get("/")).status(), 502);
}

TEST(Failure, an_endpoint_that_does_not_answer_in_time) {
  std::promise<void> over;
  std::shared_future<void> wait = over.get_future();
  FakeEndpoint endpoint([wait](Wire& w) {
    w.read_message();
    wait.wait();
  });
  Forward to = forward_to(upstream("u", {endpoint.port()}));
  to.timeouts.read = milliseconds(50);
  to.retry.tries = 1;
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", to)})}));
  EXPECT_EQ(rig.ask(get("/")).status(), 504);
  over.set_value();
}

TEST(Failure, a_client_that_goes_takes_its_request_along) {
  std::promise<bool> ended;
  FakeEndpoint endpoint([&](Wire& w) {
    w.read_message();
    ended.set_value(!w.fill());
  });
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})))})}));
  Wire client = rig.connect();
  client.send(get("/"));
  // Once the endpoint has it.
  auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (rig.engine->stats().requests == 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  client.close();
  auto future = ended.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  EXPECT_TRUE(future.get());
}

// ---- Hosts and other decisions -----------------------------------------------------------------------------------

TEST(Decision, hosts_paths_and_redirects) {
  Redirect to_tls;
  to_tls.status = 308;
  to_tls.to_tls = true;
  to_tls.location = *Template::parse("https://$host$request_uri");
  Route secure = route(PathKind::kPrefix, "/", Reply{200, "text/plain", "secure"});
  secure.redirect = to_tls;
  Rig rig(table({host("a.example", {route(PathKind::kPrefix, "/x", Reply{200, "text/plain", "x"}), route(PathKind::kExact, "/x", Reply{200, "text/plain", "exact"})}),
                 host("*.b.example", {route(PathKind::kPrefix, "/", Reply{200, "text/plain", "wild"})}), host("s.example", {secure})}));
  Wire client = rig.connect();
  EXPECT_EQ(client.ask(get("/x", "", "A.example")).body, "exact");
  EXPECT_EQ(client.ask(get("/x/", "", "a.example:8080")).body, "x");
  EXPECT_EQ(client.ask(get("//x/./y/../z", "", "a.example")).body, "x");
  EXPECT_EQ(client.ask(get("/xx")).status(), 404);
  EXPECT_EQ(client.ask(get("/", "", "one.b.example")).body, "wild");
  EXPECT_EQ(client.ask(get("/", "", "two.one.b.example")).status(), 404);
  EXPECT_EQ(client.ask(get("/", "", "b.example")).status(), 404);
  Wire::Message m = client.ask(get("/p?q", "", "s.example"));
  EXPECT_EQ(m.status(), 308);
  EXPECT_EQ(m.header("Location"), "https://s.example/p?q");
  EXPECT_EQ(client.ask(get("/../..")).status(), 400);
}

TEST(Decision, bodies_above_the_limit) {
  FakeEndpoint endpoint(echo);
  Policy small;
  small.max_body = 10;
  Rig rig(table({host("", {route(PathKind::kPrefix, "/", forward_to(upstream("u", {endpoint.port()})), small)})}));
  EXPECT_EQ(rig.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n").status(), 413);
  EXPECT_EQ(rig.ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n6\r\nabcdef\r\n0\r\n\r\n").status(), 413);
  EXPECT_EQ(rig.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789").status(), 200);
}

TEST(Decision, malformed_requests_get_a_page_and_the_connection_ends) {
  Rig rig(table({}));
  Wire client = rig.connect();
  Wire::Message m = client.ask("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(m.status(), 400);
  EXPECT_EQ(m.header("Connection"), "close");
  EXPECT_EQ(client.read_to_end(), "");
}

}  // namespace
}  // namespace gateway_test
