#include "server/gateway/engine/greeter.h"

#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "server/gateway/engine/front.h"
#include "server/gateway/l4/proxy_protocol.h"
#include "server/gateway/message/now.h"
#include "server/gateway/message/thread_buffer.h"
#include "server/gateway/policy/addresses.h"
#include "server/gateway/policy/pages.h"

namespace server::gateway {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::chrono::milliseconds kPatience{60'000};
constexpr size_t kMaxHello = 16 * 1024;
constexpr ThreadBuffer<struct GreeterReads> peek_buffer;

}  // namespace

Greeter::Greeter(Front& front, base::Fd fd, ClientInfo client)
    : front_(front), fd_(std::move(fd)), client_(std::move(client)), listener_(front.shared_listener()), deadline_([this] { front_.give_up(*this); }) {}

Greeter::~Greeter() {
  if (watch_ != 0) front_.lane().loop.cancel(watch_);
}

void Greeter::start() {
  front_.lane().deadlines.arm(deadline_, kPatience);
  stage_ = Stage::kProxy;
  if (listener_->listener().accept_proxy_protocol) return watch_raw();
  next_stage();
}

void Greeter::next_stage() {
  if (stage_ == Stage::kProxy && listener_->has_passthrough) {
    stage_ = Stage::kHello;
    return watch_raw();
  }
  stage_ = Stage::kSpeech;
  if (listener_->listener().protocol == Listener::Protocol::kTcp) {
    if (watch_ != 0) front_.lane().loop.cancel(std::exchange(watch_, 0));
    return front_.begin_stream(*this, std::move(fd_), std::move(client_));
  }
  begin_speech();
}

void Greeter::watch_raw() {
  if (watch_ != 0) return peek();
  watch_ = front_.lane().loop.watch(fd_.get(), base::Loop::Interest::kReadable, [this](base::Loop::Ready) {
    Socket::Turn turn;
    peek();
  });
}

void Greeter::peek() {
  ssize_t n = ::recv(fd_.get(), peek_buffer.data(), peek_buffer.size(), MSG_PEEK | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return front_.give_up(*this);
  std::string_view bytes(peek_buffer.data(), static_cast<size_t>(n));
  bool understood = stage_ == Stage::kProxy ? peek_proxy(bytes) : peek_hello(bytes);
  if (!understood) return;
  next_stage();
}

// Level-triggered and only looked at: without a mark the same bytes would wake us again and again.
void Greeter::wait_for(size_t more_than) {
  int mark = static_cast<int>(more_than) + 1;
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark);
}

bool Greeter::peek_proxy(std::string_view bytes) {
  ProxyHeader header;
  ProxyParse parsed = parse_proxy_header(bytes, &header);
  if (parsed.kind == ProxyParse::Kind::kNeedMore) {
    wait_for(bytes.size());
    return false;
  }
  if (parsed.kind != ProxyParse::Kind::kDone) {
    front_.give_up(*this);
    return false;
  }
  ::recv(fd_.get(), peek_buffer.data(), parsed.used, MSG_DONTWAIT);
  wait_for(0);
  if (!header.has_addresses) return true;
  client_.proxied_port = header.destination_port;
  const std::vector<base::Cidr>& trusted = listener_->listener().trusted_proxies;
  if (trusted.empty() || contains_address(trusted, client_.address)) {
    client_.address = header.source;
    client_.port = header.source_port;
  }
  return true;
}

bool Greeter::peek_hello(std::string_view bytes) {
  PeekedHello hello = peek_client_hello(bytes);
  if (hello.kind == PeekedHello::Kind::kNeedMore && bytes.size() < kMaxHello) {
    wait_for(bytes.size());
    return false;
  }
  wait_for(0);
  const HostMatcher* host = hello.kind == PeekedHello::Kind::kFound ? listener_->matcher->find_host(hello.server_name) : nullptr;
  if (host == nullptr || !host->host().passthrough) return true;
  front_.lane().loop.cancel(std::exchange(watch_, 0));
  client_.server_name = hello.server_name;
  front_.begin_passthrough(*this, std::move(fd_), client_, host->host().passthrough);
  return false;
}

void Greeter::begin_speech() {
  if (watch_ != 0) front_.lane().loop.cancel(std::exchange(watch_, 0));
  SSL* ssl = listener_->tls ? listener_->tls->new_session() : nullptr;
  socket_ = std::make_unique<Socket>(front_.lane().loop, std::move(fd_), ssl);
  socket_->start(this);
  // A client that has connected has most often sent its request already.
  if (ssl == nullptr) on_readable();
}

void Greeter::on_open() {
  client_.tls = true;
  ServerTls::describe(socket_->ssl(), &client_);
  deadline_.disarm();
  if (ServerTls::chose_http2(socket_->ssl())) return front_.begin_http2(*this, std::move(socket_), std::move(client_), {});
  front_.begin_http1(*this, std::move(socket_), std::move(client_), {});
}

// OpenSSL sends no alert to who does not speak TLS at all; nginx says in plain text what is wrong.
void Greeter::on_open_failed(const std::string& why) {
  for (const char* not_tls : {"http request", "https proxy request", "wrong version number"}) {
    if (why.find(not_tls) == std::string::npos) continue;
    const std::string body = error_page(497);
    const std::string answer = "HTTP/1.1 400 Bad Request\r\nServer: kubelan\r\nDate: " + std::string(http_date_now()) + "\r\nContent-Type: text/html\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body;
    // What is unread when a socket is closed makes a reset of the end, which could overtake the answer.
    while (::recv(socket_->fd(), peek_buffer.data(), peek_buffer.size(), MSG_DONTWAIT) > 0) {
    }
    ::send(socket_->fd(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    ::shutdown(socket_->fd(), SHUT_WR);
    break;
  }
  front_.give_up(*this);
}
void Greeter::on_broken() { front_.give_up(*this); }

void Greeter::on_readable() {
  ssize_t n = socket_->read(peek_buffer.data(), peek_buffer.size());
  if (n == Socket::kAgain) return;
  if (n <= 0) return front_.give_up(*this);
  std::string_view bytes(peek_buffer.data(), static_cast<size_t>(n));
  if (!first_.empty()) bytes = first_.append(bytes);
  size_t compared = std::min(bytes.size(), kPreface.size());
  bool preface = bytes.substr(0, compared) == kPreface.substr(0, compared);
  if (preface && compared < kPreface.size()) {
    if (first_.empty()) first_.assign(bytes);
    return;
  }
  deadline_.disarm();
  std::string held = std::move(first_);
  if (!held.empty()) bytes = held;
  if (preface) return front_.begin_http2(*this, std::move(socket_), std::move(client_), bytes);
  front_.begin_http1(*this, std::move(socket_), std::move(client_), bytes);
}

}  // namespace server::gateway
