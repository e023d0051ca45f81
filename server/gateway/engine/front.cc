#include "server/gateway/engine/front.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>

#include "server/gateway/engine/greeter.h"
#include "server/gateway/policy/pages.h"
#include "store/base/socket_address.h"

namespace server::gateway {
namespace {

// Of one turn, so that connections that stand get theirs.
constexpr int kAcceptedAtOnce = 64;
constexpr std::chrono::milliseconds kPause{100};
constexpr std::chrono::milliseconds kDrain{240'000};  // As ingress-nginx's worker-shutdown-timeout.

}  // namespace

Front::Front(LaneContext& lane, std::shared_ptr<const LiveListener> listener) : lane_(lane), listener_(std::move(listener)), table_(*lane.table) {}

Front::~Front() { close_ears(); }

void Front::close_ears() {
  for (auto& ear : ears_) {
    if (ear->watch != 0) lane_.loop.cancel(ear->watch);
    if (ear->pause != 0) lane_.loop.cancel(ear->pause);
  }
  ears_.clear();
}

void Front::listen(base::Fd socket) {
  port_ = base::local_address(socket.get()).port();
  auto ear = std::make_unique<Ear>();
  ear->fd = std::move(socket);
  ear->watch = lane_.loop.watch(ear->fd.get(), base::Loop::Interest::kReadable, [this, raw = ear.get()](base::Loop::Ready) {
    Socket::Turn turn;
    accept_some(*raw);
  });
  ears_.push_back(std::move(ear));
}

void Front::accept_some(Ear& ear) {
  for (int i = 0; i < kAcceptedAtOnce; ++i) {
    base::SocketAddress from;
    base::Fd fd(::accept4(ear.fd.get(), from.get(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == ECONNABORTED || errno == EINTR) continue;
      if (errno != EAGAIN) pause(ear);  // Out of descriptors or memory.
      return;
    }
    greet(std::move(fd), from.ip(), from.port());
  }
}

void Front::pause(Ear& ear) {
  lane_.loop.change(ear.watch, base::Loop::Interest::kNone);
  ear.pause = lane_.loop.timer(kPause, std::chrono::milliseconds(0), [this, &ear] {
    ear.pause = 0;
    lane_.loop.change(ear.watch, base::Loop::Interest::kReadable);
  });
}

void Front::greet(base::Fd fd, const base::Ip& address, uint16_t port) {
  lane_.shared.stats.accepted.fetch_add(1, std::memory_order_relaxed);
  lane_.shared.stats.connections.fetch_add(1, std::memory_order_relaxed);
  ClientInfo client;
  client.address = address;
  client.port = port;
  client.local_port = listener_->listener().port;
  auto greeter = std::make_unique<Greeter>(*this, std::move(fd), std::move(client));
  Greeter* raw = greeter.get();
  greeters_.emplace(raw, std::move(greeter));
  raw->start();
}

void Front::forget(Greeter& greeter) {
  auto it = greeters_.find(&greeter);
  if (it == greeters_.end()) return;
  bury(std::move(it->second));
  greeters_.erase(it);
}

void Front::give_up(Greeter& greeter) {
  lane_.shared.stats.connections.fetch_sub(1, std::memory_order_relaxed);
  forget(greeter);
}

void Front::begin_http1(Greeter& greeter, std::unique_ptr<Socket> socket, ClientInfo client, std::string_view first) {
  auto made = std::make_unique<Http1Server>(std::move(socket), std::move(client), *this, *this, lane_.deadlines, http1_options_);
  Http1Server* connection = made.get();
  http1_.emplace(connection, std::move(made));
  forget(greeter);
  connection->begin(first);
}

void Front::begin_http2(Greeter& greeter, std::unique_ptr<Socket> socket, ClientInfo client, std::string_view first) {
  auto made = std::make_unique<Http2Server>(std::move(socket), std::move(client), *this, *this, lane_.deadlines, http2_options_);
  Http2Server* connection = made.get();
  http2_.emplace(connection, std::move(made));
  forget(greeter);
  connection->begin(first);
}

void Front::begin_passthrough(Greeter& greeter, base::Fd fd, ClientInfo client, UpstreamPtr upstream) {
  forget(greeter);
  begin_raw(std::move(fd), std::move(client), upstream);
}

// Of a TCP listener, once PROXY protocol is through.
void Front::begin_stream(Greeter& greeter, base::Fd fd, ClientInfo client) {
  forget(greeter);
  const std::vector<Backend>& backends = listener_->listener().backends;
  size_t chosen = pick_backend(backends, listener_->turns.get());
  begin_raw(std::move(fd), std::move(client), chosen < backends.size() ? backends[chosen].upstream : nullptr);
}

void Front::begin_raw(base::Fd fd, ClientInfo client, const UpstreamPtr& upstream) {
  if (!upstream || lane_.tcp_sessions >= lane_.most_tcp_sessions) {
    if (upstream) lane_.shared.stats.refused.fetch_add(1, std::memory_order_relaxed);
    const linger now{1, 0};  // A reset, as of a port where nobody listens.
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    lane_.shared.stats.connections.fetch_sub(1, std::memory_order_relaxed);
    return;
  }
  ++lane_.tcp_sessions;
  auto made = std::make_unique<TcpSession>(lane_.loop, lane_.deadlines, *this, std::move(fd), std::move(client), upstream, lane_.shared.state_of(*upstream), listener_->listener().idle);
  TcpSession* session = made.get();
  raw_.emplace(session, std::move(made));
  session->begin();
}

void Front::on_session_over(TcpSession& session) {
  auto it = raw_.find(&session);
  if (it == raw_.end()) return;
  --lane_.tcp_sessions;
  lane_.shared.stats.connections.fetch_sub(1, std::memory_order_relaxed);
  bury(std::move(it->second));
  raw_.erase(it);
}

void Front::on_request(Downstream& stream, RequestHead head) {
  lane_.shared.stats.requests.fetch_add(1, std::memory_order_relaxed);
  Exchange::begin(lane_, listener_, table_, stream, std::move(head));
}

void Front::on_connection_over(Http1Server& connection) {
  auto it = http1_.find(&connection);
  if (it == http1_.end()) return;
  lane_.shared.stats.connections.fetch_sub(1, std::memory_order_relaxed);
  bury(std::move(it->second));
  http1_.erase(it);
}

void Front::on_connection_over(Http2Server& connection) {
  auto it = http2_.find(&connection);
  if (it == http2_.end()) return;
  lane_.shared.stats.connections.fetch_sub(1, std::memory_order_relaxed);
  bury(std::move(it->second));
  http2_.erase(it);
}

void Front::on_refused(const Http1Server&, int, const char*) { lane_.shared.stats.refused.fetch_add(1, std::memory_order_relaxed); }

ResponseHead Front::refusal(int status, std::string* body) {
  ResponseHead head;
  head.status = status;
  head.headers.add("Content-Type", "text/html");
  *body = error_page(status);
  return head;
}

void Front::drain() {
  close_ears();
  // drain() may end a connection and so change the maps.
  std::vector<Http1Server*> http1;
  for (auto& [connection, owned] : http1_) http1.push_back(connection);
  for (Http1Server* connection : http1) connection->drain();
  std::vector<Http2Server*> http2;
  for (auto& [connection, owned] : http2_) http2.push_back(connection);
  for (Http2Server* connection : http2) connection->drain();
  for (auto& [session, owned] : raw_) session->drain(kDrain);
}

}  // namespace server::gateway
