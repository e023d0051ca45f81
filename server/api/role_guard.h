// server/api/role_guard.h - who may write what about access: nobody grants more than they have (RBAC's escalation
// checks), and certificates are approved by those who may. Pure but for AccessControl's index; any thread.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "server/api/access_control.h"
#include "store/base/result.h"
#include "store/schema/schema.h"

namespace server {

using json = nlohmann::json;

// `old` nullptr: a create. kForbidden, kNotFound (a binding to a role that is not there) worded as upstream.
base::Status guard_role_write(const AccessControl& access, const auth::User& user, const store::Resource& r, const std::string& ns, const json* old, const json& tree);

// Fills spec.username and the like, checks spec.request. kInvalid, kForbidden.
base::Status complete_certificate_request(const store::Resource& r, const auth::User* user, json& tree);
// What an update of the request may change, by subresource: "" metadata, "approval" Approved and Denied, "status" the rest of status.
base::Status limit_certificate_update(const AccessControl& access, const store::Resource& r, const auth::User* user, const std::string& subresource, const json& old,
                                      json& tree, const std::string& now);

}  // namespace server
