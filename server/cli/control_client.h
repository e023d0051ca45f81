// server/cli/control_client.h - one request to a running cluster's daemon. Blocks.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "netns/ns/namespace.h"
#include "store/base/result.h"

namespace server {

using json = nlohmann::json;

// The answer's body; a failure that the daemon reported comes back as an Error. kNotFound, with what to do,
// when the cluster is not up.
base::Result<json> ask(const std::string& name, const std::string& state_dir, const json& request, netns::Place* place = nullptr);

// The cluster that a verb is about: what was given, else what `kubelan run` set for its command (KUBELAN_NAME and
// KUBELAN_STATE_DIR), else "default". kInvalid.
struct ClusterChoice {
  std::string name;
  std::string state_dir;
};
base::Result<ClusterChoice> choose_cluster(const std::string& name, const std::string& state_dir);

}  // namespace server
