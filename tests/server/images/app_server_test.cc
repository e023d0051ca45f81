// The small programs' server over real sockets on 127.0.0.1, and agnhost's clients against it.
#include "server/images/app_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <atomic>
#include <thread>

#include "server/images/agnhost.h"
#include "tests/netns/support.h"

namespace {

using namespace server::images;
using namespace std::chrono_literals;

Endpoint local(uint16_t port) { return resolve_endpoint("127.0.0.1", std::to_string(port), Transport::kTcp).value(); }

// A server in a thread of its own, which ends it too.
class Running {
 public:
  explicit Running(const std::function<void(AppServer&)>& listen) {
    listen(server_);
    thread_ = std::thread([this] {
      while (!over_) server_.run(base::Fd(), 20ms);
      finished_ = server_.finish(10s);
    });
  }
  ~Running() { stop(); }
  bool stop() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
    return finished_;
  }

 private:
  AppServer server_;
  std::thread thread_;
  std::atomic<bool> over_ = false;
  bool finished_ = false;
};

std::string read_all(const base::Fd& fd) {
  std::string out;
  char buffer[4096];
  for (;;) {
    pollfd poll_fd{fd.get(), POLLIN, 0};
    if (::poll(&poll_fd, 1, 10000) <= 0) return out + "(time)";
    ssize_t n = ::recv(fd.get(), buffer, sizeof buffer, 0);
    if (n <= 0) return out;
    out.append(buffer, static_cast<size_t>(n));
  }
}

base::Fd connect_to(uint16_t port) {
  base::Fd fd;
  EXPECT_FALSE(connect_endpoint(Transport::kTcp, local(port), 10s, fd));
  return fd;
}

// Everything the server sends in answer to `text`, without dates.
std::string talk(uint16_t port, const std::string& text) {
  base::Fd fd = connect_to(port);
  EXPECT_TRUE(base::write_all(fd.get(), text.data(), text.size()).ok());
  ::shutdown(fd.get(), SHUT_WR);
  std::string out = read_all(fd);
  for (size_t at; (at = out.find("Date: ")) != std::string::npos;) out.erase(at, out.find('\n', at) + 1 - at);
  return out;
}

AppResponse describe(const AppRequest& request) { return text_response(request.method + " " + request.target + " " + request.body); }

