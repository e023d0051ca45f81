// server/api/yaml.h - YAML as Kubernetes clients write it, to JSON. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

// All documents of a stream; empty ones are left out. Plain scalars get YAML 1.1 types as sigs.k8s.io/yaml gives
// them ("yes" is true, 0644 is 420). kBadRequest with the line on malformed text, on more than 250,000 nodes
// or 16 MiB of text (aliases counted as often as used) and beyond kMaxDepth levels.
base::Result<std::vector<json>> parse_yaml(const std::string& text);

inline constexpr int kMaxDepth = 200;

}  // namespace server
