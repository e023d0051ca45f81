// server/dns/records.h - what a Service contributes to DNS, compiled from it and its EndpointSlices. Pure.
#pragma once

#include <string>
#include <vector>

#include "server/model/endpoint_slice.h"
#include "server/model/service.h"
#include "store/base/ip.h"

namespace server::dns {

struct PortRecord {
  std::string name;      // Lower case; unnamed ports have no SRV record and are left out.
  std::string protocol;  // "tcp"
  uint16_t port = 0;
  auto operator<=>(const PortRecord&) const = default;
};
struct EndpointRecord {
  std::string label;  // Its hostname, or its address with dashes.
  base::Ip ip;
  std::vector<PortRecord> ports;
  auto operator<=>(const EndpointRecord&) const = default;
};
struct ServiceRecords {
  bool headless = false;
  std::vector<base::Ip> cluster_ips;
  std::string external_name;  // Of an ExternalName service; nothing else is set then.
  std::vector<PortRecord> ports;
  std::vector<EndpointRecord> endpoints;  // Ready ones, ordered, unique.
  bool operator==(const ServiceRecords&) const = default;
};

ServiceRecords compile_records(const model::Service& service, const std::vector<const model::EndpointSlice*>& slices);
std::string dashed(const base::Ip& ip);  // "10-244-1-5"

}  // namespace server::dns
