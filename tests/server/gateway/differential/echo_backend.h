// tests/server/gateway/differential/echo_backend.h - what both proxies forward to: answers with what it received, and misbehaves on demand.
//
// The answer's body is the request's head as it came, and its body. "do=..." in the query asks for something else: see kTricks in
// the .cc. Destroyed, it finishes what it is answering, as a server that is told to end. Strict: it notes whatever two readers could read differently, which no proxy may pass on. Threads: one a connection.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "store/base/fd.h"

namespace differential {

class EchoBackend {
 public:
  // `name` comes back in X-Backend; empty: no such header.
  explicit EchoBackend(std::string name = "");
  ~EchoBackend();
  EchoBackend(const EchoBackend&) = delete;
  EchoBackend& operator=(const EchoBackend&) = delete;

  uint16_t port() const { return port_; }

  struct Seen {
    int requests = 0;
    std::vector<std::string> ambiguous;  // What was wrong with a head.
  };
  // Since the last call.
  Seen take_seen();

  // Answers to "do=ticks" get one more line, "tick N", at each call.
  void tick();

 private:
  class Connection;
  void run();

  const std::string name_;
  uint16_t port_ = 0;
  base::Fd listener_;  // After port_, which it sets.
  std::mutex mutex_;
  std::condition_variable ticked_;
  int ticks_ = 0;
  bool stopping_ = false;
  Seen seen_;
  std::vector<int> open_;
  std::vector<std::thread> connections_;
  std::thread thread_;
};

// A socket that listens on a free port of 127.0.0.1.
base::Fd listen_anywhere(uint16_t* port);

}  // namespace differential
