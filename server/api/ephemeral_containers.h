// server/api/ephemeral_containers.h - pods/ephemeralcontainers: the one way to add containers to a pod that runs. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

inline constexpr std::string_view kEphemeralContainers = "ephemeralcontainers";

// The stored pod with the sent one's ephemeral containers.
json with_ephemeral_containers(const json& old_tree, const json& tree);
// Both with defaults. Through the subresource containers may be added; in any other way the list stays as it is.
std::vector<base::Cause> check_ephemeral_containers(const json& old_tree, const json& tree, std::string_view subresource);

}  // namespace server
