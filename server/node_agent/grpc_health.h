// server/node_agent/grpc_health.h - one call of grpc.health.v1.Health/Check over HTTP/2 without TLS, as bytes in and
// bytes out. The only nghttp2 user here. No thread affinity, but one thread at a time.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/node_agent/probe_spec.h"

namespace server {

class GrpcHealthCheck {
 public:
  GrpcHealthCheck(const std::string& authority, const std::string& service, std::chrono::milliseconds timeout);
  ~GrpcHealthCheck();
  GrpcHealthCheck(const GrpcHealthCheck&) = delete;
  GrpcHealthCheck& operator=(const GrpcHealthCheck&) = delete;

  std::string take_output();              // To be sent; "" for nothing.
  void feed(std::string_view bytes);
  void end();                             // The peer closed.
  bool connected() const;                 // The server has shown that it speaks HTTP/2.
  const std::optional<Outcome>& outcome() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace server
