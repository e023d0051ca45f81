// server/dns/dns.h - cluster DNS, answered on the DNS service address inside every node (no DNAT, no
// conntrack). Zone data is compiled on the control thread and handed to the io loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/informer/control_loop.h"
#include "server/informer/service_feed.h"
#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/loop.h"

namespace server {

struct DnsOptions {
  std::string domain = "cluster.local";
  uint32_t ttl_seconds = 5;
};
// One bound UDP socket and one TCP listener of a node, made on the node's worker.
struct DnsSockets {
  base::Fd udp;
  base::Fd tcp;
};

class Dns {
 public:
  virtual ~Dns() = default;
};
std::unique_ptr<Dns> make_dns(ControlLoop& loop, ServiceFeed& services, base::Loop& io, std::vector<DnsSockets> sockets, const DnsOptions& options);

}  // namespace server
