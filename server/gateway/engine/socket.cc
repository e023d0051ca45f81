#include "server/gateway/engine/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "store/base/socket_address.h"

namespace server::gateway {
namespace {

// The thread's turn: how deep, and who wrote during it.
thread_local int turn_depth = 0;
thread_local std::vector<Socket*> turn_dirty;
thread_local std::vector<std::unique_ptr<Mortal>> turn_dead;
// Those that send at the end of the loop's pass; whether that is now.
thread_local std::vector<Socket*> pass_dirty;
thread_local bool pass_ends = false;

// Above it the buffer's memory is given back once it is empty.
constexpr size_t kKeptCapacity = 32 * 1024;
// Below whatever any writer calls full.
constexpr size_t kMuch = 32 * 1024;

void set_no_delay(int fd) {
  int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

std::string ssl_error_text() {
  unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "the connection was closed during the TLS handshake";
  char text[256];
  ERR_error_string_n(code, text, sizeof text);
  return text;
}

}  // namespace

void bury(std::unique_ptr<Mortal> dead) { turn_dead.push_back(std::move(dead)); }

Socket::Turn::Turn() { ++turn_depth; }

Socket::Turn::~Turn() {
  if (turn_depth > 1) {
    --turn_depth;
    return;
  }
  // Sending may call on_broken() and on_drained(), which may write to others; so may destructors: until nobody has anything
  // to send.
  do {
    for (size_t i = 0; i < turn_dirty.size(); ++i) {
      Socket* socket = turn_dirty[i];
      if (socket == nullptr) continue;
      turn_dirty[i] = nullptr;
      socket->dirty_ = false;
      if (socket->longer_ && !pass_ends && socket->state_ == State::kOpen) socket->wait_for_pass();
      else socket->end_of_turn();
    }
    turn_dirty.clear();
    if (!turn_dead.empty()) {
      std::vector<std::unique_ptr<Mortal>> dead;
      dead.swap(turn_dead);
    }
  } while (!turn_dirty.empty() || !turn_dead.empty());
  --turn_depth;
}

Socket::Socket(base::Loop& loop, base::Fd fd, SSL* ssl) : loop_(loop), fd_(std::move(fd)), ssl_(ssl) {
  if (!fd_) return;
  if (ssl_ != nullptr) SSL_set_fd(ssl_, fd_.get());
}

std::unique_ptr<Socket> Socket::connect(base::Loop& loop, const base::Ip& to, uint16_t port, SSL* ssl) {
  base::Fd fd(::socket(to.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd) set_no_delay(fd.get());
  auto socket = std::make_unique<Socket>(loop, std::move(fd), ssl);
  socket->server_ = false;
  socket->to_ = to;
  socket->to_port_ = port;
  return socket;
}

Socket::~Socket() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  if (watch_ != 0) loop_.cancel(watch_);
  if (waits_) std::replace(pass_dirty.begin(), pass_dirty.end(), this, static_cast<Socket*>(nullptr));
  if (dirty_) std::replace(turn_dirty.begin(), turn_dirty.end(), this, static_cast<Socket*>(nullptr));
  if (ssl_ != nullptr) {
    // Without a close_notify OpenSSL would take the session out of its cache.
    SSL_set_quiet_shutdown(ssl_, 1);
    SSL_shutdown(ssl_);
    SSL_free(ssl_);
    ERR_clear_error();
  }
}

void Socket::start(Owner* owner) {
  owner_ = owner;
  interest_ = base::Loop::Interest::kReadable;
  if (!server_) {
    const base::SocketAddress address = base::socket_address(to_, to_port_);
    state_ = State::kConnecting;
    int result = fd_ ? ::connect(fd_.get(), address.get(), address.size) : -1;
    if (result != 0 && errno != EINPROGRESS) {
      // Not from within the caller's own call.
      std::string why = strerror(errno);
      watch_ = loop_.timer(std::chrono::milliseconds(0), std::chrono::milliseconds(0), [this, why] {
        watch_ = 0;
        Turn turn;
        fail_open(why);
      });
      return;
    }
    interest_ = base::Loop::Interest::kWritable;
  } else if (ssl_ != nullptr) {
    SSL_set_accept_state(ssl_);
    state_ = State::kHandshake;
  } else {
    state_ = State::kOpen;
  }
  watch_ = loop_.watch(fd_.get(), interest_, [this](base::Loop::Ready ready) { serve(ready); });
}

void Socket::serve(base::Loop::Ready ready) {
  Turn turn;
  bool destroyed = false;
  bool* outer = destroyed_;
  destroyed_ = &destroyed;
  auto end = [&] {
    if (!destroyed) destroyed_ = outer;
    else if (outer != nullptr) *outer = true;
  };
  switch (state_) {
    case State::kConnecting:
      go_on_connecting();
      return end();
    case State::kHandshake:
      go_on_shaking_hands();
      return end();
    case State::kOpen:
      break;
    default:
      return end();
  }
  if (ready.writable && pending() > 0) end_of_turn();
  if (destroyed || state_ != State::kOpen) return end();
  if (ready.writable && ssl_wants_write_) {
    ssl_wants_write_ = false;
    ready.readable = true;
  }
  if (want_read_ && (ready.readable || ready.error)) owner_->on_readable();
  else if (ready.error) break_off();
  if (!destroyed) rewatch();
  end();
}

void Socket::go_on_connecting() {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return fail_open(strerror(error));
  if (ssl_ != nullptr) {
    SSL_set_connect_state(ssl_);
    state_ = State::kHandshake;
    return go_on_shaking_hands();
  }
  state_ = State::kOpen;
  touch();
  rewatch();
  owner_->on_open();
}

void Socket::go_on_shaking_hands() {
  ERR_clear_error();
  int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    state_ = State::kOpen;
    touch();
    rewatch();
    bool destroyed = false;
    bool* outer = destroyed_;
    destroyed_ = &destroyed;
    owner_->on_open();
    if (destroyed) {
      if (outer != nullptr) *outer = true;
      return;
    }
    destroyed_ = outer;
    // What came with the last flight is in OpenSSL's hands already.
    if (state_ == State::kOpen && want_read_ && owner_ != nullptr) owner_->on_readable();
    return;
  }
  int error = SSL_get_error(ssl_, result);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return fail_open(ssl_error_text());
  ssl_wants_write_ = error == SSL_ERROR_WANT_WRITE;
  rewatch();
}

void Socket::fail_open(const std::string& why) {
  state_ = State::kBroken;
  if (watch_ != 0) loop_.cancel(watch_);
  watch_ = 0;
  owner_->on_open_failed(why);
}

void Socket::rewatch() {
  using Interest = base::Loop::Interest;
  bool read = state_ == State::kHandshake ? !ssl_wants_write_ : want_read_;
  bool write = ssl_wants_write_ || (state_ == State::kOpen && pending() > 0 && !dirty_);
  Interest wanted = read && write ? Interest::kBoth : read ? Interest::kReadable : write ? Interest::kWritable : Interest::kError;
  if (wanted == interest_ || watch_ == 0) return;
  interest_ = wanted;
  loop_.change(watch_, wanted);
}

ssize_t Socket::read(char* into, size_t size) {
  if (state_ != State::kOpen) return kAgain;
  if (ssl_ == nullptr) {
    ssize_t n = ::recv(fd_.get(), into, size, 0);
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR ? kAgain : kFailed;
  }
  ERR_clear_error();
  int n = SSL_read(ssl_, into, static_cast<int>(std::min<size_t>(size, 1 << 30)));
  if (n > 0) return n;
  switch (SSL_get_error(ssl_, n)) {
    case SSL_ERROR_WANT_READ:
      return kAgain;
    case SSL_ERROR_WANT_WRITE:
      ssl_wants_write_ = true;
      return kAgain;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      ERR_clear_error();
      return kFailed;
  }
}

void Socket::touch() {
  if (dirty_) return;
  dirty_ = true;
  turn_dirty.push_back(this);
}

void Socket::write(std::string_view data) {
  out_.append(data);
  touch();
}

void Socket::write_through(std::string_view data) {
  if (state_ != State::kOpen || was_pending_) return write(data);
  size_t taken = 0;
  if (!send_gathered(data, &taken)) {
    state_ = State::kBroken;  // The turn's end tells the owner.
    return touch();
  }
  if (taken < data.size()) write(data.substr(taken));
}

// Sends what was gathered, then `more`. False: the peer is gone.
bool Socket::send_gathered(std::string_view more, size_t* more_sent) {
  if (ssl_ != nullptr) {
    for (;;) {
      std::string_view piece = pending() > 0 ? std::string_view(out_).substr(sent_) : more.substr(*more_sent);
      if (piece.empty()) break;
      // Head and the body's beginning in one record.
      if (pending() > 0 && pending() < 4096 && *more_sent < more.size()) {
        size_t taken = std::min<size_t>(more.size() - *more_sent, 16 * 1024 - pending());
        out_.append(more.substr(*more_sent, taken));
        *more_sent += taken;
        piece = std::string_view(out_).substr(sent_);
      }
      ERR_clear_error();
      int n = SSL_write(ssl_, piece.data(), static_cast<int>(std::min<size_t>(piece.size(), 1 << 20)));
      if (n <= 0) {
        int error = SSL_get_error(ssl_, n);
        if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) break;
        ERR_clear_error();
        return false;
      }
      if (pending() > 0) sent_ += static_cast<size_t>(n);
      else *more_sent += static_cast<size_t>(n);
    }
  } else {
    while (pending() + (more.size() - *more_sent) > 0) {
      iovec pieces[2] = {{out_.data() + sent_, pending()}, {const_cast<char*>(more.data()) + *more_sent, more.size() - *more_sent}};
      size_t asked = pieces[0].iov_len + pieces[1].iov_len;
      msghdr message{};
      message.msg_iov = pieces[0].iov_len > 0 ? pieces : pieces + 1;
      message.msg_iovlen = pieces[0].iov_len > 0 && pieces[1].iov_len > 0 ? 2 : 1;
      ssize_t n = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) return false;
      size_t of_gathered = std::min<size_t>(static_cast<size_t>(n), pending());
      sent_ += of_gathered;
      *more_sent += static_cast<size_t>(n) - of_gathered;
      if (static_cast<size_t>(n) < asked) break;
    }
  }
  if (sent_ == out_.size()) {
    sent_ = 0;
    out_.clear();
    if (out_.capacity() > kKeptCapacity) out_.shrink_to_fit();
  } else if (sent_ > 256 * 1024 && sent_ >= out_.size() / 2) {  // No byte is moved more than once on the average.
    out_.erase(0, sent_);
    sent_ = 0;
  }
  return true;
}

