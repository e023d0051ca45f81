#include "server/proxy_health/http.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "store/base/clock.h"

namespace server::proxy_health {
namespace {

using Clock = std::chrono::steady_clock;
using Interest = base::Loop::Interest;

constexpr int kAcceptsAtOnce = 32;
constexpr size_t kReadAtOnce = 4096;

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

const char* phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
  }
  return "Unknown";
}

// What a client sent beyond its request: closed with that unread, the connection would be reset, and the answer lost.
void discard_input(const base::Fd& fd) {
  char sink[4096];
  for (int i = 0; i < 16 && ::recv(fd.get(), sink, sizeof sink, 0) > 0; ++i) {
  }
}

}  // namespace

std::string render_answer(const Answer& answer, bool head_only, Keep keep, base::WallTime now) {
  std::string out = "HTTP/1.1 " + std::to_string(answer.status) + " " + phrase(answer.status) + "\r\n";
  out += "Content-Type: " + answer.content_type + "\r\n";
  for (const auto& [name, value] : answer.headers) out += name + ": " + value + "\r\n";
  out += "Date: " + base::render_http_date(now) + "\r\n";
  out += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n";
  if (keep == Keep::kClose) out += "Connection: close\r\n";
  out += "\r\n";
  if (!head_only) out += answer.body;
  return out;
}

HttpServer::HttpServer(base::Loop& io, const HttpLimits& limits) : io_(io), limits_(limits) {}

HttpServer::~HttpServer() {
  *alive_ = false;
  io_.cancel(sweep_);
  while (!connections_.empty()) drop(connections_.begin());
  for (auto& [id, listener] : listeners_) io_.cancel(listener.watch);
}

HttpServer::ListenerId HttpServer::listen(base::Fd listener, Handler handler) {
  const ListenerId id = ++last_id_;
  Listener& added = listeners_[id];
  added.fd = std::move(listener);
  added.handler = std::move(handler);
  base::ignore(base::set_nonblocking(added.fd.get()), "a socket of ours");
  added.watch = io_.watch(added.fd.get(), Interest::kReadable, [this, id](base::Loop::Ready) { accept_some(id); });
  return id;
}

void HttpServer::close(ListenerId id) {
  auto listener = listeners_.find(id);
  if (listener == listeners_.end()) return;
  for (auto it = connections_.begin(); it != connections_.end();) {
    auto next = std::next(it);
    if (it->listener == id) drop(it);
    it = next;
  }
  io_.cancel(listener->second.watch);
  listeners_.erase(listener);
}

void HttpServer::accept_some(ListenerId id) {
  Listener& listener = listeners_.at(id);
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    base::Fd fd(::accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      // Out of descriptors: level-triggered, so without freeing one this would spin.
      if ((errno != EMFILE && errno != ENFILE) || connections_.empty()) break;
      drop(connections_.begin());
      continue;
    }
    if (connections_.size() >= limits_.connections) drop(connections_.begin());
    auto it = connections_.emplace(connections_.end());
    it->fd = std::move(fd);
    it->listener = id;
    it->since = Clock::now();
    it->watch = io_.watch(it->fd.get(), it->interest, [this, it](base::Loop::Ready) { serve(it); });
  }
  schedule_sweep();
}

void HttpServer::serve(Connections::iterator it) {
  if (!it->ended && !it->answering && it->out.empty() && !read_some(*it)) return drop(it);
  advance(it);
}

// False: reset.
bool HttpServer::read_some(Connection& connection) {
  char buffer[kReadAtOnce];
  const ssize_t size = ::recv(connection.fd.get(), buffer, sizeof buffer, 0);
  if (size < 0) return would_block();
  if (size == 0) connection.ended = true;
  connection.in.append(buffer, static_cast<size_t>(size));
  return true;
}

