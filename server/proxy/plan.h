// server/proxy/plan.h - what services need on a node, as plain data: compile.h makes it from objects, table.h
// turns the difference to what the node has into nft transactions.
//
// Values; any thread.
#pragma once

#include <compare>
#include <cstdint>
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

// A set of endpoints to choose from; frontends point at it. One a service port; later also one for the
// endpoints of this node only, where a policy asks for it.
struct Target {
  uint32_t id = 0;   // Given by TargetIds (table.h); never 0 in a plan that is applied.
  std::string name;  // "http" of the service port, or "80/tcp" when it has no name: unique in the service.
  Protocol protocol = Protocol::kTcp;
  Spread spread = Spread::kRoundRobin;
  std::vector<Backend> backends;  // Ordered, unique. Empty: connections are refused.
  bool operator==(const Target&) const = default;
};

struct FrontendPlan {
  Frontend frontend;
  size_t target = 0;  // Index into ServicePlan::targets.
  bool operator==(const FrontendPlan&) const = default;
};

// One Service on one node. Empty (no address, target and frontend): the service needs nothing.
struct ServicePlan {
  std::vector<base::Ip> cluster_ips;
  std::vector<Target> targets;
  std::vector<FrontendPlan> frontends;
  std::vector<base::Ip> hairpins;  // Endpoints on this node: each may reach itself through the service.
  bool operator==(const ServicePlan&) const = default;
  bool empty() const { return cluster_ips.empty() && targets.empty() && frontends.empty(); }
};

// What of a node shapes its plans.
struct NodeView {
  base::Family family = base::Family::kIpv4;
  base::Cidr pod_cidr;  // Endpoints in here can reach themselves through a service: hairpin.
};

// The readable form used in golden files and by the packet tracer's report: one line a fact.
std::string render_plan(const ServiceKey& key, const ServicePlan& plan);

}  // namespace server::proxy
