#include "tests/server/gateway/differential/echo_backend.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "store/base/text.h"

namespace differential {
namespace {

using base::lower;

constexpr int kBackendDeadlineMs = 10'000;

std::string with_length(const std::string& status, const std::string& more, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + more + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// Fixed answers, whatever was asked. `close`: the connection ends after it.
struct Trick {
  const char* name;
  const char* answer;
  bool close;
};
constexpr Trick kTricks[] = {
    {"chunked", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n7;x=y\r\n second\r\n0\r\n\r\n", false},
    {"until-end", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nup to the end", true},
    {"http10", "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nof an old server", true},
    {"empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false},
    {"no-content", "HTTP/1.1 204 No Content\r\nX-Left: yes\r\n\r\n", false},
    {"not-modified", "HTTP/1.1 304 Not Modified\r\nETag: \"abc\"\r\nLast-Modified: Mon, 02 Nov 2026 10:00:00 GMT\r\n\r\n", false},
    {"partial", "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/10\r\nContent-Length: 4\r\nContent-Type: text/plain\r\n\r\nfour", false},
    {"moved", "HTTP/1.1 302 Found\r\nLocation: http://prefix.example:8080/app/there\r\nContent-Length: 0\r\n\r\n", false},
    {"moved-relative", "HTTP/1.1 301 Moved Permanently\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", false},
    {"refresh", "HTTP/1.1 200 OK\r\nRefresh: 5; url=http://prefix.example/x\r\nContent-Length: 0\r\n\r\n", false},
    {"cookies", "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/app; HttpOnly\r\nSet-Cookie: b=2; Domain=internal.example\r\nContent-Length: 0\r\n\r\n", false},
    {"own-headers", "HTTP/1.1 200 OK\r\nServer: backend/1\r\nDate: Mon, 02 Nov 2026 10:00:00 GMT\r\nX-Powered-By: tests\r\nX_Under: 1\r\nVary: Accept\r\n"
                    "Cache-Control: no-cache\r\nETag: W/\"1\"\r\nContent-Length: 2\r\n\r\nok", false},
    {"accel", "HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\nX-Accel-Expires: 0\r\nX-Mine: 1\r\nContent-Length: 2\r\n\r\nok", false},
    {"hop", "HTTP/1.1 200 OK\r\nKeep-Alive: timeout=9\r\nConnection: keep-alive, X-Private\r\nX-Private: 1\r\nContent-Length: 2\r\n\r\nok", false},
    {"reason", "HTTP/1.1 200 All Is Well\r\nContent-Length: 2\r\n\r\nok", false},
    {"no-reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", false},
    {"odd-status", "HTTP/1.1 299 Odd\r\nContent-Length: 3\r\n\r\nodd", false},
    {"teapot", "HTTP/1.1 418 I'm a teapot\r\nContent-Length: 3\r\n\r\ntea", false},
    {"error-page", "HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nmy words", false},
    {"not-found", "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 8\r\n\r\nmy words", false},
    {"unavailable", "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy", false},
    {"unauthorized", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"b\"\r\nContent-Length: 0\r\n\r\n", false},
    {"garbage", "this is not HTTP\r\n\r\n", true},
    {"half-head", "HTTP/1.1 200 OK\r\nContent-Le", true},
    {"half-body", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nten bytes.", true},
    {"two-lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", true},
    {"both-framings", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", true},
    {"bad-length", "HTTP/1.1 200 OK\r\nContent-Length: two\r\n\r\nok", true},
    {"silence", "", true},
    {"continue-first", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false},
};

struct EchoRequest {
  std::string head, body;
  std::string method, target, trick;
  bool upgrade = false, close = false;
};

// The value of a field; all of one name joined by "|".
std::string field(const std::string& head, const std::string& name) {
  std::string out, all = lower(head);
  for (size_t at = all.find("\r\n" + name + ":"); at != std::string::npos; at = all.find("\r\n" + name + ":", at + 1)) {
    size_t begin = at + name.size() + 3, end = all.find("\r\n", begin);
    while (begin < end && all[begin] == ' ') ++begin;
    out += (out.empty() ? "" : "|") + all.substr(begin, end - begin);
  }
  return out;
}

std::vector<std::string> find_ambiguities(const std::string& head) {
  std::vector<std::string> out;
  if (!field(head, "content-length").empty() && !field(head, "transfer-encoding").empty()) out.push_back("a length and a transfer coding");
  std::string length = field(head, "content-length"), coding = field(head, "transfer-encoding");
  if (length.find_first_not_of("0123456789") != std::string::npos) out.push_back("Content-Length: " + length);
  if (!coding.empty() && coding != "chunked") out.push_back("Transfer-Encoding: " + coding);
  if (field(head, "host").find('|') != std::string::npos || head.find("\r\nHost:") == std::string::npos) out.push_back("not one Host");
  for (size_t i = 0; i < head.size(); ++i) {
    char c = head[i];
    if ((c == '\n' && (i == 0 || head[i - 1] != '\r')) || (c == '\r' && (i + 1 == head.size() || head[i + 1] != '\n'))) out.push_back("a bare CR or LF");
    if ((static_cast<unsigned char>(c) < ' ' && c != '\r' && c != '\n' && c != '\t') || c == 127) out.push_back("a control character");
  }
  size_t begin = head.find("\r\n") + 2;
  if (std::count(head.begin(), head.begin() + static_cast<ptrdiff_t>(begin), ' ') != 2) out.push_back("a request line of not three words");
  for (size_t end; (end = head.find("\r\n", begin)) != std::string::npos && end > begin; begin = end + 2) {
    std::string line = head.substr(begin, end - begin);
    size_t colon = line.find(':');
    if (colon == std::string::npos || colon == 0 || line.find_first_of(" \t") < colon) out.push_back("a field without a proper name: " + line);
  }
  return out;
}

}  // namespace

base::Fd listen_anywhere(uint16_t* port) {
  base::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof to;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&to), size) != 0 || ::listen(fd.get(), 511) != 0) abort();
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&to), &size);
  *port = ntohs(to.sin_port);
  return fd;
}

class EchoBackend::Connection {
 public:
  Connection(EchoBackend& backend, base::Fd fd) : backend_(backend), fd_(std::move(fd)) {}

