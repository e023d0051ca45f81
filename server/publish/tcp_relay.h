// server/publish/tcp_relay.h - two connected sockets, each one's bytes written to the other until both ends are done.
// Holds at most one read's worth of bytes a direction, and memory only while a side does not take them.
//
// Thread rule: the io loop's. Invariant: a side is read only while the other has taken everything.
#pragma once

#include <functional>
#include <string>

#include "server/publish/traffic.h"
#include "store/base/fd.h"
#include "store/base/loop.h"

namespace server::publish {

class TcpRelay {
 public:
  // Both non-blocking. `done` is called once, and may destroy the relay.
  TcpRelay(base::Loop& io, base::Fd host, base::Fd cluster, Traffic& traffic, std::function<void()> done);
  ~TcpRelay();  // A side that has not ended is reset.
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;

 private:
  struct Side {
    base::Fd fd;
    base::Loop::Id watch = 0;
    base::Loop::Interest interest = base::Loop::Interest::kReadable;
    std::string unsent;         // Of the other side's bytes.
    size_t sent = 0;            // Of `unsent`.
    bool ended = false;         // It will send no more.
    bool deaf = false;          // It takes no more: it was reset.
  };

  void serve(Side& side, base::Loop::Ready ready);
  bool pump(Side& from, Side& to, std::atomic<uint64_t>& counter);  // False: `from` was reset.
  bool flush(Side& to);
  bool send_some(Side& to, const char* data, size_t size, size_t* taken);
  bool over(const Side& from, const Side& to) const { return from.ended || to.deaf; }
  void rewatch(Side& side, const Side& other);

  base::Loop& io_;
  Side host_, cluster_;
  Traffic& traffic_;
  std::function<void()> done_;
  bool clean_ = false;  // Both ends had all there was.
};

}  // namespace server::publish
