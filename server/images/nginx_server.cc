#include "server/images/nginx_server.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>

namespace server::images {
namespace {

constexpr size_t kMaxConnections = 1024;   // worker_connections
constexpr int kMaxRequests = 1000;         // keepalive_requests
constexpr auto kIdleTime = std::chrono::seconds(65);   // keepalive_timeout
constexpr auto kReadTime = std::chrono::seconds(60);   // client_header_timeout
constexpr auto kLingerTime = std::chrono::seconds(5);  // lingering_timeout
constexpr size_t kReadSize = 16 * 1024;

std::string escaped(std::string_view text) {
  std::string out;
  char code[5];
  for (unsigned char c : text) {
    if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\') {
      std::snprintf(code, sizeof code, "\\x%02X", c);
      out += code;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

std::string log_value(const HttpRequest& request, std::string_view name) {
  const std::string* value = request.find(name);
  return value == nullptr || value->empty() ? "-" : escaped(*value);
}

std::string local_time(const char* format, time_t now) {
  struct tm parts {};
  ::localtime_r(&now, &parts);
  char text[64];
  size_t n = std::strftime(text, sizeof text, format, &parts);
  return std::string(text, n);
}

std::string address_text(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, text, sizeof text);
  if (storage.ss_family == AF_INET6) ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, text, sizeof text);
  return text;
}

// One write a line: lines of several processes on one pipe stay whole.
void write_line(int fd, const std::string& line) { base::ignore(base::write_all(fd, line.data(), line.size()), "nobody reads the log"); }

}  // namespace

base::Status NginxServer::listen_on(int family) {
  base::Fd fd(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::os_error("socket()");
  int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (family == AF_INET6) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  sockaddr_storage address{};
  socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  address.ss_family = static_cast<sa_family_t>(family);
  // Both families have the port at the same place.
  reinterpret_cast<sockaddr_in&>(address).sin_port = htons(site_.port);
  const std::string name = (family == AF_INET ? "0.0.0.0:" : "[::]:") + std::to_string(site_.port);
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) {
    int err = errno;
    return base::Error(base::Code::kUnavailable, "bind() to " + name + " failed (" + std::to_string(err) + ": " + std::strerror(err) + ")");
  }
  if (::listen(fd.get(), 511) != 0) return base::os_error("listen() to " + name);
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0) site_.port = ntohs(reinterpret_cast<sockaddr_in&>(address).sin_port);
  listeners_.push_back(std::move(fd));
  return {};
}

base::Status NginxServer::listen() {
  TRY_STATUS(listen_on(AF_INET));
  base::ignore(listen_on(AF_INET6), "a cluster without IPv6 has no such sockets");
  epoll_ = base::Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return base::os_error("epoll_create1()");
  for (const base::Fd& listener : listeners_) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = listener.get();
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, listener.get(), &event) != 0) return base::os_error("epoll_ctl()");
  }
  return {};
}

void NginxServer::accept_all(const base::Fd& listener) {
  for (;;) {
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    int fd = ::accept4(listener.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
      drop_idle();  // The listener stays readable, so this comes again.
      return;
    }
    if (fd < 0) return;
    if (connections_.size() >= kMaxConnections) drop_idle();
    add_connection(fd, peer);
  }
}

void NginxServer::add_connection(int fd, const sockaddr_storage& peer) {
  auto connection = std::make_unique<Connection>();
  connection->fd = base::Fd(fd);
  connection->number = next_number_++;
  connection->client = address_text(peer);
  connection->deadline = std::chrono::steady_clock::now() + kReadTime;
  int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return;
  connections_[fd] = std::move(connection);
}

// Makes room by closing the connection that would time out first.
void NginxServer::drop_idle() {
  auto first = std::min_element(connections_.begin(), connections_.end(),
                                [](const auto& a, const auto& b) { return a.second->deadline < b.second->deadline; });
  if (first != connections_.end()) connections_.erase(first);
}

void NginxServer::watch(Connection& connection, bool write) {
  if (connection.wants_write == write) return;
  connection.wants_write = write;
  epoll_event event{};
  // While the peer does not take our answer, nothing more is read from it: its requests wait in the socket.
  event.events = write ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
  event.data.fd = connection.fd.get();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.fd.get(), &event);
}

