// server/controllers/endpoint_slice.h - EndpointSlices and Endpoints of Services with a selector, from the pods
// that it matches. compile_* is pure.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/controllers/controllers.h"

namespace server {

using NodeZones = std::map<std::string, std::string>;  // Node -> topology.kubernetes.io/zone, where it has one.

// Of a Service's matching pods: [{"addressType", "ports": EndpointPort[], "endpoints": Endpoint[]}], one entry for each family and way in which
// the Service's ports resolve; a Service without pods has one entry without endpoints.
json compile_slice_groups(const store::Object& service, const std::vector<store::Object>& pods, const NodeZones& zones);
json compile_slice_labels(const store::Object& service);
// Subsets of the Endpoints object.
json compile_subsets(const store::Object& service, const std::vector<store::Object>& pods);

std::unique_ptr<Controller> make_endpoint_slice_controller(ControlLoop& loop);

}  // namespace server
