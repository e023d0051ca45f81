// server/gateway/engine/socket.h - one non-blocking TCP connection on an io loop, with TLS on it or without.
//
// Writes gather: write() appends, and everything is sent with one call when the turn ends. A turn is one callback of the
// loop; whoever enters from elsewhere (a timer, a posted function) holds a Socket::Turn meanwhile.
//
// Thread rule: the loop's. An owner may destroy the socket in any of its callbacks, as the last thing it does.
#pragma once

#include <openssl/ossl_typ.h>
#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/loop.h"
#include "store/base/result.h"

namespace server::gateway {

// Something that ends while its own functions may still be running: it is destroyed when the turn ends.
class Mortal {
 public:
  virtual ~Mortal() = default;
};
void bury(std::unique_ptr<Mortal> dead);  // Within a turn only.

class Socket {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_open() {}                              // Connected, and TLS agreed. Not called for an accepted plain socket.
    virtual void on_open_failed(const std::string& why) { (void)why; }  // Instead of on_open(). Nothing follows.
    virtual void on_readable() = 0;                        // Call read() until it says kAgain, or fewer than asked for came.
    virtual void on_flush() {}                             // The turn ends and what was gathered is about to be sent: the last moment to write more.
    virtual void on_drained() {}                           // All that was written is with the kernel, after pending() was over 0 at a turn's end.
    // The peer is gone or broke TLS: found by a write, or while read() is not wanted. Nothing follows.
    virtual void on_broken() = 0;
  };

  // Takes an accepted socket (non-blocking, without Nagle's delay: its listener's options). `ssl` (may be nullptr) is taken too: the handshake begins at start().
  Socket(base::Loop& loop, base::Fd fd, SSL* ssl);
  // Begins to connect, from the thread's network namespace; never blocks. Errors come by on_open_failed().
  static std::unique_ptr<Socket> connect(base::Loop& loop, const base::Ip& to, uint16_t port, SSL* ssl);
  ~Socket();  // Closes at once; what was not sent is lost.
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  // Watches on behalf of `owner` from now on. The first call starts the handshake or the connection.
  void start(Owner* owner);
  void set_owner(Owner* owner) { owner_ = owner; }
  bool open() const { return state_ == State::kOpen; }

  static constexpr ssize_t kAgain = -1;
  static constexpr ssize_t kFailed = -2;
  // Bytes read; 0: the peer has ended its direction.
  ssize_t read(char* into, size_t size);
  // May be called before the socket is open. The bytes are copied.
  void write(std::string_view data);
  // For large pieces: sends at once what can be sent, with what was gathered before, and copies only the rest.
  void write_through(std::string_view data);
  // To append to in place; call touch() afterwards.
  std::string& gathered() { return out_; }
  void touch();
  size_t pending() const { return out_.size() - sent_; }
  // From now on what is gathered waits for the end of the loop's pass instead of the turn's: where many turns write to one
  // connection (HTTP/2's streams), they share a call.
  void gather_longer() { longer_ = true; }
  // Sends now instead of at the turn's end. False: the peer is gone (on_broken() is not called).
  bool flush();
  // on_readable() is called only while wanted; wanted at first. An end or reset is noticed by on_broken() only when it breaks
  // both directions.
  void want_read(bool on);
  // Ends our direction once all is sent (TLS: close_notify).
  void shut_down();
  // What comes is a reset, not an end, when the socket is destroyed.
  void reset_on_close();
  // The peer sent nothing since and is still there: a kept connection may be used again.
  bool quiet() const;

  SSL* ssl() const { return ssl_; }
  int fd() const { return fd_.get(); }
  base::Loop& loop() const { return loop_; }

  // Held while code outside of a socket's callbacks may write: sends when the outermost one ends.
  class Turn {
   public:
    Turn();
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
  };

 private:
  enum class State : uint8_t { kNew, kConnecting, kHandshake, kOpen, kBroken };
  void serve(base::Loop::Ready ready);
  void go_on_connecting();
  void go_on_shaking_hands();
  void fail_open(const std::string& why);
  void rewatch();
  bool send_gathered(std::string_view more, size_t* more_sent);
  void break_off();
  friend class Turn;
  void end_of_turn();
  void wait_for_pass();

  base::Loop& loop_;
  base::Fd fd_;
  SSL* ssl_ = nullptr;
  Owner* owner_ = nullptr;
  base::Loop::Id watch_ = 0;
  State state_ = State::kNew;
  bool server_ = true;
  base::Ip to_;
  uint16_t to_port_ = 0;
  bool want_read_ = true;
  bool ssl_wants_write_ = false;   // A read or handshake of TLS waits for room.
  bool dirty_ = false;             // Is among those that the turn's end sends.
  bool longer_ = false, waits_ = false;  // gather_longer(); is among those that the pass's end sends.
  bool was_pending_ = false;
  bool shutting_down_ = false;
  bool* destroyed_ = nullptr;      // Set by the destructor while a callback runs.
  base::Loop::Interest interest_ = base::Loop::Interest::kReadable;
  std::string out_;
  size_t sent_ = 0;
};

}  // namespace server::gateway
