#include "server/publish/tcp_relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace server::publish {
namespace {

using Interest = base::Loop::Interest;

constexpr size_t kReadAtOnce = 256 * 1024;
constexpr int kReadsAtOnce = 4;  // Then other watchers of the loop get their turn.

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

// The io loop is one thread, and nothing is kept here between two calls.
std::vector<char>& scratch() {
  static thread_local std::vector<char> buffer(kReadAtOnce);
  return buffer;
}

void set_up(const base::Fd& fd) {
  int on = 1, idle = 30, interval = 10;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // A pod that is gone says no goodbye: its namespace went with it.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
}

void reset_on_close(const base::Fd& fd) {
  const linger now{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

}  // namespace

TcpRelay::TcpRelay(base::Loop& io, base::Fd host, base::Fd cluster, Traffic& traffic, std::function<void()> done)
    : io_(io), traffic_(traffic), done_(std::move(done)) {
  host_.fd = std::move(host);
  cluster_.fd = std::move(cluster);
  for (Side* side : {&host_, &cluster_}) {
    set_up(side->fd);
    side->watch = io_.watch(side->fd.get(), side->interest, [this, side](base::Loop::Ready ready) { serve(*side, ready); });
  }
}

TcpRelay::~TcpRelay() {
  for (Side* side : {&host_, &cluster_}) {
    io_.cancel(side->watch);
    if (!clean_) reset_on_close(side->fd);
  }
}

void TcpRelay::serve(Side& side, base::Loop::Ready ready) {
  // Reset while nothing is asked of it: it takes no more, but what it sent before is still to be passed on.
  if (ready.error && side.interest == Interest::kError) side.deaf = true;
  // A side that was reset may have sent before: what it sent is still passed on, then the other is reset too.
  const bool host_alive = pump(host_, cluster_, traffic_.sent);
  const bool cluster_alive = pump(cluster_, host_, traffic_.received);
  const bool reset = !host_alive || !cluster_alive || (host_.deaf && cluster_.deaf);
  const bool passed_on = over(host_, cluster_) && over(cluster_, host_) && (host_.unsent.empty() || host_.deaf) && (cluster_.unsent.empty() || cluster_.deaf);
  if (reset || passed_on) {
    clean_ = passed_on && !reset && !host_.deaf && !cluster_.deaf;
    std::exchange(done_, nullptr)();
    return;
  }
  rewatch(host_, cluster_);
  rewatch(cluster_, host_);
}

bool TcpRelay::pump(Side& from, Side& to, std::atomic<uint64_t>& counter) {
  if (!flush(to)) return true;
  std::vector<char>& buffer = scratch();
  for (int i = 0; i < kReadsAtOnce && !from.ended && !to.deaf && to.unsent.empty(); ++i) {
    const ssize_t size = ::recv(from.fd.get(), buffer.data(), buffer.size(), 0);
    if (size < 0) return would_block();
    if (size == 0) {
      from.ended = true;
      ::shutdown(to.fd.get(), SHUT_WR);
      break;
    }
    counter += static_cast<uint64_t>(size);
    size_t taken = 0;
    if (!send_some(to, buffer.data(), static_cast<size_t>(size), &taken)) break;
    to.unsent.assign(buffer.data() + taken, static_cast<size_t>(size) - taken);
    to.sent = 0;
    // A short read left nothing behind; if more has come since, the loop tells.
    if (static_cast<size_t>(size) < buffer.size()) break;
  }
  return true;
}

// True when nothing is left.
bool TcpRelay::flush(Side& to) {
  if (to.unsent.empty() || to.deaf) return !to.deaf;
  size_t taken = 0;
  if (!send_some(to, to.unsent.data() + to.sent, to.unsent.size() - to.sent, &taken)) return false;
  to.sent += taken;
  if (to.sent < to.unsent.size()) return false;
  std::string().swap(to.unsent);  // Gives the memory back.
  to.sent = 0;
  return true;
}

// False: the side takes no more, ever.
bool TcpRelay::send_some(Side& to, const char* data, size_t size, size_t* taken) {
  while (*taken < size) {
    const ssize_t n = ::send(to.fd.get(), data + *taken, size - *taken, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && would_block()) return true;
    if (n < 0) {
      to.deaf = true;
      std::string().swap(to.unsent);
      return false;
    }
    *taken += static_cast<size_t>(n);
  }
  return true;
}

void TcpRelay::rewatch(Side& side, const Side& other) {
  const bool read = !side.ended && !other.deaf && other.unsent.empty();
  const bool write = !side.unsent.empty() && !side.deaf;
  Interest interest = read && write ? Interest::kBoth : read ? Interest::kReadable : write ? Interest::kWritable : Interest::kError;
  // A side that both directions are done with hangs up for as long as it is watched.
  if (interest == Interest::kError && (side.deaf || (side.ended && other.ended))) interest = Interest::kNone;
  if (interest == side.interest) return;
  side.interest = interest;
  io_.change(side.watch, interest);
}

}  // namespace server::publish
