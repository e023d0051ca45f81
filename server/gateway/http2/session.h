// server/gateway/http2/session.h - one HTTP/2 connection without its socket: bytes in, bytes out, streams. Framing, HPACK and
// the state machine are nghttp2's; this adds bodies with backpressure, limits, and who owns a stream until when.
//
// A stream lives until both the handler has let go of it and it is closed on the wire. All calls happen within a Socket::Turn,
// on one thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/gateway/engine/socket.h"
#include "server/gateway/engine/stream.h"
#include "server/gateway/http2/fields.h"

namespace server::gateway::http2 {

class Session;
class ServerStream;
class ClientStream;

struct SessionOptions {
  uint32_t streams = 128;                        // At once, that the peer may open.
  size_t header_list = 32 * 1024;
  uint32_t stream_window = 256 * 1024;
  uint32_t connection_window = 4 * 1024 * 1024;  // Held bodies of a connection cannot be more.
  size_t buffered = 64 * 1024;                   // Of one stream, before kFull.
  // Floods: what the peer may do in one go; it is given anew with time and with useful work.
  uint32_t resets = 200;                         // Streams that end before their answer does.
  uint32_t control_frames = 2'000;               // PING, SETTINGS, empty DATA and the like.
};

// What may be spent: `burst` at once, `rate` a second afterwards. The clock is read only when nothing is left.
class Allowance {
 public:
  Allowance(uint32_t burst, uint32_t rate) : burst_(burst), rate_(rate), left_(burst), since_(std::chrono::steady_clock::now()) {}
  bool spend();
  void give(uint32_t n) { left_ = left_ + n > burst_ ? burst_ : left_ + n; }

 private:
  const uint32_t burst_, rate_;
  uint32_t left_;
  std::chrono::steady_clock::time_point since_;
};

// What server and client streams have in common: the two bodies.
class Stream : public Mortal {
 public:
  explicit Stream(Session& session);

  // ---- From the session ----
  virtual void head_received(FieldBlock& block, bool end) = 0;
  virtual void closed(uint32_t code) = 0;                           // On the wire.
  virtual void lost(Failure failure, std::string_view why) = 0;     // With the connection.
  virtual bool outlives_connection() const { return false; }
  void data_received(std::string_view data);
  void input_ended();
  void deliver_later();                                             // Held input, and failures: from run_later().
  void trailers_received(FieldBlock& block);
  ssize_t fill(size_t room, uint32_t* flags);                       // nghttp2's read callback.
  void take_out(size_t size, std::string* into);
  void tell_drained();
  virtual void discarded(size_t size) { (void)size; }               // Input that nobody wants any more.
  virtual void output_sent() = 0;                                   // Its END_STREAM is out.

  // Of whom and for how long there was nothing: since when a body that is wanted has not come, or one that is ready could not go.
  std::chrono::steady_clock::time_point progress{};
  bool waits_for_input() const { return wants_body_ && !in_ended_ && !released_ && body_expected_ && !may_wait_; }
  bool buried() const { return buried_; }
  bool waits_for_window() const { return out_.size() > out_sent_ || (out_end_ && !output_done_); }

 protected:
  friend class Session;
  friend struct Callbacks;
  virtual BodyEvents* receiver() = 0;
  virtual void do_later() {}
  Flow queue(std::string_view data, bool end);
  void queue_trailers(const Headers& trailers);
  void want_body(bool on);
  void drop_held();
  void reset(uint32_t code);
  void release();      // The handler is through with it.
  void bury_self();
  void hand_over();    // What is held, as far as it is wanted.

  Session& session_;
  Stream* before_ = nullptr;
  Stream* after_ = nullptr;
  int32_t id_ = -1;
  FieldBlock block_;

  std::string held_;                        // Came, and is not wanted yet; of the peer's window.
  std::optional<Headers> in_trailers_;
  bool in_ended_ = false, in_told_ = false, wants_body_ = false, body_expected_ = true, handing_over_ = false, later_ = false;
  bool may_wait_ = false;                   // Both directions are open at once: a tunnel, a gRPC stream. Silence is allowed.

  std::string out_;
  size_t out_sent_ = 0, out_limit_ = 0;     // Of what is not sent: at the limit queue() says kFull.
  std::optional<Headers> out_trailers_;
  bool out_end_ = false, out_deferred_ = false, out_full_ = false, output_done_ = false, drained_ = false;

  bool wire_closed_ = false, released_ = false, buried_ = false;
};

// For nghttp2_submit_*: the stream's queue.
nghttp2_data_provider body_of(Stream* stream);

class Session {
 public:
  // Whoever carries the bytes.
  class Carrier {
   public:
    virtual ~Carrier() = default;
    virtual void want_output() = 0;  // take_output() is due at the turn's end.
    virtual void want_later() = 0;   // run_later() is due, in a turn of its own.
  };

  Session(bool server, const SessionOptions& options, Carrier& carrier);
  virtual ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Everything is used. Afterwards see finished().
  void feed(std::string_view bytes);
  // Appends about `limit` bytes at most. True: there may be more.
  bool take_output(std::string* out, size_t limit);
  void run_later();
  // Nothing comes and nothing goes any more: to be closed once the output is sent.
  bool finished() const;
  // The connection is gone: all streams fail, but those of a client whose answer has come whole: it is still handed over, and
  // want_later() is called when the last of them is through. Nothing but run_later() may be called afterwards.
  void fail_all(Failure failure, std::string_view why);

  size_t streams() const { return count_; }
  bool in_block() const { return in_block_; }      // A header block has begun and not ended.
  const std::string& why() const { return why_; }  // We ended it since the peer broke a rule; empty: we did not.
  const SessionOptions& options() const { return options_; }

 protected:
  friend class Stream;
  friend class ServerStream;
  friend class ClientStream;
  friend struct Callbacks;

  virtual Stream* make_stream() = 0;                   // For a request of the peer; nullptr: this is a client.
  virtual void frame_received(const nghttp2_frame&) {}
  void link(Stream* stream);
  void unlink(Stream* stream);
  Stream* find(int32_t id);
  template <class Fn>
  void each_stream(Fn fn) {  // `fn` may end that stream, no other.
    for (Stream* s = first_; s != nullptr;) {
      Stream* next = s->after_;
      fn(*s);
      s = next;
    }
  }
  void doom(uint32_t code, const char* why);
  void spend_control();
  void spend_reset();
  void later(Stream* stream);

  const SessionOptions options_;
  Carrier& carrier_;
  nghttp2_session* session_ = nullptr;
  std::string* output_ = nullptr;      // While take_output() runs.
  size_t output_limit_ = 0;
  Stream* first_ = nullptr;
  size_t count_ = 0;
  std::vector<Stream*> drained_, later_;
  Allowance resets_, control_;
  uint32_t continuations_ = 0;
  bool in_block_ = false, doomed_ = false, dead_ = false;
  std::string why_;
};

}  // namespace server::gateway::http2
