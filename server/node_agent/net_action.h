// server/node_agent/net_action.h - probes and hooks that go over the network: HTTP(S), TCP, gRPC. Everything runs on the
// io loop without blocking, so any number may be under way and none delays another.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "server/node_agent/probe_spec.h"
#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/loop.h"

namespace server {

struct NetAction {
  Action action;                           // kHttp, kTcp or kGrpc.
  std::string pod_ip;                      // For an action without a host.
  std::chrono::milliseconds timeout{0};    // 0: none, but that of TCP.
  // Refused connections are tried again until the timeout: a first look may come before the server listens.
  bool patient = false;
  bool hook = false;                       // Any answer will do, and it says that it is a hook.
};
// Makes a TCP socket in the namespace that the target is reached from, and hands it to `done` on any thread.
using SocketMaker = std::function<void(base::Family family, std::function<void(base::Result<base::Fd>)> done)>;

// From any thread. `done` runs once, on the io loop, unless the returned function was called before (from any thread).
std::function<void()> run_net_action(base::Loop& io, SocketMaker make_socket, NetAction what, std::function<void(Outcome)> done);

base::Result<base::Fd> make_probe_socket(base::Family family);  // In the calling thread's namespace.

}  // namespace server