bool NginxServer::read_input(Connection& connection) {
  char buffer[kReadSize];
  // Bounded: one connection must not keep the others waiting. What is left makes the socket readable again.
  for (int i = 0; i < 4; ++i) {
    ssize_t n = ::recv(connection.fd.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN || errno == EWOULDBLOCK;
    if (n == 0) {
      connection.peer_closed = true;
      return true;
    }
    if (!connection.lingering) connection.input.append(buffer, static_cast<size_t>(n));
    if (static_cast<size_t>(n) < sizeof buffer || connection.input.size() > kMaxHead) return true;
  }
  return true;
}

// True when no body is left to skip.
bool NginxServer::skip_body(Connection& connection) {
  if (connection.chunks) {
    size_t at = 0;
    ChunkSkipper::State state = connection.chunks->skip(connection.input, at);
    connection.input.erase(0, at);
    if (state == ChunkSkipper::State::kBad || connection.chunks->body_size() > site_.max_body) connection.close_after = true;
    if (state == ChunkSkipper::State::kMore && !connection.close_after) return false;
    connection.chunks.reset();
    return true;
  }
  uint64_t take = std::min<uint64_t>(connection.body_left, connection.input.size());
  connection.input.erase(0, static_cast<size_t>(take));
  connection.body_left -= take;
  return connection.body_left == 0;
}

void NginxServer::respond(Connection& connection, const HttpRequest& request, NginxResponse response) {
  ++connection.requests;
  if (connection.requests >= kMaxRequests || draining_) response.keep_alive = false;
  if (!response.keep_alive) {
    // Decided here and not by the request: its headers said otherwise.
    const std::string keep = "Connection: keep-alive\r\n";
    size_t at = response.head.find(keep);
    if (at != std::string::npos) response.head.replace(at, keep.size(), "Connection: close\r\n");
    connection.close_after = true;
  }
  log(connection, request, response);
  connection.output = std::move(response.head) + response.body;
  connection.sent = 0;
  connection.file = std::move(response.file);
  connection.file_at = response.file_begin;
  connection.file_end = response.file_end;
  connection.body_left = connection.close_after ? 0 : request.content_length;
  if (request.chunked && !connection.close_after) connection.chunks.emplace();
}

NginxServer::Sent NginxServer::send_output(Connection& connection) {
  while (connection.sent < connection.output.size()) {
    int more = connection.file.valid() ? MSG_MORE : 0;
    ssize_t n = ::send(connection.fd.get(), connection.output.data() + connection.sent, connection.output.size() - connection.sent, MSG_NOSIGNAL | more);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? Sent::kBlocked : Sent::kFailed;
    connection.sent += static_cast<size_t>(n);
  }
  while (connection.file.valid() && connection.file_at < connection.file_end) {
    off_t at = static_cast<off_t>(connection.file_at);
    ssize_t n = ::sendfile(connection.fd.get(), connection.file.get(), &at, static_cast<size_t>(std::min<uint64_t>(connection.file_end - connection.file_at, 1 << 20)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno == EAGAIN ? Sent::kBlocked : Sent::kFailed;
    if (n == 0) return Sent::kFailed;  // The file shrank: the promised length cannot be kept.
    connection.file_at += static_cast<uint64_t>(n);
  }
  return Sent::kAll;
}

// False: close now.
bool NginxServer::finish_response(Connection& connection) {
  connection.output.clear();
  connection.sent = 0;
  connection.file.reset();
  connection.deadline = std::chrono::steady_clock::now() + kIdleTime;
  if (!connection.close_after) return true;
  if (connection.peer_closed) return false;
  // Closing with unread input would send a reset, which can destroy the answer on its way: shut down and wait.
  ::shutdown(connection.fd.get(), SHUT_WR);
  connection.lingering = true;
  connection.input.clear();
  connection.deadline = std::chrono::steady_clock::now() + kLingerTime;
  return true;
}

// Goes on as far as input and output allow. False: close.
bool NginxServer::advance(Connection& connection) {
  // Bounded by the input at hand: every round takes a request out of it.
  while (!connection.lingering) {
    if (!connection.output.empty() || connection.file.valid()) {
      Sent sent = send_output(connection);
      if (sent == Sent::kFailed) return false;
      watch(connection, sent == Sent::kBlocked);
      if (sent == Sent::kBlocked) {
        connection.deadline = std::chrono::steady_clock::now() + kReadTime;
        return true;
      }
      if (!finish_response(connection)) return false;
      continue;
    }
    if (!skip_body(connection)) return !connection.peer_closed;
    if (connection.close_after) {
      if (!finish_response(connection)) return false;
      continue;
    }
    ParsedHead head = parse_head(connection.input);
    if (head.state == ParsedHead::State::kMore) return !connection.peer_closed;
    time_t now = ::time(nullptr);
    if (head.state == ParsedHead::State::kBad) {
      respond(connection, head.request, answer_bad(head, now));
      continue;
    }
    connection.input.erase(0, head.consumed);
    respond(connection, head.request, answer(site_, head.request, now));
  }
  return !connection.peer_closed;
}

bool NginxServer::handle(Connection& connection, uint32_t events) {
  if ((events & EPOLLERR) != 0) return false;
  if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP)) != 0) {
    if (!read_input(connection)) return false;
    if (connection.input.empty() && connection.peer_closed && connection.output.empty() && !connection.file.valid()) return false;
  }
  return advance(connection);
}

