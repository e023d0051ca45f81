#include "server/app/options.h"

#include <algorithm>

namespace server {
namespace {

base::Ip ip(const char* text) { return base::Ip::parse(text).value(); }
base::Cidr cidr(const char* text) { return base::Cidr::parse(text).value(); }

// Unique local addresses that look like the IPv4 ones.
AddressPlan ipv6_plan() {
  AddressPlan plan;
  plan.underlay = cidr("fd00:172:30::/64");
  plan.gateway = ip("fd00:172:30::1");
  plan.client = ip("fd00:172:30::2");
  plan.first_node = ip("fd00:172:30::11");
  plan.load_balancers = cidr("fd00:172:30:255::/112");
  plan.pods = cidr("fd00:10:244::/56");
  plan.services = cidr("fd00:10:96::/112");
  plan.kubernetes = ip("fd00:10:96::1");
  plan.dns = ip("fd00:10:96::a");
  return plan;
}

}  // namespace

base::Cidr AddressPlan::node_pods(uint64_t node) const {
  if (pods.address().is_v4()) return base::Cidr(pods.address().plus((node + 1) * 256), 24);
  std::array<uint8_t, 16> bytes{};
  std::copy(pods.address().bytes(), pods.address().bytes() + bytes.size(), bytes.begin());
  bytes[7] = static_cast<uint8_t>(node + 1);  // The last byte of the /64; a cluster has 64 nodes at the most.
  return base::Cidr(base::Ip::v6(bytes), 64);
}

std::vector<base::Ip> AddressPlan::ingress_addresses() const {
  const uint64_t size = 1ull << std::min(16, load_balancers.host_bits());
  std::vector<base::Ip> out = {load_balancers.address().plus(size - 2)};  // The last one is a broadcast address.
  for (const AddressPlan& other : more) {
    for (const base::Ip& ip : other.ingress_addresses()) out.push_back(ip);
  }
  return out;
}

AddressPlan make_address_plan(IpFamily family) {
  if (family == IpFamily::kIpv6) return ipv6_plan();
  AddressPlan plan;
  if (family == IpFamily::kDual) plan.more.push_back(ipv6_plan());
  return plan;
}

}  // namespace server
