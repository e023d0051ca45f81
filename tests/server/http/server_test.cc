#include "server/http/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace server {
namespace {

using namespace std::chrono_literals;

struct Listener {
  base::Fd fd;
  int port = 0;
};
Listener listen_loopback() {
  Listener l;
  l.fd.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bind(l.fd.get(), reinterpret_cast<sockaddr*>(&a), sizeof a);
  listen(l.fd.get(), 64);
  socklen_t size = sizeof a;
  getsockname(l.fd.get(), reinterpret_cast<sockaddr*>(&a), &size);
  l.port = ntohs(a.sin_port);
  return l;
}

// A blocking TLS client; every read has a deadline of 10 s.
class Client {
 public:
  explicit Client(int port, const KeyPair* identity = nullptr, bool tls = true) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_port = htons(static_cast<uint16_t>(port));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    timeval limit{10, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    EXPECT_EQ(connect(fd_.get(), reinterpret_cast<sockaddr*>(&a), sizeof a), 0);
    if (!tls) return;
    ctx_ = SSL_CTX_new(TLS_client_method());
    if (identity) {
      BIO* c = BIO_new_mem_buf(identity->cert_pem.data(), -1);
      BIO* k = BIO_new_mem_buf(identity->key_pem.data(), -1);
      X509* cert = PEM_read_bio_X509(c, nullptr, nullptr, nullptr);
      EVP_PKEY* key = PEM_read_bio_PrivateKey(k, nullptr, nullptr, nullptr);
      SSL_CTX_use_certificate(ctx_, cert);
      SSL_CTX_use_PrivateKey(ctx_, key);
      X509_free(cert), EVP_PKEY_free(key), BIO_free(c), BIO_free(k);
    }
    ssl_ = SSL_new(ctx_);
    SSL_set_fd(ssl_, fd_.get());
    const unsigned char alpn[] = "\x02h2\x08http/1.1";
    SSL_set_alpn_protos(ssl_, alpn, sizeof alpn - 1);
    EXPECT_EQ(SSL_connect(ssl_), 1);
  }
  ~Client() {
    if (ssl_) SSL_free(ssl_);
    if (ctx_) SSL_CTX_free(ctx_);
  }
  Client(const Client&) = delete;
  void send(const std::string& text) { EXPECT_EQ(SSL_write(ssl_, text.data(), static_cast<int>(text.size())), static_cast<int>(text.size())); }
  void send_plain(const std::string& text) { EXPECT_EQ(::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size())); }
  std::string read_plain() {
    std::string out;
    char b[4096];
    for (ssize_t n; (n = recv(fd_.get(), b, sizeof b, 0)) > 0;) out.append(b, static_cast<size_t>(n));
    return out;
  }
  // Until `want` was seen (and returns everything read so far, once), or the end.
  std::string until(const std::string& want) {
    char b[4096];
    while (buffer_.find(want) == std::string::npos) {
      int n = SSL_read(ssl_, b, sizeof b);
      if (n <= 0) break;
      buffer_.append(b, static_cast<size_t>(n));
    }
    size_t at = buffer_.find(want);
    size_t size = at == std::string::npos ? buffer_.size() : at + want.size();
    std::string out = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return out;
  }
  std::string rest() { return until(std::string("\0never\0", 7)); }
  void close() { fd_.reset(); }
  std::string alpn() const {
    const unsigned char* p;
    unsigned n;
    SSL_get0_alpn_selected(ssl_, &p, &n);
    return std::string(reinterpret_cast<const char*>(p), n);
  }

 private:
  base::Fd fd_;
  SSL_CTX* ctx_ = nullptr;
  SSL* ssl_ = nullptr;
  std::string buffer_;
};

