// server/app/options.h - what a cluster is made from. Plain values, with the defaults of the README.
#pragma once

#include <string>
#include <vector>

#include "server/publish/spec.h"
#include "store/base/ip.h"

namespace server {

struct ClusterOptions {
  std::string name = "default";
  int nodes = 3;
  std::string state_dir;              // Absolute. Holds everything of this cluster.
  bool ephemeral = false;             // Objects in memory only.
  bool api_only = false;              // The API server alone: no nodes, no network, no controllers.
  uint16_t api_port = 0;              // 0: the port of last time if it is free, else any.
  bool random_balancing = false;      // Services: kube-proxy's random choice in place of exact round robin.
  std::string log_level = "info";
  std::string ip_family;              // "ipv4", "ipv6", "dual"; empty: as last time, else ipv4.
  std::vector<publish::Spec> publish;  // Ports on the host, beside those of last time.
  bool ingress = true;                // The ingress controller, and its ports on the host.
  bool usual_ingress_ports = true;    // 80 and 443 where this machine lets us; else free ports only.
};

inline constexpr int kMaxNodes = 64;

enum class IpFamily { kIpv4, kIpv6, kDual };  // Dual: IPv4 first.

// The address plan; see docs/architecture.md. The fields are of the first family.
struct AddressPlan {
  base::Cidr underlay = base::Cidr(base::Ip::v4(172, 30, 0, 0), 16);
  base::Ip gateway = base::Ip::v4(172, 30, 0, 1);
  base::Ip client = base::Ip::v4(172, 30, 0, 2);
  base::Ip first_node = base::Ip::v4(172, 30, 0, 11);
  base::Cidr load_balancers = base::Cidr(base::Ip::v4(172, 30, 255, 0), 24);  // In the underlay.
  base::Cidr pods = base::Cidr(base::Ip::v4(10, 244, 0, 0), 16);
  base::Cidr services = base::Cidr(base::Ip::v4(10, 96, 0, 0), 12);
  base::Ip kubernetes = base::Ip::v4(10, 96, 0, 1);
  base::Ip dns = base::Ip::v4(10, 96, 0, 10);
  std::string domain = "cluster.local";
  uint16_t in_cluster_api_port = 6443;
  std::vector<AddressPlan> more;  // With the other family's; one at the most.

  // A /24 of IPv4, a /64 of IPv6.
  base::Cidr node_pods(uint64_t node) const;
  // The ingress controller's, one a family: the last of each pool, far from those that Services get by themselves.
  std::vector<base::Ip> ingress_addresses() const;
};
AddressPlan make_address_plan(IpFamily family);

}  // namespace server