// Sends what there is; takes the next request when all is sent; waits for what comes next.
void HttpServer::advance(Connections::iterator it) {
  Connection& c = *it;
  if (!write_some(c)) return drop(it);
  if (c.out.empty() && !c.answering) {
    if (c.closing) {
      discard_input(c.fd);
      return drop(it);
    }
    take_request(it);  // The handler may answer at once, which comes back here and may drop the connection.
    return;
  }
  // While a handler works nothing is read, and a client that leaves is noticed when it is answered.
  const Interest interest = !c.out.empty() ? Interest::kWritable : Interest::kNone;
  if (interest != c.interest) io_.change(c.watch, c.interest = interest);
}

void HttpServer::take_request(Connections::iterator it) {
  Connection& c = *it;
  const size_t end = find_head_end(c.in);
  if (end == std::string_view::npos || end > limits_.head) {
    if (c.in.size() > limits_.head) {
      refuse(c, 431, "request header fields too large");
      return advance(it);
    }
    if (c.ended) return drop(it);
    if (c.interest != Interest::kReadable) io_.change(c.watch, c.interest = Interest::kReadable);
    return;
  }
  base::Result<RequestHead> head = parse_head(std::string_view(c.in).substr(0, end));
  c.in.erase(0, end);
  step(it);
  if (!head.ok()) {
    refuse(c, 400, head.error().message);
    return advance(it);
  }
  c.head_only = head->request.method == "HEAD";
  // A body, which no GET needs, is not read: the connection ends with the answer.
  c.closing = !head->keep_alive || head->chunked || head->content_length.value_or(0) > 0;
  if (!c.head_only && head->request.method != "GET") {
    refuse(c, 405, "method not allowed");
    return advance(it);
  }
  c.answering = true;
  listeners_.at(c.listener).handler(*head, [this, alive = alive_, watch = c.watch](Answer answered) {
    if (!*alive) return;
    // Watch ids are never used twice, so this tells whether the connection is still there.
    auto known = std::find_if(connections_.begin(), connections_.end(), [&](const Connection& other) { return other.watch == watch; });
    if (known != connections_.end() && known->answering) answer(known, answered);
  });
}

void HttpServer::refuse(Connection& c, int status, const std::string& why) {
  Answer answer{status, "text/plain; charset=utf-8", {}, why + "\n"};
  if (status == 405) answer.headers.emplace_back("Allow", "GET, HEAD");
  c.closing = true;
  c.out = render_answer(answer, c.head_only, Keep::kClose, base::SystemClock().wall());
  c.sent = 0;
}

void HttpServer::answer(Connections::iterator it, const Answer& answered) {
  Connection& c = *it;
  c.answering = false;
  c.out = render_answer(answered, c.head_only, c.closing ? Keep::kClose : Keep::kAlive, base::SystemClock().wall());
  c.sent = 0;
  step(it);
  // Not from here: a client that pipelines would have its requests answered in ever deeper calls.
  io_.change(c.watch, c.interest = Interest::kWritable);
}

bool HttpServer::write_some(Connection& c) {
  while (c.sent < c.out.size()) {
    const ssize_t size = ::send(c.fd.get(), c.out.data() + c.sent, c.out.size() - c.sent, MSG_NOSIGNAL);
    if (size < 0) return would_block();
    c.sent += static_cast<size_t>(size);
  }
  c.out.clear();
  c.sent = 0;
  return true;
}

void HttpServer::step(Connections::iterator it) {
  it->since = Clock::now();
  connections_.splice(connections_.end(), connections_, it);
}

void HttpServer::drop(Connections::iterator it) {
  io_.cancel(it->watch);
  connections_.erase(it);
}

void HttpServer::schedule_sweep() {
  if (sweep_ != 0 || connections_.empty()) return;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(connections_.front().since + limits_.idle - Clock::now());
  sweep_ = io_.timer(std::max(left, std::chrono::milliseconds(1)), std::chrono::milliseconds(0), [this] { sweep(); });
}

void HttpServer::sweep() {
  sweep_ = 0;
  const auto now = Clock::now();
  while (!connections_.empty() && connections_.front().since + limits_.idle <= now) drop(connections_.begin());
  schedule_sweep();
}

}  // namespace server::proxy_health
