// server/gateway/ingress/streams.h - the ConfigMaps tcp-services and udp-services -> listeners below HTTP. One thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/gateway/ingress/backends.h"
#include "server/gateway/ingress/compiler.h"
#include "server/gateway/table/table.h"

namespace server::gateway {

// In the order of ports. Entries that cannot be used are told of and left out.
std::vector<std::shared_ptr<const Listener>> compile_streams(Compilation& compilation, Backends& backends, const std::string& config_map, Listener::Protocol protocol);

}  // namespace server::gateway
