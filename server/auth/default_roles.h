// server/auth/default_roles.h - the roles and bindings that every cluster has, as upstream's. Pure; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

namespace auth {

using json = nlohmann::json;

// ClusterRoles, ClusterRoleBindings, then Roles and RoleBindings of kube-system and kube-public, ready to be created.
std::vector<json> default_objects();

// What a start does to one that is there already: what upstream added since (rules, subjects) comes in, nothing goes.
// Nothing: it has all that, or its annotation rbac.authorization.kubernetes.io/autoupdate is "false".
std::optional<json> reconciled(const json& stored, const json& wanted);

}  // namespace auth
