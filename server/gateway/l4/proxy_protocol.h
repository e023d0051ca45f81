// server/gateway/l4/proxy_protocol.h - the header that a proxy in front puts before a connection's bytes, to say who the client
// is (PROXY protocol, versions 1 and 2). Read strictly. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "store/base/ip.h"

namespace server::gateway {

struct ProxyHeader {
  bool has_addresses = false;   // False: UNKNOWN, LOCAL, or a family that is none of ours.
  base::Ip source, destination;
  uint16_t source_port = 0, destination_port = 0;
};
struct ProxyParse {
  enum class Kind : uint8_t { kNeedMore, kDone, kBroken } kind = Kind::kNeedMore;
  size_t used = 0;              // kDone
};
// `bytes`: all that came so far.
ProxyParse parse_proxy_header(std::string_view bytes, ProxyHeader* out);
// Version 1. Both addresses of one family.
std::string render_proxy_header(const ProxyHeader& header);

}  // namespace server::gateway
