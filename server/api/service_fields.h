// server/api/service_fields.h - what an update of a Service means for the fields that the server filled in: kept where
// the client left them out, dropped where the new type has none. And the address families. Pure; trees are whole
// Services that passed check_types and their defaults; `old` is null on a create.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "store/base/ip.h"
#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

bool service_has_addresses(const json& service);     // Not ExternalName.
bool service_has_node_ports(const json& service);    // NodePort, LoadBalancer
bool service_needs_health_port(const json& service);  // LoadBalancer with externalTrafficPolicy Local
bool service_allocates_node_ports(const json& service);

std::set<base::Ip> service_ips(const json& service);
std::set<int> service_node_ports(const json& service);  // The health check's too.

// clusterIP, clusterIPs, nodePorts and healthCheckNodePort that the client left out, from `old`.
void keep_allocated(const json& old, json& service);
// Brings clusterIPs in step with clusterIP, for clients that know only one of them.
void normalize_cluster_ips(const json& old, json& service);
// Makes ipFamilyPolicy and ipFamilies complete, for a cluster of these families (the first is the default).
// kInvalid with the causes, worded as upstream.
base::Status init_families(const std::vector<base::Family>& cluster, const json& old, json& service);
// Drops what the new type does not have, unless the client changed it (validation then says so).
void drop_inapplicable(const json& old, json& service);


}  // namespace server
