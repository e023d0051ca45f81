// The small HTTP server on 127.0.0.1, with clients that behave and clients that do not.
#include "server/proxy_health/http.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <future>

#include "tests/netns/support.h"

namespace server::proxy_health {
namespace {

struct Served {
  explicit Served(HttpLimits limits = {}) : io("http-test") {
    base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size);
    ::listen(fd.get(), 64);
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
    on_io([&] {
      server = std::make_unique<HttpServer>(io, limits);
      id = server->listen(std::move(fd), [this](const RequestHead& head, HttpServer::Reply reply) {
        if (head.request.path == "/later") return later.push_back(std::move(reply));
        if (head.request.path == "/big") return reply({200, "text/plain", {}, std::string(4 << 20, 'b')});
        reply({head.request.path == "/bad" ? 503 : 200, "text/plain", {{"X-Test", "yes"}}, "you asked for " + head.request.path});
      });
    });
  }
  ~Served() {
    on_io([&] { server.reset(); });
  }
  void on_io(const std::function<void()>& fn) {
    std::promise<void> done;
    io.post([&] {
      fn();
      done.set_value();
    });
    done.get_future().wait();
  }
  base::Fd connect() {
    base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{20, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  // Sends, and reads to the end of the connection. Dates are blanked out.
  std::string talk(const std::string& request) {
    base::Fd fd = connect();
    ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
    return read_all(fd);
  }
  static std::string read_all(const base::Fd& fd) {
    std::string out;
    char buffer[65536];
    for (ssize_t n; (n = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0;) out.append(buffer, static_cast<size_t>(n));
    for (size_t at = 0; (at = out.find("Date: ", at)) != std::string::npos;) out.erase(at, out.find('\n', at) + 1 - at);
    return out;
  }

  base::Loop io;
  uint16_t port = 0;
  std::unique_ptr<HttpServer> server;
  HttpServer::ListenerId id = 0;
  std::vector<HttpServer::Reply> later;
};

TEST(ProxyHttp, Answers) {
  Served served;
  const struct {
    const char* name;
    std::string in;
    std::string want;
  } rows[] = {
      {"close", "GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Test: yes\r\nContent-Length: 16\r\nConnection: close\r\n\r\nyou asked for /a"},
      {"head", "HEAD /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Test: yes\r\nContent-Length: 16\r\nConnection: close\r\n\r\n"},
      {"http/1.0", "GET /bad HTTP/1.0\r\n\r\n",
       "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nX-Test: yes\r\nContent-Length: 18\r\nConnection: close\r\n\r\nyou asked for /bad"},
      {"pipelined", "GET /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Test: yes\r\nContent-Length: 16\r\n\r\nyou asked for /a"
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Test: yes\r\nContent-Length: 16\r\nConnection: close\r\n\r\nyou asked for /b"},
      {"post", "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
       "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nAllow: GET, HEAD\r\nContent-Length: 19\r\nConnection: close\r\n\r\nmethod not allowed\n"},
      {"get with a body", "GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
       "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Test: yes\r\nContent-Length: 16\r\nConnection: close\r\n\r\nyou asked for /a"},
      {"no head", "hello\r\n\r\n",
       "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 23\r\nConnection: close\r\n\r\nmalformed request line\n"},
      {"endless head", "GET /a HTTP/1.1\r\nX: " + std::string(9000, 'x'),
       "HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 32\r\nConnection: close\r\n\r\nrequest header fields too large\n"},
  };
  for (const auto& row : rows) EXPECT_EQ(served.talk(row.in), row.want) << row.name;
}

TEST(ProxyHttp, KeepAliveInSmallPieces) {
  Served served;
  base::Fd fd = served.connect();
  const std::string request = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int round = 0; round < 3; ++round) {
    for (char c : request) ASSERT_EQ(::send(fd.get(), &c, 1, MSG_NOSIGNAL), 1);
    std::string got;
    char c = 0;
    while (!got.ends_with("you asked for /a") && ::recv(fd.get(), &c, 1, 0) == 1) got += c;
    EXPECT_TRUE(got.starts_with("HTTP/1.1 200 OK\r\n")) << got;
  }
  ::shutdown(fd.get(), SHUT_WR);
  EXPECT_EQ(Served::read_all(fd), "");
}

TEST(ProxyHttp, AnAnswerLargerThanTheSocketsBuffer) {
  Served served;
  base::Fd fd = served.connect();
  const std::string request = "GET /big HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  ::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  const std::string got = Served::read_all(fd);
  EXPECT_EQ(static_cast<size_t>(std::count(got.begin(), got.end(), 'b')), 4u << 20);
}

TEST(ProxyHttp, AnswersThatComeLater) {
  Served served;
  base::Fd stays = served.connect(), goes = served.connect();
  const std::string request = "GET /later HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  for (const base::Fd* fd : {&stays, &goes}) {
    ::send(fd->get(), request.data(), request.size(), MSG_NOSIGNAL);
    const size_t want = fd == &stays ? 1 : 2;
    EXPECT_TRUE(netns_test::eventually([&] {
      size_t have = 0;
      served.on_io([&] { have = served.later.size(); });
      return have == want;
    }));
  }
  goes.reset();
  served.on_io([&] {
    for (const HttpServer::Reply& reply : served.later) reply({200, "text/plain", {}, "at last"});
    for (const HttpServer::Reply& reply : served.later) reply({200, "text/plain", {}, "a second time"});
  });
  const std::string got = Served::read_all(stays);
  EXPECT_TRUE(got.ends_with("\r\n\r\nat last")) << got;
  // After the connection, and after the server.
  std::vector<HttpServer::Reply> late = std::exchange(served.later, {});
  served.on_io([&] {
    served.server.reset();
    for (const HttpServer::Reply& reply : late) reply({200, "text/plain", {}, "too late"});
  });
}

TEST(ProxyHttp, TheSlowAreDroppedAndTheQuietestMakesRoom) {
  HttpLimits limits;
  limits.connections = 2;
  limits.idle = std::chrono::milliseconds(100);
  Served served(limits);
  base::Fd first = served.connect(), second = served.connect(), third = served.connect();
  ::send(third.get(), "GET / HT", 8, MSG_NOSIGNAL);
  EXPECT_EQ(Served::read_all(first), "");
  EXPECT_EQ(Served::read_all(second), "");
  EXPECT_EQ(Served::read_all(third), "");
  EXPECT_TRUE(served.talk("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ends_with("/a"));
}

TEST(ProxyHttp, AClosedListenerTakesItsConnectionsAlong) {
  Served served;
  base::Fd fd = served.connect();
  ASSERT_EQ(::send(fd.get(), "GET /a HTTP/1.1\r\n", 17, MSG_NOSIGNAL), 17);
  served.on_io([&] {});  // Accepted by now, or refused below: ended either way.
  served.on_io([&] { served.server->close(served.id); });
  EXPECT_EQ(Served::read_all(fd), "");
  served.on_io([&] { served.server->close(served.id); });
}

}  // namespace
}  // namespace server::proxy_health
