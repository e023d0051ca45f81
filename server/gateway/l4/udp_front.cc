#include "server/gateway/l4/udp_front.h"

#include <errno.h>
#include <sys/socket.h>

#include <algorithm>

#include "server/gateway/message/thread_buffer.h"
#include "server/gateway/policy/balance.h"

namespace server::gateway {
namespace {

// Of one turn, so that others get theirs.
constexpr int kDatagramsAtOnce = 64;
constexpr std::chrono::milliseconds kDrainIdle{2'000};
constexpr ThreadBuffer<struct UdpReads> udp_buffer;  // 64 KiB: no datagram is longer.

}  // namespace

UdpFront::UdpFront(LaneContext& lane, std::shared_ptr<const LiveListener> listener, size_t max_sessions)
    : lane_(lane), listener_(std::move(listener)), table_(*lane.table), max_sessions_(max_sessions) {}

UdpFront::~UdpFront() {
  while (!by_silence_.empty()) end(*by_silence_.front());
  for (auto& ear : ears_) lane_.loop.cancel(ear->watch);
}

void UdpFront::listen(base::Fd socket) {
  port_ = base::local_address(socket.get()).port();
  auto ear = std::make_unique<Ear>();
  ear->fd = std::move(socket);
  ear->watch = lane_.loop.watch(ear->fd.get(), base::Loop::Interest::kReadable, [this, raw = ear.get()](base::Loop::Ready) {
    Socket::Turn turn;
    take_some(*raw);
  });
  ears_.push_back(std::move(ear));
}

void UdpFront::set_listener(std::shared_ptr<const LiveListener> listener) {
  listener_ = std::move(listener);
  table_ = *lane_.table;
  std::vector<Session*> gone;
  for (Session* session : by_silence_) {
    bool there = false;
    for (const Backend& backend : listener_->listener().backends) {
      if (!backend.upstream) continue;
      for (const Endpoint& endpoint : backend.upstream->endpoints) there = there || (endpoint.address == session->endpoint.address && endpoint.port == session->endpoint.port);
    }
    if (!there) gone.push_back(session);
  }
  for (Session* session : gone) end(*session);
}

void UdpFront::take_some(Ear& ear) {
  for (int i = 0; i < kDatagramsAtOnce; ++i) {
    base::SocketAddress from;
    const ssize_t n = ::recvfrom(ear.fd.get(), udp_buffer.data(), udp_buffer.size(), MSG_DONTWAIT, from.get(), &from.size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;
    Session* session = find_or_begin(ear, from);
    if (session == nullptr) continue;
    touch(*session);
    if (::send(session->fd.get(), udp_buffer.data(), static_cast<size_t>(n), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 || errno != ECONNREFUSED) continue;
    // Told of an earlier datagram that nobody was there: this one goes elsewhere, where there is another.
    end(*session);
    session = find_or_begin(ear, from);
    if (session != nullptr) ::send(session->fd.get(), udp_buffer.data(), static_cast<size_t>(n), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
}

UdpFront::Session* UdpFront::find_or_begin(Ear& ear, const base::SocketAddress& from) {
  const Key key{from.ip(), from.port()};
  if (auto it = sessions_.find(key); it != sessions_.end()) return it->second.get();
  if (draining_) return nullptr;
  auto made = std::make_unique<Session>(*this, ear, key, from);
  if (!connect(*made)) return nullptr;
  if (sessions_.size() >= max_sessions_) end(*by_silence_.front());
  Session* session = made.get();
  session->place = by_silence_.insert(by_silence_.end(), session);
  sessions_.emplace(key, std::move(made));
  session->watch = lane_.loop.watch(session->fd.get(), base::Loop::Interest::kReadable, [this, session](base::Loop::Ready) {
    Socket::Turn turn;
    answer_some(*session);
  });
  lane_.shared.stats.accepted.fetch_add(1, std::memory_order_relaxed);
  lane_.shared.stats.connections.fetch_add(1, std::memory_order_relaxed);
  touch(*session);
  return session;
}

// False: no endpoint, or no descriptor left for it.
bool UdpFront::connect(Session& session) {
  const std::vector<Backend>& backends = listener_->listener().backends;
  const size_t chosen = pick_backend(backends, listener_->turns.get());
  if (chosen >= backends.size() || !backends[chosen].upstream || backends[chosen].upstream->endpoints.empty()) return false;
  const Upstream& upstream = *backends[chosen].upstream;
  session.endpoint = upstream.endpoints[table_->state_of(upstream).pick(upstream, std::nullopt, {})];
  const int family = session.endpoint.address.is_v4() ? AF_INET : AF_INET6;
  auto open = [family] { return base::Fd(::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); };
  session.fd = open();
  if (!session.fd && errno == EMFILE && !by_silence_.empty()) {
    end(*by_silence_.front());
    session.fd = open();
  }
  if (!session.fd) return false;
  const base::SocketAddress to = base::socket_address(session.endpoint.address, session.endpoint.port);
  return ::connect(session.fd.get(), to.get(), to.size) == 0;
}

void UdpFront::answer_some(Session& session) {
  for (int i = 0; i < kDatagramsAtOnce; ++i) {
    const ssize_t n = ::recv(session.fd.get(), udp_buffer.data(), udp_buffer.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (n < 0) return end(session);  // ECONNREFUSED: nobody listens there.
    touch(session);
    ::sendto(session.ear.fd.get(), udp_buffer.data(), static_cast<size_t>(n), MSG_DONTWAIT | MSG_NOSIGNAL, session.client.get(), session.client.size);
  }
}

void UdpFront::touch(Session& session) {
  const std::chrono::milliseconds idle = listener_->listener().idle;
  lane_.deadlines.arm(session.idle, draining_ ? std::min(idle, kDrainIdle) : idle);
  by_silence_.splice(by_silence_.end(), by_silence_, session.place);
}

void UdpFront::end(Session& session) {
  auto it = sessions_.find(session.key);
  lane_.loop.cancel(session.watch);
  session.idle.disarm();
  session.fd.reset();
  by_silence_.erase(session.place);
  lane_.shared.stats.connections.fetch_sub(1, std::memory_order_relaxed);
  bury(std::move(it->second));
  sessions_.erase(it);
}

void UdpFront::drain() {
  draining_ = true;
  const std::vector<Session*> all(by_silence_.begin(), by_silence_.end());
  for (Session* session : all) touch(*session);
}

}  // namespace server::gateway
