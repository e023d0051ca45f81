// server/proxy/compile.h - Services and EndpointSlices to plans and the constant ruleset. Pure; any thread.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "server/model/endpoint_slice.h"
#include "server/proxy/plan.h"
#include "server/proxy/proxy.h"

namespace server::proxy {

// The plan of one service. Headless, ExternalName and not yet allocated services, services of another proxy, and addresses of
// options.local_services, need nothing. `slices` are those of this service; other families are skipped.
//
// Which endpoints count (each of the two policies for itself): the ready ones, under policy Cluster those that hints
// prefer; if there are none, those that still serve while they terminate (so that the last pod of a rollout finishes
// its work); else none. A port's endpoints are those of the slice port with its name and protocol, which is how the API
// joins the two.
ServicePlan compile_service(const model::Service& service, const std::vector<const model::EndpointSlice*>& slices, const NodeView& node,
                            const ProxyOptions& options);

// Of a node's addresses those that take node ports: the ones in options.node_port_addresses, else the first.
std::vector<base::Ip> choose_node_port_ips(const std::vector<base::Ip>& addresses, const ProxyOptions& options);

// Those of options.service_cidr and more_service_cidrs that are of the family, as text.
std::vector<std::string> service_ranges(const ProxyOptions& options, base::Family family);

// ruleset.nft.inc filled in for a node: replaces whatever table was there, atomically.
// REQUIRES a node address.
std::string compile_ruleset(const NodeView& node, const ProxyOptions& options);

}  // namespace server::proxy
