// server/proxy/plan.h - what services need on a node, as plain data: compile.h makes it from objects, table.h
// turns the difference to what the node has into kernel operations, tracer.h answers questions about it.
//
// Values; any thread.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "server/model/service.h"
#include "store/base/ip.h"

namespace server::proxy {

using model::Protocol;
using model::ServiceKey;

// How a target with two or more endpoints chooses.
enum class Spread : uint8_t { kRoundRobin, kRandom };

struct Backend {
  base::Ip ip;
  uint16_t port = 0;
  auto operator<=>(const Backend&) const = default;
};

// An address that the node captures.
struct Frontend {
  base::Ip ip;
  Protocol protocol = Protocol::kTcp;
  uint16_t port = 0;
  auto operator<=>(const Frontend&) const = default;
};

// What a connection meets at a target without endpoints.
enum class OnEmpty : uint8_t {
  kRefuse,  // The service has none anywhere.
  kDrop,    // It has, but not on this node, and a policy wants them here: another node answers, if anybody.
};

// A set of endpoints to choose from; frontends point at it. One a service port, and one more for the endpoints of
// this node where a policy asks for it.
struct Target {
  uint32_t id = 0;   // Given by TargetIds (table.h); never 0 in a plan that is applied. Even, or odd if `here`.
  std::string name;  // "http" of the service port, or "80/tcp" when it has no name. Unique in the service, with `here`.
  Protocol protocol = Protocol::kTcp;
  Spread spread = Spread::kRoundRobin;
  std::vector<Backend> backends;     // Ordered, unique.
  OnEmpty on_empty = OnEmpty::kRefuse;
  bool here = false;                 // Holds the endpoints of this node only.
  std::chrono::seconds affinity{0};  // A client (by address) keeps its endpoint until so long after its last new connection. 0: no.
  bool operator==(const Target&) const = default;
};

// Whose source address becomes the node's, beside that of an endpoint that reached itself (that always does).
enum class Masquerade : uint8_t {
  kNobody,
  kNonPods,   // ClusterIPs: nobody else has a route to this node's answer.
  kNode,      // externalTrafficPolicy Local: the node's own connections.
  kEverybody  // externalTrafficPolicy Cluster: the answer must pass this node.
};

enum class FrontendKind : uint8_t {
  kCluster,   // A ClusterIP.
  kNodePort,  // frontend.ip is unset: the addresses of NodeView::node_port_ips, never loopback.
  kExternal,  // An external IP or a load balancer's address.
};

struct FrontendPlan {
  Frontend frontend;
  size_t target = 0;  // Index into ServicePlan::targets.
  FrontendKind kind = FrontendKind::kCluster;
  Masquerade masquerade = Masquerade::kNonPods;
  // For connections of neither a pod nor the node itself, unmasqueraded, where externalTrafficPolicy is Local. With
  // ProxyOptions::detect_local off, pods' connections count as such too.
  std::optional<size_t> outside_target;
  // Others are dropped, before anything else and whatever they come from. Empty: all are let in. Holds the frontend's
  // own address if a node address is in a range: a node's connection may carry it as its source.
  std::vector<base::Cidr> source_ranges;
  bool operator==(const FrontendPlan&) const = default;
};

// A UDP port's endpoints that may still have clients, whatever policies and hints send new ones elsewhere. Entries of the
// connection table that lead from its frontends to any other endpoint are stale. `serving` empty: nothing is stale.
struct UdpPort {
  std::vector<Frontend> frontends;  // As in FrontendPlan: ip is unset for node ports.
  std::vector<Backend> serving;
  bool operator==(const UdpPort&) const = default;
};

// What healthCheckNodePort tells the load balancer in front.
struct HealthCheck {
  uint16_t port = 0;
  size_t local_endpoints = 0;  // Ready ones of this node; terminating ones do not count.
  bool operator==(const HealthCheck&) const = default;
};

// One Service on one node. Empty (no address, target and frontend): the service needs nothing.
struct ServicePlan {
  std::vector<base::Ip> cluster_ips;
  std::vector<Target> targets;
  std::vector<FrontendPlan> frontends;
  std::vector<base::Ip> hairpins;  // Endpoints on this node: each may reach itself through the service.
  std::vector<UdpPort> udp_ports;
  std::optional<HealthCheck> health_check;
  bool operator==(const ServicePlan&) const = default;
  bool empty() const { return cluster_ips.empty() && targets.empty() && frontends.empty(); }
};

// What of a node shapes its plans, for one address family.
struct NodeView {
  base::Family family = base::Family::kIpv4;
  base::Cidr pod_cidr;                  // Endpoints in here can reach themselves through a service: hairpin.
  std::string name;                     // Endpoints with this nodeName are local.
  std::string zone;                     // Label topology.kubernetes.io/zone; empty: none, zone hints are ignored.
  std::vector<base::Ip> addresses;      // All of the node, the first is what it masquerades to. Never loopback.
  std::vector<base::Ip> node_port_ips;  // Those that take node ports.
};

// "http", "http on this node"
std::string target_text(const Target& target);
// The readable form used in golden files and by the packet tracer's report: one line a fact.
std::string render_plan(const ServiceKey& key, const ServicePlan& plan);

}  // namespace server::proxy
