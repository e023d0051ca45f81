// server/api/status.h - metav1.Status objects and the errors that become them, worded as upstream. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "server/http/server.h"
#include "store/base/result.h"
#include "store/schema/schema.h"

namespace server {

using json = nlohmann::json;

std::string qualified(const store::Resource& r);  // "deployments.apps", "pods"

base::Error not_found(const store::Resource& r, const std::string& name);
base::Error already_exists(const store::Resource& r, const std::string& name);
base::Error conflict(const store::Resource& r, const std::string& name, const std::string& why);
base::Error stale(const store::Resource& r, const std::string& name);  // "the object has been modified; ..."
base::Error invalid(const store::Resource& r, const std::string& name, std::vector<base::Cause> causes);
base::Error options_invalid(const std::string& kind, std::vector<base::Cause> causes);  // Of a query: "ListOptions", ...
// The name that a body gives its object against the one on the path.
base::Status check_path_name(const std::string& name, const std::string& on_path);
base::Error forbidden(const store::Resource& r, const std::string& name, const std::string& why);
base::Error method_not_supported(const store::Resource& r, const std::string& action);
base::Error path_not_found();      // A resource or subresource that is not served.
base::Error method_not_allowed_here();  // A path that is served, but not in this way.
base::Error bad_request(const std::string& message);
base::Error internal(const std::string& message);

// "Invalid value: ..." causes. `value` is rendered as Go's %q / %v would.
base::Cause cause_invalid(const std::string& field, const json& value, const std::string& detail);
base::Cause cause_required(const std::string& field, const std::string& detail);
base::Cause cause_forbidden(const std::string& field, const std::string& detail);

json render_status(const base::Error& error);
json success_status(const store::Resource& r, const std::string& name, const std::string& uid);
HttpResponse error_response(const base::Error& error);
HttpResponse json_response(int code, const json& body);
HttpResponse plain_response(int code, const std::string& text);

}  // namespace server
