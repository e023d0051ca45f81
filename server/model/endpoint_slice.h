// server/model/endpoint_slice.h - an EndpointSlice as the proxy and DNS see it. Values; any thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/model/service.h"
#include "store/base/ip.h"
#include "store/object/object.h"

namespace server::model {

struct Endpoint {
  std::vector<base::Ip> addresses;  // The API makes consumers use the first one; the rest are kept for display.
  bool ready = true;                // Absent conditions mean "ready" (API contract).
  bool serving = true;
  bool terminating = false;
  std::string hostname;
  std::string node_name;
  std::string pod_name;  // targetRef of kind Pod.
  std::vector<std::string> hint_zones;  // hints.forZones
  std::vector<std::string> hint_nodes;  // hints.forNodes
  bool operator==(const Endpoint&) const = default;
};

struct EndpointPort {
  std::string name;
  Protocol protocol = Protocol::kTcp;
  std::optional<uint16_t> port;  // Absent: "all ports", of no use to a proxy.
  bool operator==(const EndpointPort&) const = default;
};

struct EndpointSlice {
  std::string name;
  std::string ns;
  std::string service;                 // Label kubernetes.io/service-name; empty: of no Service.
  std::optional<base::Family> family;  // Absent: addressType FQDN, which the proxy and DNS ignore.
  std::vector<Endpoint> endpoints;
  std::vector<EndpointPort> ports;
  bool operator==(const EndpointSlice&) const = default;

  ServiceKey service_key() const { return {ns, service}; }
};

// From a tree of "endpointslices.discovery.k8s.io". Endpoints whose addresses do not parse are left out.
EndpointSlice project_endpoint_slice(const store::Object& object);

}  // namespace server::model