// An echo: says what it understood. Special paths exercise the rest of HttpResponse.
struct Fixture : testing::Test {
  void SetUp() override { start(64); }
  void start(size_t max_connections) {
    ca = *make_ca("ca");
    CertRequest request;
    request.common_name = "server";
    request.ips = {"127.0.0.1"};
    HttpServerOptions options;
    options.client_ca_pem = ca.cert_pem;
    options.certificate = *sign(ca, request);
    options.max_body = 1000;
    options.max_connections = max_connections;
    Listener one = listen_loopback(), two = listen_loopback();
    port = one.port;
    second_port = two.port;
    std::vector<base::Fd> listeners;
    listeners.push_back(std::move(one.fd));
    listeners.push_back(std::move(two.fd));
    auto started = HttpServer::start(std::move(listeners), options, [this](const HttpRequest& r) { return handle(r); });
    ASSERT_TRUE(started.ok()) << started.error().message;
    server = std::move(*started);
  }
  HttpResponse handle(const HttpRequest& r) {
    HttpResponse out;
    out.content_type = "text/plain";
    if (r.path == "/throw") throw std::runtime_error("boom");
    if (r.path == "/shared") out.shared_body = std::make_shared<std::string>(100000, 'x');
    if (r.path == "/not-modified") out.status = 304;
    if (r.path == "/stream") {
      out.stream = [this](const auto& write, const auto& alive) {
        write("one\n");
        write("two\n");
        std::unique_lock lock(mutex);
        while (alive() && !released) changed.wait_for(lock, 5ms);
        ended = true;
        changed.notify_all();
      };
      return out;
    }
    if (r.path == "/throw-in-stream") {
      out.stream = [](const auto& write, const auto&) {
        write("one\n");
        throw std::runtime_error("boom");
      };
      return out;
    }
    if (r.path == "/throw-upgraded") {
      out.headers = {{"Connection", "Upgrade"}, {"Upgrade", "test"}};
      out.upgrade = [](Connection&) { throw std::runtime_error("boom"); };
      return out;
    }
    if (r.path == "/upgrade") {
      out.headers = {{"Connection", "Upgrade"}, {"Upgrade", "test"}};
      out.upgrade = [](Connection& c) {
        char b[64];
        for (;;) {
          auto n = c.read(b, sizeof b);
          if (!n.ok() || *n == 0) return;
          if (!c.write("[" + std::string(b, *n) + "]").ok()) return;
        }
      };
      return out;
    }
    if (r.path != "/shared" && r.path != "/not-modified") {
      out.body = r.method + " " + r.path + " body=" + r.body + " user=" + r.user;
      for (const auto& g : r.groups) out.body += " group=" + g;
      out.body += "\n";
    }
    return out;
  }

  KeyPair ca;
  int port = 0, second_port = 0;
  std::unique_ptr<HttpServer> server;
  std::mutex mutex;
  std::condition_variable changed;
  bool released = false, ended = false;
};