  void serve() {
    EchoRequest request;
    while (read_request(&request)) {
      if (!answer(request)) return;
      request = EchoRequest();
    }
  }

 private:
  bool fill() {
    pollfd p{fd_.get(), POLLIN, 0};
    char buffer[16384];
    if (::poll(&p, 1, kBackendDeadlineMs * 6) <= 0) return false;
    ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n > 0) in_.append(buffer, static_cast<size_t>(n));
    return n > 0;
  }
  bool have(size_t size) {
    while (in_.size() < size) {
      if (!fill()) return false;
    }
    return true;
  }
  std::string take(size_t size) {
    std::string out = in_.substr(0, size);
    in_.erase(0, size);
    return out;
  }
  std::string take_line() {
    while (in_.find("\r\n") == std::string::npos) {
      if (!fill()) return "";
    }
    return take(in_.find("\r\n") + 2);
  }
  bool send(const std::string& bytes) {
    size_t sent = 0;
    while (sent < bytes.size()) {
      ssize_t n = ::send(fd_.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return false;
      sent += static_cast<size_t>(n);
    }
    return true;
  }

  bool read_request(EchoRequest* out) {
    while (in_.find("\r\n\r\n") == std::string::npos) {
      if (!fill()) return false;
    }
    out->head = take(in_.find("\r\n\r\n") + 4);
    {
      std::lock_guard lock(backend_.mutex_);
      ++backend_.seen_.requests;
      for (std::string& what : find_ambiguities(out->head)) backend_.seen_.ambiguous.push_back(std::move(what));
    }
    size_t first = out->head.find(' '), second = out->head.find(' ', first + 1);
    out->method = out->head.substr(0, first);
    out->target = out->head.substr(first + 1, second - first - 1);
    size_t trick = out->target.find("do=");
    if (trick != std::string::npos) out->trick = out->target.substr(trick + 3, out->target.find('&', trick) - trick - 3);
    out->upgrade = !field(out->head, "upgrade").empty() && field(out->head, "connection").find("upgrade") != std::string::npos;
    out->close = field(out->head, "connection").find("close") != std::string::npos || out->head.find("HTTP/1.0\r\n") != std::string::npos;
    return out->trick == "early" || read_body(out);
  }

  bool read_body(EchoRequest* out) {
    if (field(out->head, "transfer-encoding") == "chunked") {
      for (;;) {
        std::string line = take_line();
        if (line.empty()) return false;
        size_t size = strtoul(line.c_str(), nullptr, 16);
        if (size == 0) break;
        if (!have(size + 2)) return false;
        out->body += take(size);
        take(2);
      }
      for (std::string line; (line = take_line()) != "\r\n";) {
        if (line.empty()) return false;
        out->body += "trailer " + line;
      }
      return true;
    }
    size_t length = strtoul(field(out->head, "content-length").c_str(), nullptr, 10);
    if (!have(length)) return false;
    out->body = take(length);
    return true;
  }

  // False: the connection ends.
  bool answer(const EchoRequest& request) {
    for (const Trick& trick : kTricks) {
      if (request.trick != trick.name) continue;
      std::string bytes = trick.answer;
      if (request.method == "HEAD") bytes = bytes.substr(0, bytes.find("\r\n\r\n") + 4);
      return send(bytes) && !trick.close && !request.close;
    }
    if (request.upgrade && request.trick.empty()) return tunnel(request);
    if (request.trick == "ticks") return send_ticks();
    std::string body = request.head + request.body, more = "Content-Type: text/plain\r\nX-Echo: 1\r\n";
    if (!backend_.name_.empty()) more += "X-Backend: " + backend_.name_ + "\r\n";
    if (request.trick == "big") body = std::string(300'000, 'b');
    if (request.trick == "big-head") more += "X-Big: " + std::string(6'000, 'h') + "\r\n";
    if (request.trick == "fitting-head") more += "X-Big: " + std::string(3'000, 'h') + "\r\n";
    if (request.trick == "length") body = std::to_string(request.body.size());
    if (request.trick == "early") return send(with_length("403 Forbidden", "Connection: close\r\n", "not even read")), false;
    if (request.trick == "never") return have(1), false;  // Until the proxy gives up.
    std::string bytes = with_length("200 OK", more, body);
    if (request.method == "HEAD") bytes = bytes.substr(0, bytes.find("\r\n\r\n") + 4);
    return send(bytes) && !request.close;
  }

  bool send_ticks() {
    send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n");
    std::unique_lock lock(backend_.mutex_);
    for (int told = 0; !backend_.stopping_;) {
      backend_.ticked_.wait(lock, [&] { return backend_.stopping_ || backend_.ticks_ > told; });
      for (; told < backend_.ticks_; ++told) {
        std::string line = "tick " + std::to_string(told + 1) + "\n";
        char size[16];
        snprintf(size, sizeof size, "%zx\r\n", line.size());
        if (!send(size + line + "\r\n")) return false;
      }
    }
    send("0\r\n\r\n");
    return false;
  }

  // Everything comes back, after a first line that says how the request looked.
  bool tunnel(const EchoRequest& request) {
    send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: " + field(request.head, "upgrade") + "\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: none\r\n\r\n");
    send(request.head);
    for (;;) {
      if (!in_.empty()) send(take(in_.size()));
      if (!fill()) return false;
    }
  }

  EchoBackend& backend_;
  base::Fd fd_;
  std::string in_;
};

EchoBackend::EchoBackend(std::string name) : name_(std::move(name)), listener_(listen_anywhere(&port_)), thread_([this] { run(); }) {}

EchoBackend::~EchoBackend() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (int fd : open_) ::shutdown(fd, SHUT_RD);
  }
  ticked_.notify_all();
  for (std::thread& t : connections_) t.join();
}

void EchoBackend::tick() {
  std::lock_guard lock(mutex_);
  ++ticks_;
  ticked_.notify_all();
}

EchoBackend::Seen EchoBackend::take_seen() {
  std::lock_guard lock(mutex_);
  return std::exchange(seen_, Seen());
}

void EchoBackend::run() {
  for (;;) {
    base::Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd) return;
    int raw = fd.get();
    {
      std::lock_guard lock(mutex_);
      open_.push_back(raw);
    }
    connections_.emplace_back([this, raw, fd = std::move(fd)]() mutable {
      Connection connection(*this, std::move(fd));
      connection.serve();
      std::lock_guard lock(mutex_);
      open_.erase(std::find(open_.begin(), open_.end(), raw));
    });
  }
}

}  // namespace differential
