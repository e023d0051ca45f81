// server/dns/server.h - answers DNS on sockets that were made elsewhere, UDP and TCP (RFC 7766: pipelined, idle
// connections are closed).
//
// Thread rule: everything on the io loop's thread, construction and destruction included.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/dns/dns.h"
#include "server/dns/wire.h"
#include "store/base/fd.h"
#include "store/base/loop.h"

namespace server::dns {

struct ServerLimits {
  size_t connections = 256;  // A listener; above it the one that was quiet longest goes.
  std::chrono::milliseconds idle{10'000};
  size_t unsent = 128 * 1024;  // A connection that does not read its answers is not read either.
};

class Server {
 public:
  using AnswerFn = std::function<Answer(const Query&)>;
  // Bound sockets; either Fd may be invalid. They are made non-blocking.
  Server(base::Loop& loop, DnsSockets sockets, AnswerFn answer, const ServerLimits& limits = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  struct Connection {
    base::Fd fd;
    base::Loop::Id watch = 0;
    std::string in, out;
    bool reading = true, writing = false;
    bool ended = false;  // The client sends no more; what it asked is still answered.
    std::chrono::steady_clock::time_point last;
  };
  using Connections = std::list<Connection>;  // Least recently active first.

  void read_udp();
  void accept_tcp();
  void serve(Connections::iterator it, base::Loop::Ready ready);
  bool read_some(Connection& connection);
  bool write_some(Connection& connection);
  void answer_pending(Connection& connection);
  void rewatch(Connections::iterator it);
  void close(Connections::iterator it);
  void close_idle();
  void schedule_sweep();
  std::string respond(std::string_view message, bool datagram);

  base::Loop& loop_;
  DnsSockets sockets_;
  const AnswerFn answer_;
  const ServerLimits limits_;
  base::Loop::Id udp_watch_ = 0, tcp_watch_ = 0, sweep_ = 0;
  Connections connections_;
};

}  // namespace server::dns
