#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <list>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/base/socket_address.h"

#include "server/publish/forwarder.h"

namespace server::publish {
namespace {

using Interest = base::Loop::Interest;
using Clock = std::chrono::steady_clock;

constexpr int kDatagramsAtOnce = 64;   // Then other watchers of the loop get their turn.
constexpr size_t kMaxDatagram = 65536;

class UdpForwarder final : public Forwarder {
 public:
  UdpForwarder(ForwarderContext context, base::Fd socket) : context_(std::move(context)), io_(context_.io), socket_(std::move(socket)), buffer_(kMaxDatagram) {
    base::ignore(base::set_nonblocking(socket_.get()), "a socket of ours");
    watch_ = io_.watch(socket_.get(), Interest::kReadable, [this](base::Loop::Ready) { from_host(); });
  }

  ~UdpForwarder() override {
    *alive_ = false;
    io_.cancel(watch_);
    io_.cancel(sweep_);
    drop_all();
  }

  void set_destination(std::optional<Destination> to) override {
    if (to != to_) drop_all();
    to_ = std::move(to);
  }

 private:
  struct Session {
    uint64_t id = 0;
    std::string key;                  // The client's address, as bytes.
    base::SocketAddress client;
    Destination to;
    base::Fd upstream;                // Invalid until the pool gave one.
    base::Loop::Id watch = 0;
    std::deque<std::string> waiting;
    size_t waiting_bytes = 0;
    Clock::time_point last;
  };
  using Sessions = std::list<Session>;  // Least recently active first.

  void from_host() {
    for (int i = 0; i < kDatagramsAtOnce; ++i) {
      base::SocketAddress client;
      client.size = sizeof client.storage;
      const ssize_t size = ::recvfrom(socket_.get(), buffer_.data(), buffer_.size(), 0, reinterpret_cast<sockaddr*>(&client.storage), &client.size);
      if (size < 0) {
        if (errno == ECONNREFUSED || errno == EINTR) continue;  // An answer to a client that is gone by now.
        return;
      }
      if (!to_) continue;
      auto session = find_or_make(client);
      if (session == sessions_.end()) continue;
      touch(session);
      to_cluster(*session, buffer_.data(), static_cast<size_t>(size));
    }
  }

  // end(): there is no way to the destination.
  Sessions::iterator find_or_make(const base::SocketAddress& client) {
    std::string key(reinterpret_cast<const char*>(&client.storage), client.size);
    auto known = by_client_.find(key);
    if (known != by_client_.end()) return known->second;
    if (sessions_.size() >= context_.limits.udp_sessions) drop(sessions_.begin());
    auto session = sessions_.emplace(sessions_.end());
    session->id = ++last_id_;
    session->key = key;
    session->client = client;
    session->to = *to_;
    by_client_.emplace(std::move(key), session);
    by_id_.emplace(session->id, session);
    ++context_.traffic->open;
    ++context_.traffic->total;
    const uint64_t id = session->id;
    context_.pool(to_->from, to_->ip.family(), SOCK_DGRAM).take([this, alive = alive_, id](base::Result<base::Fd> made) {
      if (*alive) connect(id, std::move(made));
    });
    auto made = by_id_.find(id);  // The pool may have answered at once, and the way in may be closed.
    return made == by_id_.end() ? sessions_.end() : made->second;
  }

  void connect(uint64_t id, base::Result<base::Fd> made) {
    auto it = by_id_.find(id);
    if (it == by_id_.end()) return;  // Dropped meanwhile.
    Session& session = *it->second;
    if (!made.ok()) return give_up(it->second, made.error().message);
    const base::SocketAddress address = base::socket_address(session.to.ip, session.to.port);
    // Connected, so that answers of others are not taken for its own, and "port unreachable" is told.
    if (::connect(made->get(), address.get(), address.size) != 0) return give_up(it->second, session.to.text() + ": " + std::strerror(errno));
    session.upstream = std::move(made).value();
    session.watch = io_.watch(session.upstream.get(), Interest::kReadable, [this, id](base::Loop::Ready) { from_cluster(id); });
    for (const std::string& datagram : std::exchange(session.waiting, {})) to_cluster(session, datagram.data(), datagram.size());
    session.waiting_bytes = 0;
  }

