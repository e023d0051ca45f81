// store/schema/go_pod.h - private to store/schema: a PodSpec in the words of upstream's internal types, for messages that
// show one. Pure; takes any JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace store {

// Lines of JSON, one space a level, with every field, set or not.
std::string pod_spec_text(const nlohmann::json& spec);

}  // namespace store
