// server/gateway/engine/engine.h - the L7 engine: listens, and does with requests what the published table says. A change of
// the table takes effect for the next request and cuts nothing: requests, upgraded connections and streams under way go on
// with what they began with.
//
// Threads: each of `threads` loops has its own listening sockets (SO_REUSEPORT) and connections; they share counters only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/gateway/table/table.h"
#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/result.h"

namespace server::gateway {

struct EngineOptions {
  int threads = 1;
  base::Fd net;                         // The network namespace to live in; invalid: the present one.
  std::vector<base::Ip> addresses;      // To listen on; empty: all of every family that the namespace has.
  bool ephemeral_ports = false;         // Tests: whatever port a listener names, take a free one; see ports().
  // Lines of the access log, each with its newline, many at once. Called on the loops' threads; empty: no log.
  std::function<void(std::string&& lines)> access_log;
  size_t tcp_sessions = 0;              // Of a loop, of TCP and TLS that is passed on; further ones are reset. 0: by the limit of descriptors.
  size_t udp_sessions = 4096;           // Of a loop and a UDP listener.
  uint16_t health_port = 0;             // GET /healthz answers "ok"; 0: none.
  std::string name = "gateway";         // Of the threads.
};

struct EngineStats {
  std::atomic<uint64_t> connections{0};        // Open now, of clients.
  std::atomic<uint64_t> accepted{0}, requests{0}, refused{0};
  std::atomic<uint64_t> upstream_connections{0}, retries{0};
};

class Engine {
 public:
  // Blocks until the threads run. Errors: the namespace cannot be entered.
  static base::Result<std::unique_ptr<Engine>> start(EngineOptions options);
  // Closes everything at once; drain() first where that matters. Never on one of its own threads.
  virtual ~Engine() = default;

  // Any thread. `done` (may be empty) is called on some thread once every loop works by it, with what could not be done: a
  // port that is taken, a certificate that cannot be read.
  virtual void publish(TablePtr table, std::function<void(std::vector<std::string> problems)> done) = 0;
  // Listener's name -> the port it has; any thread. Complete when publish() is done.
  virtual std::map<std::string, uint16_t> ports() const = 0;
  virtual const EngineStats& stats() const = 0;
  // Accepts nothing more, ends idle connections, the others after their answer. `done` when none is left. Any thread.
  virtual void drain(std::function<void()> done) = 0;
};

}  // namespace server::gateway
