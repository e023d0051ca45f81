// server/gateway/engine/stream.h - the two ends of an exchange, whatever the version of HTTP: a Downstream is one request of
// a client, an Upstream stream is one request of ours to an endpoint. An Exchange (exchange.h) joins them.
//
// Flow control, both ways: send_body() always takes everything; when it returns kFull, the caller stops until on_drained().
// read_body(false) stops on_body() calls soon (what was read already may still come), and so the peer.
//
// Ownership: each end owns its events' receiver only by pointer. close() (or destruction of the connection) is followed by
// no further event. An event may call any method of its own stream, close() too; a stream ends by itself after the last
// event: on_body(end) or on_end... see each. Thread rule: all on the engine loop's thread.
#pragma once

#include <string_view>

#include "server/gateway/message/message.h"

namespace server::gateway {

enum class Flow : uint8_t { kOpen, kFull };

// Told of a stream by the connection it is on.
class BodyEvents {
 public:
  virtual ~BodyEvents() = default;
  // A piece of body (or of the tunnel after an upgrade); empty only with `end`. `data` is good during the call.
  virtual void on_body(std::string_view data, bool end) = 0;
  // After the last piece, instead of its `end`: trailer fields, and the end.
  virtual void on_trailers(const Headers& trailers) = 0;
  // Room again after kFull.
  virtual void on_drained() = 0;
};

// ---- The client's side -------------------------------------------------------------------------------------------

class DownstreamEvents : public BodyEvents {
 public:
  // The client is gone, or broke the protocol: no further event; the stream is not to be used any more.
  virtual void on_client_gone() = 0;
};

class Downstream {
 public:
  virtual ~Downstream() = default;
  virtual const ClientInfo& client() const = 0;
  // Who is told from now on; nullptr: nobody, body is read and dropped up to a limit.
  virtual void set_events(DownstreamEvents* events) = 0;

  // So much of this answer may wait for a slow client before send_body() says kFull; nothing less than the connection allows.
  virtual void hold(size_t bytes) = 0;
  virtual void send_informational(int status, const Headers& headers) = 0;  // 100, 103. Before send_head().
  // The connection adds Date and framing fields. `end`: nothing follows (as with HEAD, 204, 304, whatever `head.body` says).
  virtual void send_head(const ResponseHead& head, bool end) = 0;
  virtual Flow send_body(std::string_view data, bool end) = 0;
  virtual void send_trailers(const Headers& trailers) = 0;  // And the end.
  virtual void read_body(bool on) = 0;
  // The response cannot be finished: HTTP/1.1 cuts the connection, HTTP/2 resets the stream. The stream is gone after it.
  virtual void abort() = 0;
  // Nothing more will be asked of this stream. Without a finished response: as abort(). Afterwards the stream is gone.
  virtual void close() = 0;
};

// Whom a connection hands requests to. Must call set_events() before it returns, or send a whole response.
class RequestHandler {
 public:
  virtual ~RequestHandler() = default;
  virtual void on_request(Downstream& stream, RequestHead head) = 0;
};

// ---- The endpoint's side -----------------------------------------------------------------------------------------

enum class Failure : uint8_t {
  kRefused,      // No connection: refused, unreachable, or TLS not agreed.
  kConnectTimeout, // No connection in time: nothing was sent.
  kTimeout,        // Sent, and silent for too long.
  kStale,        // A kept connection was closed before any byte of an answer came: trying anew is safe for idempotent
                 // requests, and for all when nothing was sent.
  kUnprocessed,  // The endpoint says that it has not looked at the request (HTTP/2): safe for all requests.
  kReset,        // Closed or reset in the middle of things.
  kInvalid,      // What came is not HTTP.
  kTooLarge,     // The head is above the limit.
};
const char* failure_text(Failure failure);

class UpstreamEvents : public BodyEvents {
 public:
  virtual void on_informational(int status, const Headers& headers) = 0;  // 103; 100 too when it was expected.
  virtual void on_head(ResponseHead head, bool end) = 0;
  // No further event; the stream is gone. `text`: for the log. `answered`: bytes of an answer had come.
  virtual void on_failure(Failure failure, std::string_view text) = 0;
};

class UpstreamStream {
 public:
  virtual ~UpstreamStream() = default;
  virtual void send_head(const RequestHead& head, bool end) = 0;
  virtual Flow send_body(std::string_view data, bool end) = 0;
  virtual void send_trailers(const Headers& trailers) = 0;
  virtual void read_body(bool on) = 0;
  // Done with it. When request and response are whole, the connection is kept for others; else it (HTTP/2: the stream) is
  // reset. Afterwards the stream is gone.
  virtual void close() = 0;
};

}  // namespace server::gateway
