// server/app/host_sockets.h - sockets of the host for the daemon, which lives in namespaces of its own: it asks the
// keeper, who stayed outside, over a SEQPACKET socket pair made before the fork.
//
//   "open tcp 127.0.0.1 8080"   -> "ok 8080" + the socket, bound      "closed tcp 127.0.0.1 8080"  -> no answer
//   "open udp ::1 0"            -> "ok 40123" + the socket            failure -> "error REASON MESSAGE"
//
// The keeper opens loopback addresses only and a bounded number, whatever is asked.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "server/publish/publisher.h"
#include "store/base/fd.h"

namespace server {

// The daemon's end. Any thread; a request blocks until the keeper answered.
std::unique_ptr<HostPorts> make_host_ports(base::Fd channel);

// The keeper's end; one thread.
class HostSocketServer {
 public:
  explicit HostSocketServer(base::Fd channel) : channel_(std::move(channel)) {}
  int fd() const { return channel_.get(); }  // -1 once the daemon is gone.
  // Answers one request; call when fd() is readable.
  void serve();

 private:
  std::string answer(const std::string& request, base::Fd* socket);

  base::Fd channel_;
  std::set<publish::HostPort> open_;
};

}  // namespace server
