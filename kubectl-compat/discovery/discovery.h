// kubectl-compat/discovery/discovery.h - what clients learn about the served kinds, from the Registry. Pure; any
// thread. Order is the Registry's: clients take it as preference; members are in upstream's order, which
// scripts compare as text. "Nothing" (nullopt) means 404.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "store/schema/schema.h"

namespace compat {

using Ordered = nlohmann::ordered_json;

enum class DiscoveryVersion { kV2, kV2Beta1 };

// GET /api (core) and /apis (the rest) in aggregated form.
Ordered aggregated_core(const store::Registry& registry, DiscoveryVersion version);
Ordered aggregated_groups(const store::Registry& registry, DiscoveryVersion version);
// Legacy forms.
Ordered api_versions(const std::string& server_address);                       // GET /api
Ordered api_group_list(const store::Registry& registry);                       // GET /apis
std::optional<Ordered> api_group(const store::Registry& registry, std::string_view group);           // GET /apis/G
std::optional<Ordered> api_resource_list(const store::Registry& registry, std::string_view group, std::string_view version);
Ordered version_info();                                                        // GET /version

}  // namespace compat
