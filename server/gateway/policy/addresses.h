// server/gateway/policy/addresses.h - by where a client is (allow- and denylist-source-range). Pure.
#pragma once

#include "server/gateway/table/table.h"
#include "store/base/ip.h"

namespace server::gateway {

// Denied ones first; then, if any are listed, only allowed ones. An IPv4 address in IPv6's mapped form counts as IPv4.
bool address_allowed(const Policy& policy, const base::Ip& address);
bool contains_address(const std::vector<base::Cidr>& ranges, const base::Ip& address);

}  // namespace server::gateway
