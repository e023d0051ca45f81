// server/publish/publisher.h - the ports of a cluster that are published on the host: which there are, where each
// leads as Services come and go, and the forwarders that carry them.
//
// Thread rule: make_publisher() before ControlLoop::start(); add, remove, list and restore from any thread once the
// loop runs. ControlLoop::stop() before destruction.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "netns/fabric.h"
#include "server/informer/control_loop.h"
#include "server/publish/spec.h"
#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/loop.h"
#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

// Opens sockets on the host, which the daemon cannot see.
class HostPorts {
 public:
  virtual ~HostPorts() = default;
  struct Opened {
    base::Fd fd;        // Bound; a TCP socket does not listen yet.
    uint16_t port = 0;  // The one asked for, or the one chosen for 0.
  };
  // Blocks briefly; any thread. kConflict: taken. kForbidden: a port below 1024, with the remedy.
  virtual base::Result<Opened> open(const publish::HostPort& host) = 0;
  // The socket was closed. `host.port` as opened.
  virtual void closed(const publish::HostPort& host) = 0;
};

struct PublisherOptions {
  std::string state_file;               // Empty: nothing is kept.
  std::vector<base::Cidr> inside;       // Of Services and pods: reached from a node.
};

struct PublishedPort {
  publish::Spec spec;            // With the real host port.
  std::string leads_to;          // "10.96.0.7:80"; empty while it waits.
  std::string status;            // "active", "waiting" or "failed" (the host's port could not be opened)
  std::string reason;            // Why it waits or failed; of an active one, why the last connection got nowhere.
  uint64_t open = 0, total = 0, failed = 0, bytes_sent = 0, bytes_received = 0;
};
json describe(const PublishedPort& port);

class Publisher {
 public:
  virtual ~Publisher() = default;
  enum class Keep { kNow, kLater };  // kLater: the state file is written with the next change, or by keep().
  // The port as it is now. kAlreadyExists when that host port is published already; else as HostPorts::open().
  virtual base::Result<PublishedPort> add(const publish::Spec& spec, Keep when = Keep::kNow) = 0;
  // Writes the state file; takes as long as the disk does.
  virtual base::Status keep() = 0;
  // Closes it with all its connections. kNotFound.
  virtual base::Status remove(const publish::HostPort& host) = 0;
  virtual std::vector<PublishedPort> list() = 0;  // Ordered by host address and port.
  // What the state file holds, except host ports that `instead` takes; then `instead`. A kept port that cannot be
  // opened now is listed as failed and tried again at the next restore; one of `instead` is an error.
  virtual base::Status restore(const std::vector<publish::Spec>& instead) = 0;
};

std::unique_ptr<Publisher> make_publisher(ControlLoop& loop, base::Loop& io, netns::Fabric& fabric, std::unique_ptr<HostPorts> host_ports,
                                          const PublisherOptions& options);

}  // namespace server
