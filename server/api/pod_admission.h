// server/api/pod_admission.h - what classes that a pod names mean for it: its priority, and what its runtime needs. Pure.
// Each returns why the pod is refused, in upstream's words, or "".
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace server {

// `priority_class`: the named one, or that which is the default; nullptr when there is none.
std::string apply_priority(const nlohmann::json* priority_class, nlohmann::json& pod);
std::string apply_runtime_class(const nlohmann::json* runtime_class, nlohmann::json& pod);

}  // namespace server
