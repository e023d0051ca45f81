#include "server/gateway/http2/client.h"

#include <openssl/ssl.h>

#include <utility>

#include "server/gateway/message/thread_buffer.h"

namespace server::gateway {
namespace {

constexpr size_t kMaxClientPending = 256 * 1024;
constexpr http2::SessionOptions kOptions{.header_list = 64 * 1024, .connection_window = 16 * 1024 * 1024};

constexpr ThreadBuffer<struct Http2ClientReads> http2_client_buffer;

}  // namespace

Http2Client::Http2Client(std::unique_ptr<Socket> socket, Host& host)
    : socket_(std::move(socket)), host_(host), session_(kOptions, *this, socket_->ssl() != nullptr) {}

Http2Client::~Http2Client() {
  if (later_ != 0) socket_->loop().cancel(later_);
}

void Http2Client::connect() { socket_->start(this); }

UpstreamStream* Http2Client::open_stream(UpstreamEvents* events) {
  UpstreamStream* stream = session_.open_stream(events);
  full_ = full_ || !session_.has_room();
  return stream;
}

void Http2Client::on_open() {
  if (socket_->ssl() != nullptr) {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(socket_->ssl(), &name, &size);
    // None at all: known beforehand to speak it.
    if (size != 0 && std::string_view(reinterpret_cast<const char*>(name), size) != "h2") return over(Failure::kRefused, "the endpoint does not speak HTTP/2");
  }
  connected_ = true;
  socket_->touch();
}

void Http2Client::on_open_failed(const std::string& why) { over(Failure::kRefused, why); }

void Http2Client::on_readable() {
  for (;;) {
    ssize_t n = socket_->read(http2_client_buffer.data(), http2_client_buffer.size());
    if (n == Socket::kAgain) return;
    if (n <= 0) return over(Failure::kReset, "the endpoint closed the connection");
    session_.feed({http2_client_buffer.data(), static_cast<size_t>(n)});
    if (over_ || session_.finished() || (static_cast<size_t>(n) < http2_client_buffer.size() && socket_->ssl() == nullptr)) return;
  }
}

void Http2Client::on_flush() {
  if (over_) return;
  // When the kernel takes all of it, nobody says that there is room: the next round of this turn does.
  bool more = socket_->pending() < kMaxClientPending && session_.take_output(&socket_->gathered(), kMaxClientPending - socket_->pending());
  if (more) socket_->touch();
  if (session_.finished()) return end_if_finished();
  if (full_ && session_.has_room()) {
    full_ = false;
    host_.on_http2_slots(*this);
  }
}

void Http2Client::on_drained() {
  if (!over_) socket_->touch();
}

void Http2Client::end_if_finished() {
  if (socket_->flush() && socket_->pending() > 0) return;
  socket_->shut_down();
  if (session_.why().empty()) over(Failure::kReset, "the endpoint closed the connection");
  else over(Failure::kInvalid, "what the endpoint sent is not HTTP/2: " + session_.why());
}

void Http2Client::on_broken() { over(Failure::kReset, "the connection broke"); }

void Http2Client::want_later() {
  if (later_ != 0) return;
  later_ = socket_->loop().timer(std::chrono::milliseconds(0), std::chrono::milliseconds(0), [this] {
    later_ = 0;
    Socket::Turn turn;
    session_.run_later();
    bury_if_empty();
  });
}

void Http2Client::drop() { over(Failure::kReset, "the connection was given up"); }

void Http2Client::over(Failure failure, std::string_view why) {
  if (over_) return;
  over_ = true;
  socket_->want_read(false);
  std::string text(why);
  session_.fail_all(failure, text);
  bury_if_empty();
}

// What has come whole is still handed over, to a client that takes it slowly.
void Http2Client::bury_if_empty() {
  if (!over_ || told_ || session_.streams() > 0) return;
  told_ = true;
  if (later_ != 0) socket_->loop().cancel(std::exchange(later_, 0));
  host_.on_http2_over(*this);
}

}  // namespace server::gateway
