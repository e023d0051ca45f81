#include "server/gateway/http2/server.h"

#include <algorithm>
#include <utility>

#include "server/gateway/message/thread_buffer.h"

namespace server::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What may wait in the socket, so that what waits behind is still in the streams' queues, where it slows them down.
constexpr size_t kMaxServerPending = 256 * 1024;
// While there are streams, how often is looked at them.
constexpr milliseconds kTick{1'000};

constexpr ThreadBuffer<struct Http2ServerReads> http2_server_buffer;

}  // namespace

Http2Server::Http2Server(std::unique_ptr<Socket> socket, ClientInfo client, RequestHandler& handler, Host& host, Deadlines& deadlines, const Http2Options& options)
    : socket_(std::move(socket)), client_(std::move(client)), host_(host), deadlines_(deadlines), options_(options), session_(options.session, *this, client_, handler, host),
      deadline_([this] { on_deadline(); }), activity_(steady_clock::now()) {
  socket_->set_owner(this);
  socket_->gather_longer();
}

Http2Server::~Http2Server() {
  if (later_ != 0) socket_->loop().cancel(later_);
}

void Http2Server::begin(std::string_view first) {
  socket_->touch();
  if (!first.empty()) session_.feed(first);
  arm();
}

void Http2Server::drain() {
  if (over_ || draining_) return;
  draining_ = true;
  drain_since_ = steady_clock::now();
  session_.shut_down();
  ticking_ = true;
  deadlines_.arm(deadline_, std::min(kTick, options_.drain));
}

void Http2Server::on_readable() {
  for (;;) {
    ssize_t n = socket_->read(http2_server_buffer.data(), http2_server_buffer.size());
    if (n == Socket::kAgain) break;
    if (n <= 0) return over("the client has closed the connection");
    session_.feed({http2_server_buffer.data(), static_cast<size_t>(n)});
    if (over_) return;
    if (session_.finished() || (static_cast<size_t>(n) < http2_server_buffer.size() && socket_->ssl() == nullptr)) break;
  }
  arm();
}

void Http2Server::on_flush() {
  if (over_) return;
  // When the kernel takes all of it, nobody says that there is room: the next round of this turn does.
  bool more = socket_->pending() < kMaxServerPending && session_.take_output(&socket_->gathered(), kMaxServerPending - socket_->pending());
  if (more) socket_->touch();
  if (session_.finished()) end_if_finished();
}

void Http2Server::on_drained() {
  stuck_ = false;
  if (!over_) socket_->touch();
}

void Http2Server::end_if_finished() {
  if (!socket_->flush()) return over("the client has closed the connection");
  if (socket_->pending() > 0) return;
  socket_->shut_down();
  over("the connection was ended");
}

void Http2Server::on_broken() { over("the connection broke"); }

void Http2Server::want_later() {
  if (over_ || later_ != 0) return;
  later_ = socket_->loop().timer(milliseconds(0), milliseconds(0), [this] {
    later_ = 0;
    Socket::Turn turn;
    session_.run_later();
  });
}

// One deadline for everything: without streams the whole time at once, with streams a look at each now and then.
void Http2Server::arm() {
  if (over_) return;
  bool block = session_.in_block();
  if (block && !in_block_) block_since_ = steady_clock::now();
  in_block_ = block;
  bool tick = !idle() || block || draining_;
  if (tick && ticking_ && deadline_.armed()) return;
  ticking_ = tick;
  if (!tick) activity_ = steady_clock::now();
  deadlines_.arm(deadline_, tick ? kTick : options_.keep_alive);
}

void Http2Server::on_deadline() {
  if (over_) return;
  auto now = steady_clock::now();
  if (socket_->pending() == 0) stuck_ = false;
  else if (!std::exchange(stuck_, true)) stuck_since_ = now;
  if (stuck_ && now - stuck_since_ >= options_.send) return over("the client takes nothing");
  if (session_.in_block() && now - block_since_ >= options_.head) return over("a header block took too long");
  session_.reset_stalled(options_.body, options_.send);
  if (draining_ && now - drain_since_ >= options_.drain) session_.force_shut_down();
  if (!idle()) activity_ = now;
  else if (!draining_ && now - activity_ >= options_.keep_alive) {
    draining_ = true;
    drain_since_ = now;
    session_.force_shut_down();
  } else if (draining_ && now - drain_since_ >= 2 * options_.drain) {
    return over("the connection was idle");
  }
  ticking_ = !idle() || session_.in_block() || draining_ || socket_->pending() > 0;
  milliseconds rest = std::chrono::ceil<milliseconds>(options_.keep_alive - (now - activity_));
  deadlines_.arm(deadline_, ticking_ ? std::min(kTick, options_.drain) : std::max(rest, milliseconds(1)));
}

void Http2Server::over(std::string_view why) {
  if (over_) return;
  over_ = true;
  deadline_.disarm();
  if (later_ != 0) socket_->loop().cancel(std::exchange(later_, 0));
  session_.fail_all(Failure::kReset, why);
  host_.on_connection_over(*this);
}

}  // namespace server::gateway
