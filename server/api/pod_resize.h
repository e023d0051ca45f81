// server/api/pod_resize.h - pods/resize: the one way to change how much CPU and memory a pod's containers have. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>
#include <vector>

#include "store/base/result.h"

namespace server {

inline constexpr std::string_view kResize = "resize";

// `old_tree` with the amounts and resize policies of `tree`; containers that are others than before come too, to be refused.
nlohmann::json with_resized(const nlohmann::json& old_tree, const nlohmann::json& tree);
// Why the pod may not be resized so, worded as upstream.
std::vector<base::Cause> check_resize(const nlohmann::json& old_tree, const nlohmann::json& tree);

}  // namespace server
