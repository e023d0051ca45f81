// server/dns/special_names.h - names outside the cluster's domain about which something is known without asking
// anybody: reverse names and top-level names that nobody ever delegates. Pure.
#pragma once

#include <optional>

#include "server/dns/wire.h"
#include "store/base/ip.h"

namespace server::dns {

// Text of the extended error that outside names get.
inline constexpr const char* kNoWayOut = "kubelan has no way out: no upstream resolver";

struct ReverseName {
  Name zone;                   // in-addr.arpa or ip6.arpa
  std::optional<base::Ip> ip;  // Of a complete name.
  bool prefix_only = false;    // Well-formed, but not complete: an empty non-terminal.
  bool is_private = false;     // Of an address range that is only used locally.
};
// nullopt: not under a reverse zone. `name` in lower case.
std::optional<ReverseName> parse_reverse(const Name& name);

// Dotless names, and names under top-level domains reserved never to exist in the public tree. `name` in lower case.
bool is_never_delegated(const Name& name);

}  // namespace server::dns
