// server/api/yaml_text.h - JSON as YAML text, in the form that upstream's encoder writes: sorted keys, lists not indented,
// long text folded. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace server {

std::string render_yaml(const nlohmann::json& value);

}  // namespace server
