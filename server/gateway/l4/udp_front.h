// server/gateway/l4/udp_front.h - one UDP listener on one lane. Datagrams of one client address and port are a session: they go to one
// endpoint through a socket connected to it, whose answers go back. A session ends when it was silent for the listener's idle time, when
// its endpoint says that nobody listens, when a table without that endpoint comes, or, being the one that was silent longest, when
// there are too many.
//
// Datagrams that cannot be sent at once are lost, as they are elsewhere. Loop thread only.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "server/gateway/engine/lane.h"
#include "server/gateway/engine/socket.h"
#include "store/base/fd.h"
#include "store/base/socket_address.h"

namespace server::gateway {

class UdpFront {
 public:
  UdpFront(LaneContext& lane, std::shared_ptr<const LiveListener> listener, size_t max_sessions);
  ~UdpFront();
  UdpFront(const UdpFront&) = delete;
  UdpFront& operator=(const UdpFront&) = delete;

  void listen(base::Fd socket);  // Bound, non-blocking.
  void set_listener(std::shared_ptr<const LiveListener> listener);
  const LiveListener& listener() const { return *listener_; }
  uint16_t port() const { return port_; }
  // Takes no new sessions; those that there are end when they are silent for a moment.
  void drain();
  size_t sessions() const { return sessions_.size(); }

 private:
  struct Ear {
    base::Fd fd;
    base::Loop::Id watch = 0;
  };
  using Key = std::pair<base::Ip, uint16_t>;
  struct Session final : Mortal {
    Session(UdpFront& f, Ear& e, const Key& k, const base::SocketAddress& from) : front(f), ear(e), key(k), client(from), idle([this] { front.end(*this); }) {}
    UdpFront& front;
    Ear& ear;
    const Key key;
    const base::SocketAddress client;
    Endpoint endpoint;
    base::Fd fd;                               // Connected to the endpoint.
    base::Loop::Id watch = 0;
    Deadline idle;
    std::list<Session*>::iterator place;       // In by_silence_.
  };
  void take_some(Ear& ear);
  Session* find_or_begin(Ear& ear, const base::SocketAddress& from);
  bool connect(Session& session);
  void answer_some(Session& session);
  void touch(Session& session);
  void end(Session& session);

  LaneContext& lane_;
  std::shared_ptr<const LiveListener> listener_;
  std::shared_ptr<const LiveTable> table_;     // The one that listener_ is of.
  const size_t max_sessions_;
  uint16_t port_ = 0;
  bool draining_ = false;
  std::vector<std::unique_ptr<Ear>> ears_;
  std::map<Key, std::unique_ptr<Session>> sessions_;
  std::list<Session*> by_silence_;             // Longest first.
};

}  // namespace server::gateway
