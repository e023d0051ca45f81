#include "server/dns/server.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace server::dns {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kDatagramsAtOnce = 64;  // Then other watchers of the loop get their turn.
constexpr int kAcceptsAtOnce = 32;
constexpr size_t kReadAtOnce = 16 * 1024;
constexpr size_t kMaxMessage = 65535;
constexpr size_t kMaxQuery = 4096;  // A question with its options is far smaller.

unsigned message_length(std::string_view in) {
  return static_cast<unsigned>(static_cast<uint8_t>(in[0]) << 8 | static_cast<uint8_t>(in[1]));
}

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

Server::Server(base::Loop& loop, DnsSockets sockets, AnswerFn answer, const ServerLimits& limits)
    : loop_(loop), sockets_(std::move(sockets)), answer_(std::move(answer)), limits_(limits) {
  if (sockets_.udp && base::set_nonblocking(sockets_.udp.get()).ok()) {
    udp_watch_ = loop_.watch(sockets_.udp.get(), base::Loop::Interest::kReadable, [this](base::Loop::Ready) { read_udp(); });
  }
  if (sockets_.tcp && base::set_nonblocking(sockets_.tcp.get()).ok()) {
    tcp_watch_ = loop_.watch(sockets_.tcp.get(), base::Loop::Interest::kReadable, [this](base::Loop::Ready) { accept_tcp(); });
  }
}

Server::~Server() {
  for (base::Loop::Id id : {udp_watch_, tcp_watch_, sweep_}) loop_.cancel(id);
  while (!connections_.empty()) close(connections_.begin());
}

// Empty: no answer is due.
std::string Server::respond(std::string_view message, bool datagram) {
  ParsedQuery parsed = parse_query(message);
  Answer answer;
  switch (parsed.outcome) {
    case ParsedQuery::Outcome::kDrop:
      return "";
    case ParsedQuery::Outcome::kReject:
      answer.rcode = parsed.rcode;
      break;
    case ParsedQuery::Outcome::kAnswer:
      answer = answer_(parsed.query);
      break;
  }
  return render_response(parsed.query, answer, datagram ? udp_limit(parsed.query) : kMaxMessage);
}

void Server::read_udp() {
  char buffer[kMaxQuery];
  for (int i = 0; i < kDatagramsAtOnce; ++i) {
    sockaddr_storage peer{};
    socklen_t peer_size = sizeof peer;
    const ssize_t size = recvfrom(sockets_.udp.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&peer), &peer_size);
    if (size < 0) {
      // A pending ICMP error (the client closed its port) is reported once, by any call: go on.
      if (errno == ECONNREFUSED) continue;
      return;
    }
    const std::string out = respond({buffer, static_cast<size_t>(size)}, true);
    // A full buffer loses this answer, as the network might; the client asks again.
    if (!out.empty()) sendto(sockets_.udp.get(), out.data(), out.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&peer), peer_size);
  }
}

void Server::accept_tcp() {
  for (int i = 0; i < kAcceptsAtOnce; ++i) {
    base::Fd fd(accept4(sockets_.tcp.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      // Out of descriptors: level-triggered, so without freeing one this would spin.
      if ((errno != EMFILE && errno != ENFILE) || connections_.empty()) break;
      close(connections_.begin());
      continue;
    }
    if (connections_.size() >= limits_.connections) close(connections_.begin());
    auto it = connections_.emplace(connections_.end());
    it->fd = std::move(fd);
    it->last = Clock::now();
    rewatch(it);
  }
  schedule_sweep();
}

void Server::rewatch(Connections::iterator it) {
  const bool reading = !it->ended && it->out.size() < limits_.unsent;
  const bool writing = !it->out.empty();
  if (it->watch != 0 && reading == it->reading && writing == it->writing) return;
  loop_.cancel(it->watch);
  it->reading = reading;
  it->writing = writing;
  using Interest = base::Loop::Interest;
  const Interest interest = reading && writing ? Interest::kBoth : writing ? Interest::kWritable : Interest::kReadable;
  it->watch = loop_.watch(it->fd.get(), interest, [this, it](base::Loop::Ready ready) { serve(it, ready); });
}

void Server::serve(Connections::iterator it, base::Loop::Ready ready) {
  it->last = Clock::now();
  connections_.splice(connections_.end(), connections_, it);
  bool alive = true;
  if ((ready.readable || ready.error) && it->reading) alive = read_some(*it);
  if (alive) answer_pending(*it);
  if (alive) alive = write_some(*it);
  // A hang-up with nothing more to read: whatever is unsent has no reader.
  if (!alive || (it->ended && it->out.empty()) || (ready.error && !it->reading)) {
    close(it);
    return;
  }
  rewatch(it);
}

bool Server::read_some(Connection& connection) {
  char buffer[kReadAtOnce];
  const ssize_t size = recv(connection.fd.get(), buffer, sizeof buffer, 0);
  if (size < 0) return would_block();
  if (size == 0) connection.ended = true;
  connection.in.append(buffer, static_cast<size_t>(size));
  // The declared length of the first message bounds what is kept.
  return connection.in.size() < 2 || message_length(connection.in) <= kMaxQuery;
}

void Server::answer_pending(Connection& connection) {
  size_t at = 0;
  while (connection.in.size() - at >= 2 && connection.out.size() < limits_.unsent) {
    const size_t length = message_length(std::string_view(connection.in).substr(at));
    if (connection.in.size() - at - 2 < length) break;
    const std::string out = respond(std::string_view(connection.in).substr(at + 2, length), false);
    at += 2 + length;
    if (out.empty()) continue;
    connection.out += static_cast<char>(out.size() >> 8);
    connection.out += static_cast<char>(out.size() & 0xff);
    connection.out += out;
  }
  connection.in.erase(0, at);
}

bool Server::write_some(Connection& connection) {
  while (!connection.out.empty()) {
    const ssize_t size = send(connection.fd.get(), connection.out.data(), connection.out.size(), MSG_NOSIGNAL);
    if (size < 0) return would_block();
    connection.out.erase(0, static_cast<size_t>(size));
    if (connection.out.empty()) answer_pending(connection);  // Messages that waited for room.
  }
  return true;
}

void Server::close(Connections::iterator it) {
  loop_.cancel(it->watch);
  connections_.erase(it);
}

void Server::schedule_sweep() {
  if (sweep_ != 0 || connections_.empty()) return;
  const auto oldest = connections_.front().last + limits_.idle - Clock::now();
  const auto delay = std::max(std::chrono::ceil<std::chrono::milliseconds>(oldest), std::chrono::milliseconds(1));
  sweep_ = loop_.timer(delay, std::chrono::milliseconds(0), [this] { close_idle(); });
}

void Server::close_idle() {
  sweep_ = 0;
  const auto now = Clock::now();
  while (!connections_.empty() && connections_.front().last + limits_.idle <= now) close(connections_.begin());
  schedule_sweep();
}

}  // namespace server::dns
