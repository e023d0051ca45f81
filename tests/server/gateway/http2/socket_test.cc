// The connections on real sockets: one write a turn, deadlines, goodbyes, what breaks.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <future>

#include "server/gateway/http2/client.h"
#include "server/gateway/http2/server.h"
#include "tests/server/gateway/http2/rig.h"

namespace server::gateway {
namespace {

using http2::Answer;
using http2::Handler;
using http2::Received;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kPatience{20};

// A server's connection and a client's, or a plain descriptor, on one loop.
struct Connections : Http2Server::Host, Http2Client::Host {
  explicit Connections(const Http2Options& o = {}) : options(o), loop("http2-test") {
    loop.call([this] { deadlines = std::make_unique<Deadlines>(loop); });
    listener = base::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
    ::listen(listener.get(), 16);
    socklen_t size = sizeof address;
    ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }
  ~Connections() override {
    turn([this] {
      client.reset();
      server.reset();
      deadlines.reset();
    });
  }
  void turn(const std::function<void()>& fn) {
    loop.call([&fn] {
      Socket::Turn held;
      fn();
    });
  }
  void make_client() {
    turn([this] {
      client = std::make_unique<Http2Client>(Socket::connect(loop, base::Ip::v4(127, 0, 0, 1), port, nullptr), *this);
      client->connect();
    });
  }
  void accept() {
    base::Fd fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    turn([this, &fd] {
      auto socket = std::make_unique<Socket>(loop, std::move(fd), nullptr);
      Socket* raw = socket.get();
      server = std::make_unique<Http2Server>(std::move(socket), ClientInfo(), handler, *this, *deadlines, options);
      raw->start(server.get());
      server->begin({});
    });
  }
  base::Fd raw_client() {
    base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  void on_connection_over(Http2Server& connection) override {
    why = connection.why();
    bury(std::move(server));
    server_over.set_value();
  }
  void on_http2_over(Http2Client&) override {
    bury(std::move(client));
    client_over.set_value();
  }
  static bool wait(std::promise<void>& of) { return of.get_future().wait_for(kPatience) == std::future_status::ready; }

  const Http2Options options;
  base::Loop loop;
  std::unique_ptr<Deadlines> deadlines;
  base::Fd listener;
  uint16_t port = 0;
  Handler handler;
  std::unique_ptr<Http2Server> server;
  std::unique_ptr<Http2Client> client;
  std::promise<void> server_over, client_over;
  std::string why;
};

// All that comes until the connection ends.
std::string read_to_end(int fd) {
  std::string out;
  char buffer[65536];
  for (;;) {
    pollfd wanted{fd, POLLIN, 0};
    if (::poll(&wanted, 1, static_cast<int>(milliseconds(kPatience).count())) <= 0) return out + "(it does not end)";
    ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n <= 0) return out;
    out.append(buffer, static_cast<size_t>(n));
  }
}
void send_all(int fd, const std::string& bytes) { ASSERT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size())); }

