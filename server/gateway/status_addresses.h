// server/gateway/status_addresses.h - what an Ingress shows as its addresses, as ingress-nginx chooses them. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace server {

using json = nlohmann::json;

// status.loadBalancer.ingress: `publish` (--publish-status-address) where given; else the addresses of the controller's Service
// (nullptr: none): its load balancer's, or cluster and external IPs.
json status_addresses(const std::vector<std::string>& publish, const json* service);

}  // namespace server
