// server/api/admission.h - what upstream's default admission plugins and strategies add to an object beyond its defaults, or say
// of it. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace server {

using json = nlohmann::json;

// Somebody else's node takes no pods until whoever watches nodes finds it ready.
void taint_new_node(json& node);
// When a volume came into its phase; `old` is null on a create. A time that is written along with the phase stays.
void stamp_volume_phase(const json& old, json& volume, const std::string& now);

// What is wrong with a secret of type kubernetes.io/tls, for a warning; "" for nothing.
std::string tls_secret_problem(const json& secret);

}  // namespace server
