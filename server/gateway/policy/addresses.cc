#include "server/gateway/policy/addresses.h"

#include <cstring>

namespace server::gateway {
namespace {

// ::ffff:a.b.c.d, as a socket of both families shows an IPv4 client.
base::Ip plain(const base::Ip& address) {
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (address.is_v4() || std::memcmp(address.bytes(), kMapped, sizeof kMapped) != 0) return address;
  const uint8_t* b = address.bytes();
  return base::Ip::v4(b[12], b[13], b[14], b[15]);
}

bool contains_plain(const std::vector<base::Cidr>& ranges, const base::Ip& address) {
  for (const base::Cidr& range : ranges) {
    if (range.contains(address)) return true;
  }
  return false;
}

}  // namespace

bool contains_address(const std::vector<base::Cidr>& ranges, const base::Ip& address) { return !ranges.empty() && contains_plain(ranges, plain(address)); }

bool address_allowed(const Policy& policy, const base::Ip& address) {
  if (policy.deny.empty() && policy.allow.empty()) return true;
  base::Ip client = plain(address);
  if (contains_plain(policy.deny, client)) return false;
  return policy.allow.empty() || contains_plain(policy.allow, client);
}

}  // namespace server::gateway
