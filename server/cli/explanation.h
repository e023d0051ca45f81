// server/cli/explanation.h - what the daemon says of a request (server/gateway/explain.h), for people. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace server {

using json = nlohmann::json;

std::string render_explanation(const json& explanation);  // Some lines, each with its end.

}  // namespace server
