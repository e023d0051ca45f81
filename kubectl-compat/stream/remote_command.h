// kubectl-compat/stream/remote_command.h - the protocol of exec and attach, over either framing, as a pure
// state machine: bytes in, events out. The caller owns the socket and the process.
//
//   auto rc = RemoteCommand::make(protocol, streams);
//   handle(rc->start());                         // right after the 101 was sent
//   loop: read bytes; handle(*rc->feed(bytes));  // until kClosed, a read of 0, or an error
//   meanwhile: write(rc->stdout_data(...)), at last write(rc->finish(exit_status_json(code)));
//   handle(feed): write feed.bytes first, then act on feed.events.
//
// Thread rule: not thread-safe. With a reader and writer threads, one mutex covers each call here together
// with the socket write of the bytes that it returned (bytes must reach the wire in the order made).
// After finish() was written, go on reading until the peer closes (bounded, a second or so) before closing:
// closing a socket with unread input makes the kernel send a reset, which can destroy output still on its way.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/result.h"

namespace compat {

enum class RemoteProtocol : uint8_t {
  kWebSocketV5,  // v5.channel.k8s.io: as v4, and the client can close stdin
  kWebSocketV4,  // v4.channel.k8s.io
  kSpdyV4,       // SPDY/3.1 with v4.channel.k8s.io
};

// Picks from what the client offers. For WebSocket: the comma-separated values of Sec-WebSocket-Protocol;
// for SPDY: the X-Stream-Protocol-Version values (each may be comma-separated too). `name` is to be echoed in the
// same header. kBadRequest (WebSocket) or kForbidden (SPDY, as upstream) when nothing offered is spoken.
struct RemoteChoice {
  RemoteProtocol protocol = RemoteProtocol::kWebSocketV5;
  std::string name;  // "v5.channel.k8s.io"
};
base::Result<RemoteChoice> choose_websocket_protocol(const std::vector<std::string>& offered);
base::Result<RemoteChoice> choose_spdy_protocol(const std::vector<std::string>& offered);

// What the request's query asked for. With a tty there is no stderr stream, whatever `err` says, and SPDY clients open
// a resize stream in its place.
struct RemoteStreams {
  bool in = false, out = false, err = false, tty = false;
};

struct RemoteEvent {
  enum class Kind : uint8_t {
    kReady,        // Once, before anything else: start (or attach to) the process now.
    kStdin,        // data, never empty
    kStdinClosed,  // Once: end of input.
    kResize,       // width, height
    kClosed,       // Once, last: the client went away in good order; end the session.
  };
  Kind kind = Kind::kClosed;
  std::string data;
  int width = 0;
  int height = 0;
};

struct RemoteFeed {
  std::vector<RemoteEvent> events;
  std::string bytes;  // To be written to the socket (pongs, stream replies), maybe empty.
};

class RemoteCommand {
 public:
  static std::unique_ptr<RemoteCommand> make(RemoteProtocol protocol, RemoteStreams streams);
  virtual ~RemoteCommand() = default;

  // Once, right after the 101. WebSocket is ready at once; SPDY when all expected streams are open (upstream
  // gives the client 30 s for that: the caller's read timeout).
  virtual RemoteFeed start() = 0;
  // Any chunking. kBadRequest: protocol error; write failure_bytes() and close. After that feed() only fails.
  virtual base::Result<RemoteFeed> feed(std::string_view bytes) = 0;
  // Empty when the client did not ask for that stream, before kReady, or after finish().
  virtual std::string stdout_data(std::string_view data) = 0;
  virtual std::string stderr_data(std::string_view data) = 0;
  // The status (one of the texts below) on the error channel, then the end of every stream. Call it after all
  // output was written, once: later calls return "".
  virtual std::string finish(std::string_view status_json) = 0;
  // A close frame (1002, 1009) or GOAWAY that tells the peer why; after a failed feed().
  virtual std::string failure_bytes() const = 0;
};

// The Status that ends a session. Code 0 gives Success; others NonZeroExitCode with the ExitCode cause that kubectl
// turns into its own exit code.
std::string exit_status_json(int exit_code);
// InternalError, 500: the command could not be run, or the session broke.
std::string error_status_json(std::string_view message);

}  // namespace compat