void NginxServer::log(const Connection& connection, const HttpRequest& request, const NginxResponse& response) {
  time_t now = ::time(nullptr);
  write_line(1, connection.client + " - - [" + local_time("%d/%b/%Y:%H:%M:%S %z", now) + "] \"" + escaped(request.line) + "\" " +
                    std::to_string(response.status) + " " + std::to_string(response.body_size()) + " \"" + log_value(request, "referer") + "\" \"" +
                    log_value(request, "user-agent") + "\" \"" + log_value(request, "x-forwarded-for") + "\"\n");
  if (response.error_note.empty()) return;
  const std::string* host = request.find("host");
  write_line(2, local_time("%Y/%m/%d %H:%M:%S", now) + " [error] 1#1: *" + std::to_string(connection.number) + " " + response.error_note +
                    ", client: " + connection.client + ", server: localhost, request: \"" + escaped(request.line) + "\"" +
                    (host == nullptr ? "" : ", host: \"" + escaped(*host) + "\"") + "\n");
}

void NginxServer::expire(Time now) {
  for (auto it = connections_.begin(); it != connections_.end();) {
    it = it->second->deadline <= now ? connections_.erase(it) : std::next(it);
  }
}

// Deadlines are in whole minutes: a look a second is exact enough, and without connections there is none.
int NginxServer::wait_time() const { return connections_.empty() ? -1 : 1000; }

int NginxServer::run(const base::Fd& stop) {
  epoll_event stop_event{};
  stop_event.events = EPOLLIN;
  stop_event.data.fd = stop.get();
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, stop.get(), &stop_event) != 0) return 1;
  epoll_event events[64];
  for (;;) {
    if (draining_ && connections_.empty()) return 0;
    int n = ::epoll_wait(epoll_.get(), events, 64, wait_time());
    if (n < 0 && errno != EINTR) return 1;
    for (int i = 0; i < n; ++i) {
      int fd = events[i].data.fd;
      if (fd == stop.get()) {
        signalfd_siginfo info{};
        if (::read(stop.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info) && info.ssi_signo != SIGQUIT) return 0;
        draining_ = true;
        listeners_.clear();
        // Those between requests have nothing to wait for.
        std::erase_if(connections_, [](const auto& entry) { return entry.second->output.empty() && entry.second->input.empty(); });
        continue;
      }
      auto listener = std::find_if(listeners_.begin(), listeners_.end(), [&](const base::Fd& each) { return each.get() == fd; });
      if (listener != listeners_.end()) {
        accept_all(*listener);
        continue;
      }
      auto it = connections_.find(fd);
      if (it != connections_.end() && !handle(*it->second, events[i].events)) connections_.erase(it);
    }
    expire(std::chrono::steady_clock::now());
  }
}

}  // namespace server::images
