#include "server/proxy/stale.h"

#include <netinet/in.h>

#include <algorithm>

namespace server::proxy {
namespace {

bool is_set(const base::Ip& ip) {
  return std::any_of(ip.bytes(), ip.bytes() + ip.size(), [](uint8_t byte) { return byte != 0; });
}

}  // namespace

std::vector<netns::Conntrack::Stale> compile_stale(const std::vector<UdpPort>& before, const std::vector<UdpPort>& after, base::Family family) {
  std::vector<netns::Conntrack::Stale> out;
  for (const UdpPort& port : after) {
    if (port.serving.empty() || std::find(before.begin(), before.end(), port) != before.end()) continue;
    std::set<netns::Endpoint> serving;
    for (const Backend& backend : port.serving) serving.insert({backend.ip, backend.port});
    for (const Frontend& frontend : port.frontends) {
      netns::ConntrackFilter filter;
      filter.family = family;
      filter.protocol = IPPROTO_UDP;
      if (is_set(frontend.ip)) filter.destination = frontend.ip;  // A node port: whatever the address.
      filter.destination_port = frontend.port;
      out.push_back({filter, serving});
    }
  }
  return out;
}

}  // namespace server::proxy
