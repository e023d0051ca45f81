// server/api/pod_account.h - what a pod gets of its service account when it is made: a volume with a token, and the secrets
// to pull images with. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace server {

using json = nlohmann::json;

// `account`: the ServiceAccount's tree.
void add_account_to_pod(const json& account, json& pod);

}  // namespace server