  void to_cluster(Session& session, const char* data, size_t size) {
    if (!session.upstream) {
      if (session.waiting_bytes + size > context_.limits.udp_waiting) return;
      session.waiting_bytes += size;
      session.waiting.emplace_back(data, size);
      return;
    }
    ssize_t sent = ::send(session.upstream.get(), data, size, MSG_NOSIGNAL);
    // A pending error of an earlier datagram is told once, in place of sending this one.
    if (sent < 0 && errno == ECONNREFUSED) {
      fail(session, errno);
      sent = ::send(session.upstream.get(), data, size, MSG_NOSIGNAL);
    }
    if (sent >= 0) context_.traffic->sent += static_cast<uint64_t>(sent);
    else if (errno != EAGAIN && errno != ECONNREFUSED) fail(session, errno);  // A full buffer loses it, as a network might.
  }

  void from_cluster(uint64_t id) {
    auto it = by_id_.find(id);
    if (it == by_id_.end()) return;
    Session& session = *it->second;
    for (int i = 0; i < kDatagramsAtOnce; ++i) {
      const ssize_t size = ::recv(session.upstream.get(), buffer_.data(), buffer_.size(), 0);
      if (size < 0) {
        if (errno == EINTR) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        fail(session, errno);
        continue;  // Errors are told once each.
      }
      touch(it->second);
      context_.traffic->succeed();
      if (::sendto(socket_.get(), buffer_.data(), static_cast<size_t>(size), MSG_NOSIGNAL, session.client.get(), session.client.size) >= 0) {
        context_.traffic->received += static_cast<uint64_t>(size);
      }
    }
  }

  void fail(const Session& session, int error) { note(session.to.text() + ": " + std::strerror(error)); }
  void note(const std::string& reason) {
    if (context_.traffic->fail(reason) && context_.on_failure) context_.on_failure(reason);
  }

  void give_up(Sessions::iterator session, const std::string& reason) {
    note(reason);
    drop(session);
  }

  void touch(Sessions::iterator session) {
    session->last = Clock::now();
    sessions_.splice(sessions_.end(), sessions_, session);
    if (sweep_ == 0) schedule_sweep();
  }

  void schedule_sweep() {
    sweep_ = 0;
    if (sessions_.empty()) return;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(sessions_.front().last + context_.limits.udp_idle - Clock::now());
    sweep_ = io_.timer(std::max(left, std::chrono::milliseconds(1)), std::chrono::milliseconds(0), [this] {
      const auto now = Clock::now();
      while (!sessions_.empty() && sessions_.front().last + context_.limits.udp_idle <= now) drop(sessions_.begin());
      schedule_sweep();
    });
  }

  void drop(Sessions::iterator session) {
    io_.cancel(session->watch);
    by_client_.erase(session->key);
    by_id_.erase(session->id);
    sessions_.erase(session);
    --context_.traffic->open;
  }
  void drop_all() {
    while (!sessions_.empty()) drop(sessions_.begin());
  }

  const ForwarderContext context_;
  base::Loop& io_;
  base::Fd socket_;
  base::Loop::Id watch_ = 0, sweep_ = 0;
  std::vector<char> buffer_;
  std::optional<Destination> to_;
  Sessions sessions_;
  std::unordered_map<std::string, Sessions::iterator> by_client_;
  std::unordered_map<uint64_t, Sessions::iterator> by_id_;
  uint64_t last_id_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // For callbacks of the pool.
};

}  // namespace

std::unique_ptr<Forwarder> make_udp_forwarder(ForwarderContext context, base::Fd socket) {
  return std::make_unique<UdpForwarder>(std::move(context), std::move(socket));
}

}  // namespace server::publish
