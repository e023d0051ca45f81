#include <arpa/inet.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <utime.h>

#include <filesystem>
#include <fstream>

#include "server/images/http_request.h"
#include "server/images/nginx_response.h"
#include "server/images/nginx_server.h"
#include "tests/netns/support.h"

namespace {

using netns_test::ScratchDir;
using server::images::ByteRange;
using server::images::ChunkSkipper;
using server::images::HttpRequest;
using server::images::NginxResponse;
using server::images::NginxSite;
using server::images::ParsedHead;

constexpr time_t kThen = 784111777;  // Sun, 06 Nov 1994 08:49:37 GMT

TEST(NginxParser, request_lines_and_headers) {
  struct Row {
    const char* name;
    std::string in;
    std::string want;  // "METHOD path ?query version host keep-alive" or "bad N" or "more".
  };
  const std::string host = "Host: h\r\n\r\n";
  const Row rows[] = {
      {"plain", "GET / HTTP/1.1\r\n" + host, "GET / ? 11 h keep"},
      {"bare line feeds", "GET / HTTP/1.1\nHost: h\n\n", "GET / ? 11 h keep"},
      {"empty lines before", "\r\n\r\nGET / HTTP/1.1\r\n" + host, "GET / ? 11 h keep"},
      {"query", "GET /a?b=c&d HTTP/1.1\r\n" + host, "GET /a ?b=c&d 11 h keep"},
      {"escapes", "GET /a%20b%2Fc HTTP/1.1\r\n" + host, "GET /a b/c ? 11 h keep"},
      {"dots and slashes", "GET //a/./b/../c/ HTTP/1.1\r\n" + host, "GET /a/c/ ? 11 h keep"},
      {"last part is ..", "GET /a/b/.. HTTP/1.1\r\n" + host, "GET /a/ ? 11 h keep"},
      {"fragment", "GET /a#b HTTP/1.1\r\n" + host, "GET /a ? 11 h keep"},
      {"absolute form", "GET http://X:80/a HTTP/1.1\r\n" + host, "GET /a ? 11 x:80 keep"},
      {"absolute form without path", "GET http://x?q HTTP/1.1\r\n" + host, "GET / ?q 11 x keep"},
      {"1.0 closes", "GET / HTTP/1.0\r\n\r\n", "GET / ? 10  close"},
      {"1.0 keeps when asked", "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET / ? 10  keep"},
      {"1.1 closes when asked", "GET / HTTP/1.1\r\nConnection: close\r\n" + host, "GET / ? 11 h close"},
      {"0.9", "GET /\r\n", "GET / ? 9  close"},
      {"unknown header characters are passed over", "GET / HTTP/1.1\r\na_b: c\r\n" + host, "GET / ? 11 h keep"},
      {"unfinished line", "GET / HT", "more"},
      {"unfinished headers", "GET / HTTP/1.1\r\nHost: h\r\n", "more"},
      {"nothing", "", "more"},
      {"no host", "GET / HTTP/1.1\r\n\r\n", "bad 400"},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\n" + host, "bad 400"},
      {"host with a slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "bad 400"},
      {"lower-case method", "get / HTTP/1.1\r\n" + host, "bad 400"},
      {"broken escape", "GET /%2 HTTP/1.1\r\n" + host, "bad 400"},
      {"no escape", "GET /%zz HTTP/1.1\r\n" + host, "bad 400"},
      {"zero byte", "GET /%00 HTTP/1.1\r\n" + host, "bad 400"},
      {"out of the root", "GET /../etc/passwd HTTP/1.1\r\n" + host, "bad 400"},
      {"out of the root, escaped", "GET /a/%2e%2e/%2e%2e/x HTTP/1.1\r\n" + host, "bad 400"},
      {"no path", "GET x HTTP/1.1\r\n" + host, "bad 400"},
      {"blank in the path", "GET /a b HTTP/1.1\r\n" + host, "bad 400"},
      {"control character", std::string("GET /a\x01 HTTP/1.1\r\n") + host, "bad 400"},
      {"other protocol", "GET / HTTQ/1.1\r\n" + host, "bad 400"},
      {"version 2", "GET / HTTP/2.0\r\n" + host, "bad 505"},
      {"TLS on a plain port", std::string("\x16\x03\x01\x02\x00\x01\n", 7), "bad 400"},
      {"folded header", "GET / HTTP/1.1\r\nA: b\r\n c\r\n" + host, "bad 400"},
      {"header without colon", "GET / HTTP/1.1\r\nabc\r\n" + host, "bad 400"},
      {"blank before colon", "GET / HTTP/1.1\r\nContent-Length : 1\r\n" + host, "bad 400"},
      {"two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n" + host, "bad 400"},
      {"length and chunks", "POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n" + host, "bad 400"},
      {"length is no number", "POST / HTTP/1.1\r\nContent-Length: +1\r\n" + host, "bad 400"},
      {"length overflows", "POST / HTTP/1.1\r\nContent-Length: 18446744073709551616\r\n" + host, "bad 400"},
      {"other encoding", "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n" + host, "bad 501"},
      {"long line", "GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n" + host, "bad 414"},
      {"long line, unfinished", "GET /" + std::string(9000, 'a'), "bad 414"},
      {"long header", "GET / HTTP/1.1\r\nA: " + std::string(9000, 'a') + "\r\n" + host, "bad 400"},
      {"many headers, unfinished", "GET / HTTP/1.1\r\n" + [] { std::string s; for (int i = 0; i < 9; ++i) s += "A: " + std::string(4000, 'a') + "\r\n"; return s; }(), "bad 400"},
  };
  for (const Row& row : rows) {
    ParsedHead head = server::images::parse_head(row.in);
    std::string got;
    if (head.state == ParsedHead::State::kMore) got = "more";
    if (head.state == ParsedHead::State::kBad) got = "bad " + std::to_string(head.status);
    if (head.state == ParsedHead::State::kDone) {
      const HttpRequest& r = head.request;
      got = r.method + " " + r.path + " ?" + r.query + " " + std::to_string(r.version) + " " + r.host + (r.keep_alive ? " keep" : " close");
      EXPECT_EQ(head.consumed, row.in.size()) << row.name;
    }
    EXPECT_EQ(got, row.want) << row.name;
  }
}

TEST(NginxParser, chunked_bodies_are_skipped_in_any_pieces) {
  struct Row {
    std::string in;
    ChunkSkipper::State want;
    size_t rest;
  };
  using State = ChunkSkipper::State;
  const Row rows[] = {
      {"0\r\n\r\nGET", State::kDone, 3},       {"5\r\nhello\r\n0\r\n\r\n", State::kDone, 0},
      {"5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\nX", State::kDone, 1}, {"a\r\n0123456789\r\n", State::kMore, 0},
      {"x\r\n", State::kBad, 0},               {"\r\n", State::kBad, 0},
      {"5\r\nhelloX", State::kBad, 0},         {"ffffffffffffffff\r\n", State::kBad, 0},
  };
  for (const Row& row : rows) {
    ChunkSkipper whole;
    size_t at = 0;
    EXPECT_EQ(whole.skip(row.in, at), row.want) << row.in;
    if (row.want == State::kDone) {
      EXPECT_EQ(row.in.size() - at, row.rest) << row.in;
    }
    ChunkSkipper pieces;
    State state = State::kMore;
    for (size_t i = 0; i < row.in.size() && state == State::kMore; ++i) {
      size_t zero = 0;
      state = pieces.skip(std::string_view(row.in).substr(i, 1), zero);
    }
    EXPECT_EQ(state, row.want) << row.in;
  }
}

TEST(NginxParser, ranges) {
  struct Row {
    const char* header;
    ByteRange::Kind kind;
    uint64_t first, last;
  };
  using Kind = ByteRange::Kind;
  const Row rows[] = {
      {"bytes=0-0", Kind::kOne, 0, 0},   {"bytes=2-", Kind::kOne, 2, 9},           {"bytes=-3", Kind::kOne, 7, 9},
      {"bytes=-30", Kind::kOne, 0, 9},   {"bytes=5-100", Kind::kOne, 5, 9},        {"bytes=10-", Kind::kUnsatisfiable, 10, 9},
      {"bytes=-0", Kind::kUnsatisfiable, 0, 0}, {"bytes=5-2", Kind::kNone, 0, 0},  {"bytes=a-b", Kind::kNone, 0, 0},
      {"bytes=0-1,3-4", Kind::kNone, 0, 0}, {"lines=0-1", Kind::kNone, 0, 0},      {"", Kind::kNone, 0, 0},
  };
  for (const Row& row : rows) {
    ByteRange range = server::images::parse_range(row.header, 10);
    EXPECT_EQ(range.kind, row.kind) << row.header;
    if (row.kind != Kind::kOne) continue;
    EXPECT_EQ(range.first, row.first) << row.header;
    EXPECT_EQ(range.last, row.last) << row.header;
  }
}

TEST(NginxParser, dates) {
  EXPECT_EQ(server::images::http_date(kThen), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(server::images::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), kThen);
  EXPECT_EQ(server::images::parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT"), kThen);
  EXPECT_EQ(server::images::parse_http_date("Sun Nov  6 08:49:37 1994"), kThen);
  EXPECT_EQ(server::images::parse_http_date("yesterday"), -1);
}

// A site with a few files, all modified at kThen.
class Site {
 public:
  Site() {
    site_.root = dir_.path();
    put("/index.html", "<title>Welcome to nginx!</title>");
    put("/a.txt", "0123456789");
    put("/sub/index.html", "sub");
    put("/bin", "x");
    std::filesystem::create_directories(dir_.path() + "/empty");
  }
  const NginxSite& get() const { return site_; }

 private:
  void put(const std::string& path, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(dir_.path() + path).parent_path());
    std::ofstream(dir_.path() + path) << text;
    utimbuf times{kThen, kThen};
    ::utime((dir_.path() + path).c_str(), &times);
  }
  ScratchDir dir_;
  NginxSite site_;
};

TEST(NginxResponse, golden) {
  Site site;
  const std::string date = "Server: nginx/1.27.5\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
  struct Row {
    const char* name;
    std::string request;
    std::string head;
    uint64_t body;
  };
  const Row rows[] = {
      {"file", "GET /a.txt HTTP/1.1\r\nHost: h\r\n\r\n",
       "HTTP/1.1 200 OK\r\n" + date +
           "Content-Type: text/plain\r\nContent-Length: 10\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive\r\n"
           "ETag: \"2ebc98a1-a\"\r\nAccept-Ranges: bytes\r\n\r\n",
       10},
      {"missing", "GET /none HTTP/1.1\r\nHost: h\r\n\r\n",
       "HTTP/1.1 404 Not Found\r\n" + date + "Content-Type: text/html\r\nContent-Length: 153\r\nConnection: keep-alive\r\n\r\n", 153},
      {"not modified", "GET /a.txt HTTP/1.1\r\nHost: h\r\nIf-None-Match: \"2ebc98a1-a\"\r\n\r\n",
       "HTTP/1.1 304 Not Modified\r\n" + date +
           "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive\r\nETag: \"2ebc98a1-a\"\r\n\r\n",
       0},
      {"range", "GET /a.txt HTTP/1.1\r\nHost: h\r\nRange: bytes=2-4\r\n\r\n",
       "HTTP/1.1 206 Partial Content\r\n" + date +
           "Content-Type: text/plain\r\nContent-Length: 3\r\nLast-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive\r\n"
           "ETag: \"2ebc98a1-a\"\r\nContent-Range: bytes 2-4/10\r\n\r\n",
       3},
  };
  for (const Row& row : rows) {
    NginxResponse response = server::images::answer(site.get(), server::images::parse_head(row.request).request, kThen);
    EXPECT_EQ(response.head, row.head) << row.name;
    EXPECT_EQ(response.body_size(), row.body) << row.name;
  }
}

TEST(NginxResponse, status_by_request) {
  Site site;
  struct Row {
    const char* request;  // Line and headers without Host.
    int status;
    const char* has;      // In head or body.
  };
  const Row rows[] = {
      {"GET / HTTP/1.1\r\n", 200, "Content-Type: text/html\r\n"},
      {"HEAD / HTTP/1.1\r\n", 200, "Content-Length: 32\r\n"},
      {"GET /sub/ HTTP/1.1\r\n", 200, "Content-Length: 3\r\n"},
      {"GET /sub?q HTTP/1.1\r\n", 301, "Location: http://h/sub/?q\r\n"},
      {"GET /bin HTTP/1.1\r\n", 200, "Content-Type: application/octet-stream\r\n"},
      {"GET /empty/ HTTP/1.1\r\n", 403, "<center><h1>403 Forbidden</h1></center>\r\n"},
      {"GET /none/ HTTP/1.1\r\n", 404, "<title>404 Not Found</title>"},
      {"GET /a.txt/ HTTP/1.1\r\n", 404, ""},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\n", 405, "<h1>405 Not Allowed</h1>"},
      {"PUT / HTTP/1.1\r\nContent-Length: 1\r\n", 405, ""},
      {"DELETE /none HTTP/1.1\r\n", 405, ""},
      {"POST / HTTP/1.1\r\nContent-Length: 1048577\r\n", 413, "Connection: close\r\n"},
      {"GET /a.txt HTTP/1.1\r\nRange: bytes=10-\r\n", 416, "Content-Range: bytes */10\r\n"},
      {"GET /a.txt HTTP/1.1\r\nRange: bytes=1-2\r\nIf-Range: \"other\"\r\n", 200, ""},
      {"GET /a.txt HTTP/1.1\r\nRange: bytes=1-2\r\nIf-Range: \"2ebc98a1-a\"\r\n", 206, ""},
      {"GET /a.txt HTTP/1.1\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n", 304, ""},
      {"GET /a.txt HTTP/1.1\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:38 GMT\r\n", 200, ""},
      {"GET /a.txt HTTP/1.1\r\nIf-None-Match: W/\"2ebc98a1-a\", \"x\"\r\n", 304, ""},
      {"GET /a.txt HTTP/1.1\r\nIf-None-Match: *\r\n", 304, ""},
      {"GET /a.txt HTTP/1.1\r\nIf-Match: \"x\"\r\n", 412, ""},
      {"GET /a.txt HTTP/1.1\r\nIf-Unmodified-Since: Sat, 05 Nov 1994 08:49:37 GMT\r\n", 412, ""},
  };
  for (const Row& row : rows) {
    ParsedHead head = server::images::parse_head(row.request + std::string("Host: h\r\n\r\n"));
    ASSERT_EQ(head.state, ParsedHead::State::kDone) << row.request;
    NginxResponse response = server::images::answer(site.get(), head.request, kThen);
    EXPECT_EQ(response.status, row.status) << row.request;
    EXPECT_NE((response.head + response.body).find(row.has), std::string::npos) << row.request << response.head << response.body;
    if (head.request.method == "HEAD") {
      EXPECT_EQ(response.body_size(), 0u);
    }
  }
}

// Sends all, half-closes if asked, and reads to the end.
std::string talk(uint16_t port, const std::string& input, bool half_close) {
  base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  timeval limit{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "connect failed";
  if (!base::write_all(fd.get(), input.data(), input.size()).ok()) return "write failed";
  if (half_close) ::shutdown(fd.get(), SHUT_WR);
  std::string text;
  char buffer[65536];
  ssize_t n;
  while ((n = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0) text.append(buffer, static_cast<size_t>(n));
  return n < 0 ? text + "(no end)" : text;
}

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// Runs body against a server in namespaces of its own; returns what it logged.
void with_server(const std::function<void(uint16_t port)>& body, const std::function<void(const std::string& out, const std::string& err)>& check_logs) {
  netns_test::run_isolated([&] {
    ASSERT_EQ(std::system("ip link set lo up"), 0);
    Site site;
    NginxSite plan = site.get();
    plan.port = 0;
    std::ofstream(plan.root + "/large") << std::string(8 << 20, 'x');
    base::Pipe out = base::make_pipe().value(), err = base::make_pipe().value(), port = base::make_pipe().value();
    pid_t pid = ::fork();
    if (pid == 0) {
      ::dup2(out.write.get(), 1);
      ::dup2(err.write.get(), 2);
      sigset_t set;
      sigemptyset(&set);
      for (int number : {SIGTERM, SIGQUIT}) sigaddset(&set, number);
      ::sigprocmask(SIG_BLOCK, &set, nullptr);
      base::Fd stop(::signalfd(-1, &set, SFD_CLOEXEC));
      server::images::NginxServer server(plan);
      if (!server.listen().ok()) ::_exit(50);
      uint16_t number = server.site().port;
      if (::write(port.write.get(), &number, sizeof number) != sizeof number) ::_exit(51);
      ::_exit(server.run(stop));
    }
    out.write.reset();
    err.write.reset();
    uint16_t number = 0;
    ASSERT_EQ(::read(port.read.get(), &number, sizeof number), static_cast<ssize_t>(sizeof number));
    body(number);
    ::kill(pid, SIGQUIT);
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    auto all = [](const base::Fd& fd) {
      std::string text;
      char buffer[65536];
      ssize_t n;
      while ((n = ::read(fd.get(), buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
      return text;
    };
    check_logs(all(out.read), all(err.read));
  });
}

TEST(NginxServer, over_sockets) {
  with_server(
      [](uint16_t port) {
        const std::string get = "GET /a.txt HTTP/1.1\r\nHost: h\r\nUser-Agent: t\"\n\r\n", last = "GET /a.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";
        struct Row {
          const char* name;
          std::string input;
          bool half_close;
          size_t ok, bad;  // Answers 200 and 4xx/5xx.
        };
        const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
        const Row rows[] = {
            {"one", last, false, 1, 0},
            {"pipelined", get + get + last, false, 3, 0},
            {"half-closed", get, true, 1, 0},
            {"a body is skipped", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nabcd" + last, false, 1, 1},
            {"a chunked body is skipped", chunked + last, false, 1, 1},
            {"nothing after a bad request", "NOT HTTP\r\n\r\n" + last, false, 0, 1},
            {"a broken chunk ends it", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + last, false, 0, 1},
            {"an announced body that is too large", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n" + std::string(100000, 'x'), false, 0, 1},
            {"a large file", "GET /large HTTP/1.0\r\n\r\n", false, 1, 0},
            {"nothing", "", true, 0, 0},
        };
        for (const Row& row : rows) {
          std::string text = talk(port, row.input, row.half_close);
          EXPECT_EQ(count(text, "HTTP/1.1 200 "), row.ok) << row.name << ": " << text.substr(0, 300);
          EXPECT_EQ(count(text, "HTTP/1.1 4") + count(text, "HTTP/1.1 5"), row.bad) << row.name << ": " << text.substr(0, 300);
          EXPECT_EQ(count(text, "(no end)"), 0u) << row.name;
          if (row.name == std::string("a large file")) {
            EXPECT_GT(text.size(), size_t{8 << 20});
          }
        }
        EXPECT_EQ(talk(port, "GET /a.txt\r\n", false), "0123456789");
        EXPECT_EQ(count(talk(port, "GET /none\x07 HTTP/1.1\r\nHost: h\r\n\r\n", false), "400 Bad Request"), 3u);
        talk(port, "GET /none HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", false);
      },
      [](const std::string& out, const std::string& err) {
        EXPECT_NE(out.find("127.0.0.1 - - ["), std::string::npos) << out;
        EXPECT_NE(out.find("] \"GET /a.txt HTTP/1.1\" 200 10 \"-\" \"t\\x22\" \"-\"\n"), std::string::npos) << out;
        EXPECT_NE(out.find("] \"GET /none\\x07 HTTP/1.1\" 400 157 \"-\" \"-\" \"-\"\n"), std::string::npos) << out;
        EXPECT_NE(err.find("/none\" failed (2: No such file or directory), client: 127.0.0.1, server: localhost, request: \"GET /none HTTP/1.1\", host: \"h\"\n"),
                  std::string::npos)
            << err;
      });
}

}  // namespace
