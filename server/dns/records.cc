#include "server/dns/records.h"

#include <algorithm>
#include <map>

#include "server/dns/wire.h"

namespace server::dns {
namespace {

std::string lower_text(const std::string& text) { return lower({text}).front(); }

std::vector<PortRecord> slice_ports(const model::EndpointSlice& slice) {
  std::vector<PortRecord> out;
  for (const model::EndpointPort& port : slice.ports) {
    if (!port.name.empty() && port.port) out.push_back({lower_text(port.name), model::protocol_text(port.protocol), *port.port});
  }
  return out;
}

}  // namespace

std::string dashed(const base::Ip& ip) {
  std::string text = ip.text();
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '.' || c == ':'; }, '-');
  return text;
}

ServiceRecords compile_records(const model::Service& service, const std::vector<const model::EndpointSlice*>& slices) {
  ServiceRecords out;
  if (service.type == model::ServiceType::kExternalName) {
    // An address is no name: a CNAME to it would resolve nowhere.
    if (!base::Ip::parse(service.external_name).ok()) out.external_name = service.external_name;
    return out;
  }
  out.headless = service.headless;
  out.cluster_ips = service.cluster_ips;
  for (const model::ServicePort& port : service.ports) {
    if (!port.name.empty()) out.ports.push_back({lower_text(port.name), model::protocol_text(port.protocol), port.port});
  }
  // Several slices may list one address, each with other ports.
  std::map<std::pair<std::string, base::Ip>, std::vector<PortRecord>> endpoints;
  for (const model::EndpointSlice* slice : slices) {
    const std::vector<PortRecord> ports = slice_ports(*slice);
    for (const model::Endpoint& endpoint : slice->endpoints) {
      if (!endpoint.ready) continue;
      const base::Ip& ip = endpoint.addresses.front();
      auto& known = endpoints[{endpoint.hostname.empty() ? dashed(ip) : lower_text(endpoint.hostname), ip}];
      known.insert(known.end(), ports.begin(), ports.end());
    }
  }
  for (auto& [key, ports] : endpoints) {
    std::sort(ports.begin(), ports.end());
    ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    out.endpoints.push_back({key.first, key.second, std::move(ports)});
  }
  return out;
}

}  // namespace server::dns
