#include "server/gateway/l4/passthrough.h"

#include <utility>

#include "server/gateway/l4/proxy_protocol.h"
#include "server/gateway/message/thread_buffer.h"
#include "store/base/socket_address.h"

namespace server::gateway {
namespace {

constexpr std::chrono::milliseconds kConnect{5'000};
constexpr size_t kPassedAtOnce = 64 * 1024;
constexpr ThreadBuffer<struct TcpSessionReads> read_buffer;

}  // namespace

TcpSession::TcpSession(base::Loop& loop, Deadlines& deadlines, Host& host, base::Fd client, ClientInfo info, UpstreamPtr upstream, std::shared_ptr<UpstreamState> state, std::chrono::milliseconds idle)
    : loop_(loop), deadlines_(deadlines), host_(host), info_(std::move(info)), upstream_(std::move(upstream)), state_(std::move(state)), idle_(idle), connect_deadline_([this] { connect_next(); }), idle_deadline_([this] { over(true); }), drain_deadline_([this] { over(true); }) {
  client_.socket = std::make_unique<Socket>(loop_, std::move(client), nullptr);
}

void TcpSession::begin() {
  client_.socket->want_read(false);
  client_.socket->start(&client_);
  tried_.assign(upstream_->endpoints.size(), false);
  connect_next();
}

void TcpSession::connect_next() {
  if (over_) return;
  // The socket that failed may be the one that is calling: it goes with the next, or with the session.
  failed_ = std::move(endpoint_.socket);
  if (attempts_ == upstream_->endpoints.size()) return over(true);
  size_t index = state_->pick(*upstream_, std::nullopt, tried_);
  tried_[index] = true;
  ++attempts_;
  const Endpoint& to = upstream_->endpoints[index];
  endpoint_.socket = Socket::connect(loop_, to.address, to.port, nullptr);
  deadlines_.arm(connect_deadline_, kConnect);
  endpoint_.socket->start(&endpoint_);
}

void TcpSession::connected() {
  connect_deadline_.disarm();
  deadlines_.arm(idle_deadline_, idle_);
  if (upstream_->send_proxy_protocol != 0) {
    ProxyHeader header;
    header.has_addresses = true;
    header.source = info_.address;
    header.source_port = info_.port;
    const base::SocketAddress called = base::local_address(client_.socket->fd());
    header.destination = called.ip();
    header.destination_port = called.port();
    endpoint_.socket->write(render_proxy_header(header));
  }
  client_.socket->want_read(true);
}

void TcpSession::pump(Side& from) {
  Side& to = &from == &client_ ? endpoint_ : client_;
  ssize_t n = from.socket->read(read_buffer.data(), read_buffer.size());
  if (n == Socket::kAgain) return;
  if (n == Socket::kFailed) return over(true);
  deadlines_.arm(idle_deadline_, idle_);
  if (n == 0) {
    from.ended = true;
    from.socket->want_read(false);
    to.socket->shut_down();
    if (to.ended && (!to.socket->flush() || to.socket->pending() == 0)) over(false);
    return;
  }
  to.socket->write_through({read_buffer.data(), static_cast<size_t>(n)});
  if (to.socket->pending() > kPassedAtOnce) from.socket->want_read(false);
}

void TcpSession::drained(Side& to) {
  Side& from = &to == &client_ ? endpoint_ : client_;
  if (from.ended && to.ended) return over(false);
  if (!from.ended && from.socket) from.socket->want_read(true);
}

void TcpSession::over(bool cut) {
  if (std::exchange(over_, true)) return;
  connect_deadline_.disarm();
  idle_deadline_.disarm();
  drain_deadline_.disarm();
  if (cut) {
    client_.socket->reset_on_close();
    if (endpoint_.socket) endpoint_.socket->reset_on_close();
  }
  host_.on_session_over(*this);
}

}  // namespace server::gateway
