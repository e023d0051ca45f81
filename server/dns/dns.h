// server/dns/dns.h - cluster DNS, answered on the DNS service address inside every node (no DNAT, no
// conntrack). Zone data is compiled on the control thread and handed to the io loop.
#pragma once

#include <functional>
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

// What is known of a name's addresses; of one family, IPv4 where there are both.
struct DnsAddresses {
  bool answered = false;         // False: whoever knows could not be asked (SERVFAIL).
  std::vector<base::Ip> ips;     // Sorted.
  uint32_t ttl_seconds = 0;
};

class Dns {
 public:
  virtual ~Dns() = default;
  // As a pod's resolver finds it: below svc.DOMAIN and DOMAIN first, then as it is. Any thread; `done` on the io loop.
  virtual void look_up(std::string name, std::function<void(DnsAddresses)> done) = 0;
};
std::unique_ptr<Dns> make_dns(ControlLoop& loop, ServiceFeed& services, base::Loop& io, std::vector<DnsSockets> sockets, const DnsOptions& options);

}  // namespace server
