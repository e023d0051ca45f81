// server/publish/forwarder.h - one published port at work: from a socket of the host to a place in the cluster.
//
// TCP: bytes in order and none lost, half-close and reset passed on, a reader that is slow slows the writer down.
// Without a destination the port does not listen, so that clients are refused as by a server that is not up; when the
// destination refuses, they are reset. UDP: a session a client address, with a socket of its own into the cluster, so
// that answers find back; forgotten after a minute of silence.
//
// Thread rule: everything on the io loop's thread, construction and destruction included.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>

#include "server/publish/resolve.h"
#include "server/publish/socket_pool.h"
#include "server/publish/traffic.h"
#include "store/base/fd.h"
#include "store/base/loop.h"

namespace server::publish {

struct ForwarderLimits {
  size_t connections = 16'384;                   // A port; more wait in the listener's queue.
  std::chrono::milliseconds connect{10'000};
  size_t udp_sessions = 4'096;                   // A port; above it the one that was quiet longest goes.
  size_t udp_waiting = 256 * 1024;               // Bytes that wait for a session's socket; more are lost.
  std::chrono::milliseconds udp_idle{60'000};
};

struct ForwarderContext {
  base::Loop& io;
  // The pool of sockets for one kind of destination. Outlives the forwarder.
  std::function<SocketPool&(From from, base::Family family, int type)> pool;
  std::shared_ptr<Traffic> traffic;
  // Told once for each new reason ("172.30.0.11:30080: connection refused").
  std::function<void(const std::string& reason)> on_failure;
  ForwarderLimits limits;
};

class Forwarder {
 public:
  virtual ~Forwarder() = default;  // Ends what is under way: connections are reset.
  // Connections that stand go on to where they lead; UDP sessions start anew.
  virtual void set_destination(std::optional<Destination> to) = 0;
};

// `socket` is bound and not listening (TCP), or bound (UDP).
std::unique_ptr<Forwarder> make_tcp_forwarder(ForwarderContext context, base::Fd socket);
std::unique_ptr<Forwarder> make_udp_forwarder(ForwarderContext context, base::Fd socket);

}  // namespace server::publish
