// server/gateway/engine/lane.h - one loop of the engine with all that lives on it: listening sockets, clients' connections,
// the pool of connections to endpoints.
//
// Thread rule: everything on the lane's loop, but for the methods said to be otherwise.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/gateway/engine/deadlines.h"
#include "server/gateway/engine/live_table.h"
#include "server/gateway/engine/pool.h"
#include "server/gateway/http1/server.h"
#include "server/gateway/http2/server.h"
#include "server/gateway/tls/client_tls.h"
#include "store/base/fd.h"
#include "store/base/loop.h"

namespace server::gateway {

class Front;
class UdpFront;
class AccessLog;
class Exchange;

// What an exchange needs of where it runs.
struct LaneContext {
  base::Loop& loop;
  Deadlines& deadlines;
  Pool& pool;
  SharedState& shared;
  AccessLog* log;                                  // nullptr: none.
  const std::shared_ptr<const LiveTable>* table;   // The one in force.
  Exchange* exchanges = nullptr;                   // All that live.
  size_t most_tcp_sessions = SIZE_MAX, tcp_sessions = 0;  // Each has two descriptors.
};

class Lane {
 public:
  Lane(const EngineOptions& options, SharedState& shared, int index);
  ~Lane();  // Not on the loop's thread.

  // Any thread; before anything else: enters the namespace.
  base::Status enter(const base::Fd& net);
  // Any thread. `ports`: the ports that an earlier lane got for listeners that asked for any; filled by the first.
  void publish(std::shared_ptr<const LiveTable> table, std::map<std::string, uint16_t>* ports, std::vector<std::string>* problems);  // Blocks.
  void drain();                                    // Any thread; blocks until idle connections are closed.
  size_t connections() const;                      // On the loop.
  base::Loop& loop() { return *loop_; }

 private:
  struct Parts;
  // On the loop. Sockets on all addresses, given to a Front or UdpFront.
  template <class AnyFront>
  void open_all(const Listener& listener, AnyFront& front, std::map<std::string, uint16_t>* ports, std::vector<std::string>* problems) const;
  void serve_udp(const std::shared_ptr<const LiveListener>& live, std::map<std::string, std::unique_ptr<UdpFront>>& before, std::map<std::string, uint16_t>* ports, std::vector<std::string>* problems);
  const EngineOptions& options_;
  SharedState& shared_;
  std::unique_ptr<base::Loop> loop_;
  std::unique_ptr<Parts> parts_;                   // Made and destroyed on the loop.
};

}  // namespace server::gateway