TEST(AppServer, conversations) {
  uint16_t port = 0;
  Running running([&](AppServer& server) { port = server.listen_http({"127.0.0.1", 0}, describe).value(); });
  const std::string type = "Content-Type: text/plain; charset=utf-8\r\n";
  struct Row {
    const char* name;
    std::string in, want;
  };
  const Row rows[] = {
      {"pipelined", "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n" + type + "\r\nGET /a HTTP/1.1 200 OK\r\nContent-Length: 7\r\n" + type + "Connection: close\r\n\r\nGET /b "},
      {"length", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n" + type + "\r\nPOST /a xyz"},
      {"chunks", "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nxy\r\n1\r\nz\r\n0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n" + type + "\r\nPOST /a xyz"},
      {"expect", "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 8\r\n" + type + "\r\nPOST /a "},
      {"head", "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n" + type + "\r\n"},
      {"old", "GET /a HTTP/1.0\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n" + type + "Connection: close\r\n\r\nGET /a "},
      {"no HTTP", "hostName\n", "HTTP/1.1 400 Bad Request\r\n" + type + "Connection: close\r\n\r\n400 Bad Request"},
      {"too much", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n", "HTTP/1.1 413 Request Entity Too Large\r\n" + type + "Connection: close\r\n\r\n413 Request Entity Too Large"},
      {"half a body", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nxy", ""},
      {"half a head", "GET /a HTTP/1.1\r\nHos", ""},
      {"nothing", "", ""},
  };
  for (const Row& row : rows) EXPECT_EQ(talk(port, row.in), row.want) << row.name;
}

TEST(AppServer, many_at_once) {
  uint16_t port = 0;
  std::atomic<int> served = 0;
  Running running([&](AppServer& server) {
    port = server.listen_http({"127.0.0.1", 0}, [&](const AppRequest& request) { ++served; return describe(request); }).value();
  });
  constexpr int kThreads = 8, kEach = 40;
  std::vector<std::thread> clients;
  std::atomic<int> right = 0;
  for (int i = 0; i < kThreads; ++i) {
    clients.emplace_back([&, i] {
      for (int k = 0; k < kEach; ++k) {
        std::string path = std::to_string(i) + "/" + std::to_string(k), answer;
        if (!http_get(local(port), path, 10s, answer) && answer == "GET /" + path + " ") ++right;
      }
    });
  }
  for (std::thread& each : clients) each.join();
  EXPECT_EQ(right, kThreads * kEach);
  EXPECT_EQ(served, kThreads * kEach);
}

TEST(AppServer, idle_connections_make_room) {
  uint16_t port = 0;
  Running running([&](AppServer& server) { port = server.listen_http({"127.0.0.1", 0}, describe).value(); });
  std::vector<base::Fd> idle;
  for (int i = 0; i < 520; ++i) idle.push_back(connect_to(port));
  std::string answer;
  EXPECT_FALSE(http_get(local(port), "x", 10s, answer));
  EXPECT_EQ(answer, "GET /x ");
}

TEST(AppServer, a_request_under_way_is_finished_and_idle_ones_closed) {
  uint16_t port = 0;
  std::atomic<bool> entered = false, go = false;
  auto running = std::make_unique<Running>([&](AppServer& server) {
    port = server.listen_http({"127.0.0.1", 0}, [&](const AppRequest& request) {
      entered = true;
      netns_test::eventually([&] { return go.load(); });
      return describe(request);
    }).value();
  });
  base::Fd idle = connect_to(port), busy = connect_to(port);
  const std::string request = "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n";
  ASSERT_TRUE(base::write_all(busy.get(), request.data(), request.size()).ok());
  ASSERT_TRUE(netns_test::eventually([&] { return entered.load(); }));
  std::thread ender([&] { EXPECT_TRUE(running->stop()); });
  EXPECT_EQ(read_all(idle), "");
  go = true;
  std::string answer = read_all(busy);
  EXPECT_EQ(answer.substr(answer.size() - 10), "GET /slow ");
  ender.join();
}

TEST(AppServer, messages_and_streams) {
  uint16_t udp = 0, waits = 0, speaks = 0;
  MessageHandler echo = [](std::string_view message, const std::string& peer) -> std::optional<std::string> {
    if (message == "quiet") return std::nullopt;
    return std::string(message) + "|" + peer.substr(0, 9);
  };
  Running running([&](AppServer& server) {
    udp = server.listen_datagrams({"", 0}, echo).value();
    waits = server.listen_stream(Transport::kTcp, {"", 0}, AppServer::Turn::kWaits, echo).value();
    speaks = server.listen_stream(Transport::kTcp, {"127.0.0.1", 0}, AppServer::Turn::kSpeaksFirst, [](std::string_view, const std::string&) { return "me"; }).value();
  });
  base::Fd fd;
  std::string answer;
  ASSERT_FALSE(connect_endpoint(Transport::kUdp, local(udp), 10s, fd));
  EXPECT_FALSE(exchange(fd, Transport::kUdp, "hi", 10s, answer));
  EXPECT_EQ(answer, "hi|127.0.0.1");
  auto error = exchange(fd, Transport::kUdp, "quiet", 50ms, answer);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->kind, DialError::Kind::kTimeout);
  EXPECT_NE(error->text.find("i/o timeout"), std::string::npos) << error->text;
  EXPECT_EQ(talk(waits, "hi"), "hi|127.0.0.1");
  EXPECT_EQ(talk(speaks, ""), "me");
}

TEST(AppServer, a_taken_port_is_told_as_go_tells_it) {
  AppServer first, second;
  uint16_t port = first.listen_http({"127.0.0.1", 0}, describe).value();
  auto again = second.listen_http({"127.0.0.1", port}, describe);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().message, "listen tcp 127.0.0.1:" + std::to_string(port) + ": bind: address already in use");
}

TEST(AppServer, tls) {
  uint16_t port = 0;
  Running running([&](AppServer& server) { port = server.listen_http({"127.0.0.1", 0}, describe, AppTls::make_own().value()).value(); });
  EXPECT_EQ(talk(port, "GET / HTTP/1.1\r\nHost: h\r\n\r\n"), "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n");
  EXPECT_FALSE(AppTls::load("/nonexistent.crt", "/nonexistent.key").ok());
  if (std::system("command -v curl >/dev/null") != 0) GTEST_SKIP() << "no curl to speak TLS with";
  ShellResult result = run_shell("curl -sk --max-time 10 https://127.0.0.1:" + std::to_string(port) + "/x https://127.0.0.1:" + std::to_string(port) + "/y");
  EXPECT_EQ(result.output, "GET /x GET /y ");
  EXPECT_EQ(result.error, "");
}

// A server that sends just these bytes to whoever connects.
TEST(AgnhostDial, answers_of_other_servers) {
  struct Row {
    const char* name;
    std::string sent, want;  // want: the body, or "!" and the end of the error.
  };
  const Row rows[] = {
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi"},
      {"until the end", "HTTP/1.0 200 OK\r\n\r\nhi", "hi"},
      {"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", "hi"},
      {"error status", "HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\noops", "oops"},
      {"short", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", "!unexpected EOF"},
      {"unfinished chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi", "!unexpected EOF"},
      {"no HTTP", "hello\r\n\r\n", "!unexpected EOF"},
      {"nothing", "", "!EOF"},
  };
  for (const Row& row : rows) {
    uint16_t port = 0;
    Running running([&](AppServer& server) {
      port = server.listen_stream(Transport::kTcp, {"127.0.0.1", 0}, AppServer::Turn::kWaits, [&](std::string_view, const std::string&) { return row.sent; }).value();
    });
    std::string answer;
    auto error = http_get(local(port), "x", 10s, answer);
    std::string got = error ? "!" + error->text.substr(error->text.rfind(": ") + 2) : answer;
    EXPECT_EQ(got, row.want) << row.name;
  }
}

}  // namespace