TEST(Http2Sockets, large_answers_in_parallel) {
  Connections c;
  std::string body(3'000'000, 'z');
  c.handler.on_new = [&body](Received& r) {
    auto sent = std::make_shared<size_t>(0);
    auto send = [sent, &body](Received& to) {
      Flow flow = Flow::kOpen;
      while (flow == Flow::kOpen && *sent < body.size()) {
        size_t size = std::min<size_t>(30'000, body.size() - *sent);
        flow = to.stream->send_body(std::string_view(body).substr(*sent, size), *sent + size == body.size());
        *sent += size;
      }
      if (*sent == body.size() && to.stream != nullptr) to.close();
    };
    ResponseHead answer;
    answer.body = BodyKind::kLength;
    answer.length = body.size();
    r.on_drain = send;
    r.stream->send_head(answer, false);
    send(r);
  };
  c.make_client();
  std::vector<Answer> answers(20);
  std::promise<void> done;
  size_t left = answers.size();
  c.turn([&] {  // Before it is connected.
    for (Answer& a : answers) {
      a.on_end = [&](Answer& ended) {
        ended.close();
        if (--left == 0) done.set_value();
      };
      a.stream = c.client->open_stream(&a);
      a.stream->send_head(http2::request("GET", "/"), true);
    }
  });
  c.accept();
  ASSERT_TRUE(Connections::wait(done));
  c.turn([&] {
    EXPECT_TRUE(c.client->connected());
    EXPECT_TRUE(c.client->idle());
    for (Answer& a : answers) EXPECT_TRUE(a.body == body);
  });
}

TEST(Http2Sockets, no_connection) {
  Connections c;
  c.listener.reset();
  c.make_client();
  Answer a;
  c.turn([&] {
    if (!c.client) return;  // Refused already.
    a.stream = c.client->open_stream(&a);
    a.stream->send_head(http2::request("GET", "/"), true);
  });
  ASSERT_TRUE(Connections::wait(c.client_over));
  c.turn([&] {
    EXPECT_EQ(a.kind, Failure::kRefused);
    EXPECT_EQ(c.client, nullptr);
  });
}

TEST(Http2Sockets, drain_finishes_what_is_under_way) {
  Connections c;
  c.make_client();
  c.accept();
  Answer a;
  std::promise<void> arrived;
  c.handler.on_new = [&](Received&) { arrived.set_value(); };
  c.turn([&] {
    a.stream = c.client->open_stream(&a);
    a.stream->send_head(http2::request("GET", "/"), true);
  });
  ASSERT_TRUE(Connections::wait(arrived));
  std::promise<void> ended;
  a.on_end = [&](Answer& done) {
    done.close();
    ended.set_value();
  };
  c.turn([&] { c.server->drain(); });
  c.turn([&] { c.handler.last().reply(200, "done"); });
  ASSERT_TRUE(Connections::wait(ended));
  EXPECT_EQ(a.body, "done");
  EXPECT_TRUE(Connections::wait(c.server_over));
  EXPECT_TRUE(Connections::wait(c.client_over));
  EXPECT_EQ(c.why, "");
}

TEST(Http2Sockets, the_client_goes) {
  Connections c;
  base::Fd fd = c.raw_client();
  c.accept();
  std::promise<void> arrived;
  c.handler.on_new = [&](Received&) { arrived.set_value(); };
  send_all(fd.get(), http2::kPreface + http2::frame(http2::kHeaders, http2::kEndStream | http2::kEndHeaders, 1, http2::block(http2::kGet)));
  ASSERT_TRUE(Connections::wait(arrived));
  fd.reset();
  ASSERT_TRUE(Connections::wait(c.server_over));
  c.turn([&] { EXPECT_TRUE(c.handler.last().gone); });
}

TEST(Http2Sockets, whole_answers_outlive_their_connection) {
  Connections c;
  c.make_client();
  c.accept();
  Answer a;
  std::promise<void> ended;
  a.on_end = [&](Answer& done) {
    done.close();
    ended.set_value();
  };
  c.handler.on_new = [](Received& r) { r.reply(200, std::string(50'000, 'x')); };
  c.turn([&] {
    a.stream = c.client->open_stream(&a);
    a.stream->send_head(http2::request("GET", "/"), true);
    a.stream->read_body(false);
  });
  // The client lets go of what it wanted only when all of it is there: then the server goes.
  auto until = std::chrono::steady_clock::now() + kPatience;
  bool idle = false;
  while (!idle && std::chrono::steady_clock::now() < until) c.turn([&] { idle = !c.handler.requests.empty() && c.server->idle(); });
  c.turn([&] { c.server->drain(); });
  ASSERT_TRUE(Connections::wait(c.server_over));
  c.turn([&] {
    EXPECT_EQ(a.failure, "");
    ASSERT_NE(a.stream, nullptr);
    a.stream->read_body(true);
  });
  ASSERT_TRUE(Connections::wait(ended));
  EXPECT_EQ(a.body.size(), 50'000u);
  EXPECT_TRUE(Connections::wait(c.client_over));
}

TEST(Http2Sockets, who_breaks_rules_is_told_and_cut) {
  Connections c;
  base::Fd fd = c.raw_client();
  c.accept();
  std::string bytes = http2::kPreface;
  for (uint32_t i = 0; i < 900; ++i) {
    bytes += http2::frame(http2::kHeaders, http2::kEndStream | http2::kEndHeaders, 2 * i + 1, http2::block(http2::kGet)) +
             http2::frame(http2::kReset, 0, 2 * i + 1, std::string("\0\0\0\x08", 4));
  }
  send_all(fd.get(), bytes);
  ASSERT_TRUE(Connections::wait(c.server_over));
  EXPECT_EQ(c.why, "too many streams were reset");
}

TEST(Http2Sockets, deadlines) {
  struct Row {
    const char* name;
    Http2Options options;
    std::string bytes;
    bool told;  // By GOAWAY.
  };
  using namespace http2;
  Row rows[] = {
      {"idle", {.keep_alive = milliseconds(50)}, kPreface, true},
      {"silent", {.keep_alive = milliseconds(50)}, "", true},
      {"half a header block", {.head = milliseconds(50), .drain = milliseconds(30)}, kPreface + frame(kHeaders, kEndStream, 1, block(kGet)), false},
  };
  for (Row& row : rows) {
    SCOPED_TRACE(row.name);
    Connections c(row.options);
    base::Fd fd = c.raw_client();
    c.accept();
    if (!row.bytes.empty()) send_all(fd.get(), row.bytes);
    std::string got = read_to_end(fd.get());
    EXPECT_EQ(got.find("(it does not end)"), std::string::npos);
    EXPECT_EQ(got.find(frame(kGoaway, 0, 0, std::string(8, '\0'))) != std::string::npos, row.told);
    ASSERT_TRUE(Connections::wait(c.server_over));
  }
}

// A body that does not come, and an answer that is not taken: the stream is given up, the connection stays.
TEST(Http2Sockets, stalled_streams) {
  using namespace http2;
  Http2Options options;
  options.body = options.send = milliseconds(50);
  options.drain = milliseconds(20);
  Connections c(options);
  base::Fd fd = c.raw_client();
  c.accept();
  c.handler.on_new = [](Received& r) {
    if (r.head.method == "PUT") {  // Answered while its body still comes: it may be silent.
      ResponseHead answer;
      answer.body = BodyKind::kStream;
      r.stream->send_head(answer, false);
      return r.stream->read_body(true);
    }
    if (r.head.method == "POST") return r.stream->read_body(true);
    r.reply(200, std::string(100'000, 'x'));  // Above the client's window.
  };
  Fields put = {{":method", "PUT"}, {":scheme", "http"}, {":path", "/"}, {":authority", "a"}}, post = put;
  post[0].second = "POST";
  send_all(fd.get(), kPreface + frame(kHeaders, kEndHeaders, 1, block(put)) + frame(kHeaders, kEndHeaders, 3, block(post)) +
                         frame(kHeaders, kEndStream | kEndHeaders, 5, block(kGet)));
  std::string got;
  std::string cancel("\0\0\0\x08", 4);
  auto has = [&](uint32_t stream) { return got.find(frame(kReset, 0, stream, cancel)) != std::string::npos; };
  auto until = std::chrono::steady_clock::now() + kPatience;
  while (!(has(3) && has(5)) && std::chrono::steady_clock::now() < until) {
    char buffer[65536];
    pollfd wanted{fd.get(), POLLIN, 0};
    if (::poll(&wanted, 1, 1000) <= 0) continue;
    ssize_t n = ::read(fd.get(), buffer, sizeof buffer);
    ASSERT_GT(n, 0);
    got.append(buffer, static_cast<size_t>(n));
  }
  EXPECT_TRUE(has(3));
  EXPECT_TRUE(has(5));
  EXPECT_FALSE(has(1));
  c.turn([&] {
    EXPECT_FALSE(c.handler.requests[0]->gone);
    EXPECT_TRUE(c.handler.requests[1]->gone);
    EXPECT_TRUE(c.server != nullptr);
  });
}

}  // namespace
}  // namespace server::gateway