TEST_F(Fixture, KeepsTheConnectionForManyRequests) {
  Client c(port);
  EXPECT_EQ(c.alpn(), "http/1.1");
  struct Row {
    std::string in, want;
  };
  const Row rows[] = {
      {"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "GET /a body= user=\n"},
      {"DELETE /b HTTP/1.1\r\nHost: x\r\n\r\n", "DELETE /b body= user=\n"},
      {"DELETE /b HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}", "DELETE /b body={} user=\n"},
      {"GET /c HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nRange: bytes=0-1\r\n\r\nabc", "GET /c body=abc user=\n"},
      {"POST /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
       "POST /d body=abcde user=\n"},
      {"PATCH /e?x=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nz", "PATCH /e body=z user=\n"},
      {"QUERY /f HTTP/1.1\r\nHost: x\r\n\r\n", "QUERY /f body= user=\n"},
  };
  for (const Row& row : rows) {
    c.send(row.in);
    std::string got = c.until(" user=\n");
    EXPECT_NE(got.find("HTTP/1.1 200 OK\r\n"), std::string::npos) << got;
    EXPECT_NE(got.find("\r\n\r\n" + row.want), std::string::npos) << got;
  }
}

TEST_F(Fixture, PipelinedRequestsAreAnsweredInOrder) {
  Client c(second_port);
  c.send("GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhiGET /3 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string got = c.rest();
  EXPECT_LT(got.find("GET /1 body="), got.find("POST /2 body=hi"));
  EXPECT_LT(got.find("POST /2 body=hi"), got.find("GET /3 body="));
  EXPECT_NE(got.find("GET /3"), std::string::npos);
}

TEST_F(Fixture, ASlowHeadIsReadByteByByte) {
  Client c(port);
  for (char ch : std::string("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")) c.send(std::string(1, ch));
  EXPECT_NE(c.until(" user=\n").find("GET /slow"), std::string::npos);
}

TEST_F(Fixture, LongPathsAndHeadsWork) {
  Client c(port);
  std::string path = "/" + std::string(20000, 'p');
  c.send("GET " + path + " HTTP/1.1\r\nHost: x\r\nCookie: " + std::string(20000, 'c') + "\r\n\r\n");
  EXPECT_NE(c.until(" user=\n").find("GET " + path), std::string::npos);
}

TEST_F(Fixture, HeadHasNoBody) {
  Client c(port);
  c.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string got = c.until(" user=\n");
  EXPECT_EQ(got.find("HEAD /a body"), std::string::npos) << got;
  EXPECT_NE(got.find("GET /b"), std::string::npos);
}

TEST_F(Fixture, Refusals) {
  struct Row {
    const char* name;
    std::string in;
    std::string want_status;
    std::string want_body;
  };
  const Row rows[] = {
      {"garbage", "\x01\x02\x03\r\n\r\n", "400", "malformed"},
      {"no host", "GET / HTTP/1.1\r\n\r\n", "400", "missing required Host header"},
      {"length too large", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n" + std::string(1001, 'a'), "413",
       "\"message\":\"Request entity too large: limit is 1000\",\"reason\":\"RequestEntityTooLarge\""},
      {"chunks too large", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'a') + "\r\n0\r\n\r\n", "413",
       "Request entity too large"},
      {"bad chunk", "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", "400", "could not be read"},
      {"head too large", "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(70000, 'a'), "431", "head is too large"},
  };
  for (const Row& row : rows) {
    Client c(port);
    c.send(row.in);
    std::string got = c.rest();
    EXPECT_EQ(got.substr(0, 12), "HTTP/1.1 " + row.want_status) << row.name << ": " << got.substr(0, 300);
    EXPECT_NE(got.find(row.want_body), std::string::npos) << row.name << ": " << got.substr(0, 300);
  }
}

TEST_F(Fixture, ExpectContinue) {
  Client c(port);
  c.send("POST /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_NE(c.until("\r\n\r\n").find("100"), std::string::npos);
  c.send("ok");
  EXPECT_NE(c.until(" user=\n").find("body=ok"), std::string::npos);
}

TEST_F(Fixture, ExceptionsBecomeStatus500AndTheConnectionLives) {
  Client c(port);
  c.send("GET /throw HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string got = c.until("for details.\n");
  EXPECT_NE(got.find("HTTP/1.1 500"), std::string::npos);
  EXPECT_NE(got.find("\r\n\r\nThis request caused apiserver to panic. Look in the logs for details.\n"), std::string::npos) << got;
  c.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(c.until(" user=\n").find("GET /a"), std::string::npos);
  // An answer that has begun just ends, and the client can tell.
  Client streamed(port), upgraded(port);
  streamed.send("GET /throw-in-stream HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string cut = streamed.rest();
  EXPECT_NE(cut.find("one\n"), std::string::npos) << cut;
  EXPECT_EQ(cut.find("0\r\n\r\n"), std::string::npos) << cut;
  upgraded.send("GET /throw-upgraded HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: t\r\n\r\n");
  EXPECT_NE(upgraded.rest().find("HTTP/1.1 101"), std::string::npos);
  c.send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(c.until(" user=\n").find("GET /b"), std::string::npos);
}

TEST_F(Fixture, SharedBodiesAndEmptyOnes) {
  Client c(port);
  c.send("GET /not-modified HTTP/1.1\r\nHost: x\r\n\r\nGET /shared HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(c.until("\r\n\r\n").find("304"), std::string::npos);
  EXPECT_NE(c.until("\r\n\r\n").find("Content-Length: 100000"), std::string::npos);
  EXPECT_EQ(c.rest(), std::string(100000, 'x'));
}

TEST_F(Fixture, IdentityComesFromACertificateOfOurCaOnly) {
  KeyPair other = *make_ca("ca");
  CertRequest request;
  request.common_name = "alice";
  request.organizations = {"system:masters", "dev"};
  request.client = true;
  KeyPair good = *sign(ca, request), bad = *sign(other, request);
  request.client = false;
  KeyPair wrong_usage = *sign(ca, request);
  struct Row {
    const char* name;
    const KeyPair* in;
    std::string want;
  };
  for (const Row& row : {Row{"ours", &good, "user=alice group=system:masters group=dev\n"}, Row{"another CA", &bad, "user=\n"},
                         Row{"server usage", &wrong_usage, "user=\n"}, Row{"none", nullptr, "user=\n"}}) {
    Client c(port, row.in);
    c.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_NE(c.rest().find(row.want), std::string::npos) << row.name;
  }
}

TEST_F(Fixture, StreamsAreFlushedAndNoticeTheClientLeaving) {
  auto c = std::make_unique<Client>(port);
  c->send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(c->until("two\n").find("chunked"), std::string::npos);
  c->close();
  std::unique_lock lock(mutex);
  EXPECT_TRUE(changed.wait_for(lock, 10s, [&] { return ended; }));
}

TEST_F(Fixture, AStreamEndsCleanlyAndTheConnectionLives) {
  released = true;
  Client c(port);
  c.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(c.until("0\r\n\r\n").find("two\n"), std::string::npos);
  c.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(c.until(" user=\n").find("GET /a"), std::string::npos);
}

TEST_F(Fixture, UpgradeTakesTheConnectionOver) {
  Client c(port);
  c.send("POST /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: test\r\nContent-Length: 0\r\n\r\nearly");
  EXPECT_EQ(c.until("\r\n\r\n"), "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n");
  EXPECT_EQ(c.until("]"), "[early]");
  c.send("late");
  EXPECT_EQ(c.until("]"), "[late]");
}

TEST_F(Fixture, ARefusedUpgradeIsAnOrdinaryAnswer) {
  Client c(port);
  c.send("GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  EXPECT_NE(c.until(" user=\n").find("HTTP/1.1 200"), std::string::npos);
}

TEST_F(Fixture, PlainHttpIsToldSo) {
  Client c(port, nullptr, false);
  c.send_plain("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_NE(c.read_plain().find("Client sent an HTTP request to an HTTPS server."), std::string::npos);
}

TEST_F(Fixture, StoppingEndsOpenStreamsUpgradesAndIdleConnections) {
  Client idle(port), streaming(port), upgraded(port);
  streaming.send("GET /stream HTTP/1.1\r\nHost: x\r\n\r\n");
  streaming.until("two\n");
  upgraded.send("GET /upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: t\r\n\r\n");
  upgraded.until("\r\n\r\n");
  server.reset();
  EXPECT_EQ(idle.rest(), "");
}

struct Limited : Fixture {
  void SetUp() override { start(1); }
};
TEST_F(Limited, BeyondTheLimitIs503WithRetryAfter) {
  Client first(port);
  first.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  first.until(" user=\n");
  Client second(port);
  second.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
  std::string got = second.rest();
  EXPECT_EQ(got.substr(0, 12), "HTTP/1.1 503");
  EXPECT_NE(got.find("Retry-After: 1"), std::string::npos);
}

}  // namespace
}  // namespace server