bool Socket::flush() {
  if (state_ == State::kBroken) return false;
  if (state_ != State::kOpen) return true;
  size_t none = 0;
  return send_gathered({}, &none);
}

void Socket::end_of_turn() {
  if (state_ == State::kConnecting || state_ == State::kHandshake || state_ == State::kNew) return;
  if (state_ == State::kOpen && owner_ != nullptr) owner_->on_flush();
  size_t none = 0;
  // So much was gathered that a writer may have been told to stop, though the kernel takes it all now.
  bool was_much = pending() >= kMuch;
  if (state_ == State::kBroken || !send_gathered({}, &none)) return break_off();
  bool drained = pending() == 0 && (was_pending_ || was_much);
  was_pending_ = pending() > 0;
  if (pending() == 0 && shutting_down_) {
    shutting_down_ = false;
    if (ssl_ != nullptr) SSL_shutdown(ssl_);
    ::shutdown(fd_.get(), SHUT_WR);
  }
  rewatch();
  if (drained && owner_ != nullptr) owner_->on_drained();
}

// A timer that is due at once: the loop runs it before it looks at descriptors again, and never sleeps before.
void Socket::wait_for_pass() {
  if (std::exchange(waits_, true)) return;
  pass_dirty.push_back(this);
  if (pass_dirty.size() > 1) return;
  loop_.timer(std::chrono::milliseconds(0), std::chrono::milliseconds(0), [] {
    pass_ends = true;
    {
      Turn turn;
      for (Socket* socket : pass_dirty) {
        if (socket == nullptr) continue;
        socket->waits_ = false;
        socket->touch();
      }
      pass_dirty.clear();
    }
    pass_ends = false;
  });
}

void Socket::break_off() {
  state_ = State::kBroken;
  if (watch_ != 0) loop_.cancel(watch_);
  watch_ = 0;
  if (owner_ != nullptr) owner_->on_broken();
}

void Socket::want_read(bool on) {
  if (want_read_ == on) return;
  want_read_ = on;
  if (state_ != State::kOpen) return;
  rewatch();
  // What OpenSSL has read already never shows as readable.
  if (on && ssl_ != nullptr && SSL_pending(ssl_) > 0) {
    ssl_wants_write_ = true;  // The socket has room now, most likely: serve() reads on.
    rewatch();
  }
}

void Socket::shut_down() {
  shutting_down_ = true;
  touch();
}

void Socket::reset_on_close() {
  linger now{1, 0};
  if (fd_) ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

bool Socket::quiet() const {
  if (state_ != State::kOpen || (ssl_ != nullptr && SSL_pending(ssl_) > 0)) return false;
  char byte;
  return ::recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

}  // namespace server::gateway
