// kubectl-compat/stream/port_forward.h - the protocol of port-forward over its three framings, as a pure state
// machine: bytes in, events out. The caller owns the client's socket and the sockets into the pod.
//
//   auto pf = PortForward::make(choice.protocol, ports);
//   handle(pf->start());                          // right after the 101
//   loop: read bytes; handle(*pf->feed(bytes));   // until kClosed, a read of 0, or an error
//   on kOpen: dial the pod; then pump its bytes with pf->data(conn, ...), its EOF with pf->half_close(conn),
//             and pf->finish(conn) when both directions ended; a failed dial is pf->fail(conn, text).
//   handle(feed): write feed.bytes first, then act on feed.events.
//
// Thread rule: not thread-safe. With a reader and writer threads, one mutex covers each call here together
// with the socket write of the bytes that it returned (bytes must reach the wire in the order made).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/result.h"

namespace compat {

enum class PortForwardProtocol : uint8_t {
  kSpdy,        // POST + Upgrade: SPDY/3.1, X-Stream-Protocol-Version: portforward.k8s.io
  kSpdyTunnel,  // WebSocket SPDY/3.1+portforward.k8s.io: the SPDY byte stream inside binary messages
  kWebSocket,   // WebSocket v4.channel.k8s.io: ports fixed by ?ports=, two channels each
};

struct PortForwardChoice {
  PortForwardProtocol protocol = PortForwardProtocol::kSpdy;
  std::string name;  // To be echoed in the header it came from.
};
// From the Sec-WebSocket-Protocol values; kBadRequest when nothing offered is spoken.
base::Result<PortForwardChoice> choose_port_forward_websocket(const std::vector<std::string>& offered);
// From the X-Stream-Protocol-Version values (none: portforward.k8s.io is assumed); kForbidden when not spoken.
base::Result<PortForwardChoice> choose_port_forward_spdy(const std::vector<std::string>& offered);

struct PortForwardEvent {
  enum class Kind : uint8_t {
    kOpen,       // A new connection `conn` to `port`. Ids are never reused.
    kData,       // data, never empty: client -> pod
    kHalfClose,  // The client will send no more: shut down writing towards the pod.
    kReset,      // The client gave the connection up: close it. Nothing more comes; encoders for it return "".
    kClosed,     // Once, last: the client went away in good order; close everything.
  };
  Kind kind = Kind::kClosed;
  uint32_t conn = 0;
  uint16_t port = 0;  // kOpen
  std::string data;   // kData
};

struct PortForwardFeed {
  std::vector<PortForwardEvent> events;
  std::string bytes;  // To be written to the socket, maybe empty.
};

class PortForward {
 public:
  // `ports`: the query's, for kWebSocket only (conn i = ports[i], opened by start()). At most 127 of them.
  static std::unique_ptr<PortForward> make(PortForwardProtocol protocol, const std::vector<uint16_t>& ports);
  virtual ~PortForward() = default;

  virtual PortForwardFeed start() = 0;
  // Any chunking. kBadRequest: protocol error; write failure_bytes() and close. After that feed() only fails.
  virtual base::Result<PortForwardFeed> feed(std::string_view bytes) = 0;

  // All four return bytes for the client, "" for a connection that is not open (any more).
  virtual std::string data(uint32_t conn, std::string_view data) = 0;
  virtual std::string half_close(uint32_t conn) = 0;  // The pod sent EOF. kWebSocket cannot say it: "".
  virtual std::string finish(uint32_t conn) = 0;      // Ends and forgets it. kWebSocket: a close frame after the last one.
  virtual std::string fail(uint32_t conn, std::string_view message) = 0;  // finish() with a text on the error stream.
  // A close frame (1002, 1009) or GOAWAY that tells the peer why; after a failed feed().
  virtual std::string failure_bytes() const = 0;
};

}  // namespace compat
