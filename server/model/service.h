// server/model/service.h - a Service as the programs that compute with it (proxy, DNS, gateway) see it: addresses
// parsed, enums instead of strings, unusable parts left out. Values; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "store/base/ip.h"
#include "store/object/object.h"

namespace server::model {

enum class Protocol : uint8_t { kTcp, kUdp, kSctp };
// "tcp", "udp", "sctp": the spelling of nft and of DNS labels (after '_').
const char* protocol_text(Protocol protocol);
// Of the API ("TCP"); absent or unknown reads as TCP, the API's default.
Protocol parse_protocol(const std::string& text);

// "namespace/name" of a Service, ordered like a listing.
struct ServiceKey {
  std::string ns;
  std::string name;
  std::string text() const { return ns + "/" + name; }
  auto operator<=>(const ServiceKey&) const = default;
};

enum class ServiceType : uint8_t { kClusterIp, kNodePort, kLoadBalancer, kExternalName };

struct ServicePort {
  std::string name;  // Empty for the only port of a Service.
  Protocol protocol = Protocol::kTcp;
  uint16_t port = 0;
  uint16_t node_port = 0;  // 0: none.
  std::string target_port = {};  // As written, a number or a name. Where packets go say the EndpointSlices; ExternalName has none.
  auto operator<=>(const ServicePort&) const = default;
};

struct Service {
  ServiceKey key;
  ServiceType type = ServiceType::kClusterIp;
  bool headless = false;              // clusterIP: None
  std::vector<base::Ip> cluster_ips;  // Empty when headless or not allocated yet.
  std::string external_name;          // kExternalName only; no trailing dot.
  std::vector<ServicePort> ports;
  std::vector<base::Ip> external_ips;        // spec.externalIPs
  std::vector<base::Ip> load_balancer_ips;   // status.loadBalancer.ingress, but for those of ipMode Proxy.
  std::vector<base::Cidr> source_ranges;     // loadBalancerSourceRanges, else the annotation of old. Concern load_balancer_ips only.
  bool internal_local = false;               // internalTrafficPolicy: Local
  bool external_local = false;               // externalTrafficPolicy: Local
  std::chrono::seconds affinity{0};          // sessionAffinity ClientIP: its timeout; 0: none.
  uint16_t health_check_node_port = 0;       // LoadBalancer with external_local only; 0: none.
  bool proxied = true;                       // False: a label leaves it to another proxy, or to none.
  bool operator==(const Service&) const = default;
};

// spec.ipFamilies of a tree of "services", the first first; of an object older than that field, the family of its clusterIP.
std::vector<base::Family> service_families(const store::json& tree);

// From a tree of "services". Unparsable addresses are left out: the API has validated them.
Service project_service(const store::Object& object);

}  // namespace server::model
