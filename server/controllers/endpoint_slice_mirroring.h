// server/controllers/endpoint_slice_mirroring.h - Endpoints that somebody made by hand for a Service without selector, as
// EndpointSlices: what the proxy and DNS read. Follows changes, and takes the slices away with the Endpoints.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "server/controllers/controllers.h"

namespace server {

// Slices without names: {addressType, ports, endpoints}, one a family and list of ports, at most 100 endpoints each. Pure.
json compile_mirrored_slices(const json& endpoints);
std::unique_ptr<Controller> make_endpoint_slice_mirroring_controller(ControlLoop& loop);

}  // namespace server
