// server/publish/socket_pool.h - sockets of one network namespace, ready to be connected. They can be made on the
// namespace's worker only, which may be busy with rules or pods: so they are made ahead, in batches that grow with
// demand, and a connection does not wait for that thread.
//
// Thread rule: the io loop's, construction and destruction included. The worker must outlive the loop's last turn.
#pragma once

#include <functional>
#include <memory>

#include "netns/ns/worker.h"
#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/loop.h"
#include "store/base/result.h"

namespace server::publish {

class SocketPool {
 public:
  using Taker = std::function<void(base::Result<base::Fd>)>;
  // `type` is SOCK_STREAM or SOCK_DGRAM; sockets are non-blocking.
  SocketPool(base::Loop& io, netns::Worker& worker, base::Family family, int type);
  ~SocketPool();  // Who still waits gets no answer.
  SocketPool(const SocketPool&) = delete;
  SocketPool& operator=(const SocketPool&) = delete;

  // Calls `taker` once: before it returns where a socket is at hand, else when one was made, first come first served.
  void take(Taker taker);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace server::publish
