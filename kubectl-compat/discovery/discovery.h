// kubectl-compat/discovery/discovery.h - what clients learn about the served kinds, from the Registry. Pure; any
// thread. Order is the Registry's: clients take it as preference. "Nothing" (nullopt) means 404.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "store/schema/schema.h"

namespace compat {

using json = nlohmann::json;

enum class DiscoveryVersion { kV2, kV2Beta1 };

// GET /api (core) and /apis (the rest) in aggregated form.
json aggregated_core(const store::Registry& registry, DiscoveryVersion version);
json aggregated_groups(const store::Registry& registry, DiscoveryVersion version);
// Legacy forms.
json api_versions(const std::string& server_address);                       // GET /api
json api_group_list(const store::Registry& registry);                       // GET /apis
std::optional<json> api_group(const store::Registry& registry, std::string_view group);           // GET /apis/G
std::optional<json> api_resource_list(const store::Registry& registry, std::string_view group, std::string_view version);
json version_info();                                                        // GET /version

}  // namespace compat
