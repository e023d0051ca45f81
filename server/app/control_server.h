// server/app/control_server.h - answers the CLI on STATE_DIR/control.sock (control_protocol.h). One thread
// accepts, one short-lived thread a request. The socket's folder is 0700: whoever can connect is the owner.
#pragma once

#include <functional>
#include <memory>

#include "store/base/fd.h"

namespace server {

class Cluster;

class ControlServer {
 public:
  // `on_down` is called (on a request thread) when a client asks the cluster to end, after it was answered.
  static std::unique_ptr<ControlServer> start(base::Fd listener, Cluster& cluster, std::function<void()> on_down);
  virtual ~ControlServer() = default;  // Answers what has begun, then joins.
};

}  // namespace server
