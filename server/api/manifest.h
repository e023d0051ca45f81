// server/api/manifest.h - `up -f`: YAML or JSON streams applied in order. Internal to server/api.
#pragma once

#include <string>
#include <vector>

#include "server/api/core.h"

namespace server {

// See ApiServer::apply_manifest.
base::Result<std::vector<std::string>> apply_manifest(Core& core, const std::string& text, const std::string& default_namespace);

}  // namespace server
