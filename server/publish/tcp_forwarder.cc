#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "server/publish/forwarder.h"
#include "server/publish/tcp_relay.h"
#include "store/base/socket_address.h"

namespace server::publish {
namespace {

using Interest = base::Loop::Interest;

constexpr int kAcceptsAtOnce = 64;
constexpr int kBacklog = 1024;
constexpr std::chrono::milliseconds kRetryAccept{100};

void reset(base::Fd& fd) {
  const linger now{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  fd.reset();
}

// While a bound socket does not listen, others may bind its port if both sides allow reuse; without it they may not.
// To listen again, it needs reuse for the sake of its own connections of before (inet_csk_bind_conflict).
void set_reuse(const base::Fd& fd, int on) { ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); }

class TcpForwarder final : public Forwarder {
 public:
  TcpForwarder(ForwarderContext context, base::Fd listener) : context_(std::move(context)), io_(context_.io), listener_(std::move(listener)) {
    base::ignore(base::set_nonblocking(listener_.get()), "a socket of ours");
    set_reuse(listener_, 0);
  }

  ~TcpForwarder() override {
    *alive_ = false;
    stop_listening();
    for (auto& [id, connection] : connections_) end(connection);
    context_.traffic->open -= connections_.size();
  }

  void set_destination(std::optional<Destination> to) override {
    to_ = std::move(to);
    if (to_) start_listening();
    else stop_listening();
  }

 private:
  struct Connection {
    base::Fd client;
    base::Fd upstream;                 // Until it is connected.
    base::Loop::Id watch = 0, deadline = 0;
    Destination to;
    std::unique_ptr<TcpRelay> relay;
  };
  using Id = uint64_t;

  void start_listening() {
    if (watch_ != 0) return;
    set_reuse(listener_, 1);
    if (::listen(listener_.get(), kBacklog) != 0) {
      set_reuse(listener_, 0);
      fail(std::string("listen: ") + std::strerror(errno));
      return;
    }
    watch_ = io_.watch(listener_.get(), Interest::kReadable, [this](base::Loop::Ready) { accept_some(); });
  }

  void stop_listening() {
    if (watch_ == 0) return;
    io_.cancel(std::exchange(watch_, 0));
    io_.cancel(std::exchange(retry_, 0));
    // Back to "bound", with the port kept: clients are refused.
    ::shutdown(listener_.get(), SHUT_RDWR);
    set_reuse(listener_, 0);
  }

  // As long as there is room; else the listener's queue holds them.
  void pause(bool paused) {
    if (watch_ != 0) io_.change(watch_, paused ? Interest::kNone : Interest::kReadable);
  }

  void accept_some() {
    for (int i = 0; i < kAcceptsAtOnce; ++i) {
      if (connections_.size() >= context_.limits.connections) return pause(true);
      base::Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (client) {
        open(std::move(client));
        continue;
      }
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) {
        // Out of descriptors or memory: level-triggered, so this would spin.
        fail(std::string("accept: ") + std::strerror(errno));
        pause(true);
        io_.cancel(retry_);
        retry_ = io_.timer(kRetryAccept, std::chrono::milliseconds(0), [this] { pause(false); });
      }
      return;
    }
  }

  void open(base::Fd client) {
    const Id id = ++last_id_;
    ++context_.traffic->open;
    ++context_.traffic->total;
    Connection& connection = connections_[id];
    connection.client = std::move(client);
    connection.to = *to_;
    context_.pool(to_->from, to_->ip.family(), SOCK_STREAM).take([this, alive = alive_, id](base::Result<base::Fd> socket) {
      if (*alive) connect(id, std::move(socket));
    });
  }

  void connect(Id id, base::Result<base::Fd> socket) {
    Connection& c = connections_.at(id);
    if (!socket.ok()) return give_up(id, socket.error().message);
    c.upstream = std::move(socket).value();
    const base::SocketAddress address = base::socket_address(c.to.ip, c.to.port);
    if (::connect(c.upstream.get(), address.get(), address.size) == 0) return connected(id);
    if (errno != EINPROGRESS) return give_up(id, c.to.text() + ": " + std::strerror(errno));
    c.watch = io_.watch(c.upstream.get(), Interest::kWritable, [this, id](base::Loop::Ready) { connected(id); });
    c.deadline = io_.timer(context_.limits.connect, std::chrono::milliseconds(0), [this, id] { give_up(id, connections_.at(id).to.text() + ": no answer"); });
  }

  void connected(Id id) {
    Connection& c = connections_.at(id);
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(c.upstream.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return give_up(id, c.to.text() + ": " + std::strerror(error));
    io_.cancel(std::exchange(c.watch, 0));
    io_.cancel(std::exchange(c.deadline, 0));
    context_.traffic->succeed();
    c.relay = std::make_unique<TcpRelay>(io_, std::move(c.client), std::move(c.upstream), *context_.traffic, [this, id] { forget(id); });
  }

  void give_up(Id id, const std::string& reason) {
    fail(reason);  // Before the client hears of it.
    end(connections_.at(id));
    forget(id);
  }

  void end(Connection& c) {
    io_.cancel(std::exchange(c.watch, 0));
    io_.cancel(std::exchange(c.deadline, 0));
    if (c.client) reset(c.client);
    c.upstream.reset();
  }

  void forget(Id id) {
    connections_.erase(id);
    --context_.traffic->open;
    if (connections_.size() + 1 == context_.limits.connections) pause(false);
  }

  void fail(const std::string& reason) {
    if (context_.traffic->fail(reason) && context_.on_failure) context_.on_failure(reason);
  }

  const ForwarderContext context_;
  base::Loop& io_;
  base::Fd listener_;
  base::Loop::Id watch_ = 0, retry_ = 0;
  std::optional<Destination> to_;
  std::unordered_map<Id, Connection> connections_;
  Id last_id_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // For callbacks of the pool.
};

}  // namespace

std::unique_ptr<Forwarder> make_tcp_forwarder(ForwarderContext context, base::Fd socket) {
  return std::make_unique<TcpForwarder>(std::move(context), std::move(socket));
}

}  // namespace server::publish
