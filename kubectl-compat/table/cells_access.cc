// Roles, their bindings and certificate signing requests.
#include <nlohmann/json.hpp>

#include "kubectl-compat/table/cells.h"
#include "kubectl-compat/table/table.h"
#include "store/object/access.h"

namespace compat {
namespace {

using store::get_array;
using store::get_int;
using store::get_string;


json binding_role(const CellInput& in) { return get_string(in.tree, "roleRef.kind") + "/" + get_string(in.tree, "roleRef.name"); }

json subjects_of(const CellInput& in, std::string_view kind) {
  std::vector<std::string> out;
  for (const json& subject : get_array(in.tree, "subjects")) {
    if (get_string(subject, "kind") != kind) continue;
    const bool account = kind == "ServiceAccount";
    out.push_back((account ? get_string(subject, "namespace") + "/" : "") + get_string(subject, "name"));
  }
  return join(out, ", ");
}
json binding_users(const CellInput& in) { return subjects_of(in, "User"); }
json binding_groups(const CellInput& in) { return subjects_of(in, "Group"); }
json binding_accounts(const CellInput& in) { return subjects_of(in, "ServiceAccount"); }

json csr_duration(const CellInput& in) {
  const int64_t seconds = get_int(in.tree, "spec.expirationSeconds");
  return seconds == 0 ? "<none>" : human_duration(std::chrono::seconds(seconds));
}

json csr_condition(const CellInput& in) {
  bool approved = false, denied = false, failed = false;
  for (const json& condition : get_array(in.tree, "status.conditions")) {
    const std::string type = get_string(condition, "type");
    approved = approved || type == "Approved";
    denied = denied || type == "Denied";
    failed = failed || type == "Failed";
  }
  std::string out = denied ? "Denied" : approved ? "Approved" : "Pending";
  if (failed) out += ",Failed";
  if (!get_string(in.tree, "status.certificate").empty()) out += ",Issued";
  return out;
}

json apiservice_service(const CellInput& in) {
  const std::string name = get_string(in.tree, "spec.service.name");
  return name.empty() ? "Local" : get_string(in.tree, "spec.service.namespace") + "/" + name;
}

json apiservice_available(const CellInput& in) {
  for (const json& condition : get_array(in.tree, "status.conditions")) {
    if (get_string(condition, "type") != "Available") continue;
    const std::string status = get_string(condition, "status"), reason = get_string(condition, "reason");
    return status == "True" ? status : status + " (" + reason + ")";
  }
  return "Unknown";
}

constexpr CellRow kCells[] = {
    {"apiservice_available", apiservice_available}, {"apiservice_service", apiservice_service},
    {"binding_accounts", binding_accounts}, {"binding_groups", binding_groups}, {"binding_role", binding_role}, {"binding_users", binding_users},
    {"csr_condition", csr_condition},   {"csr_duration", csr_duration},
};

}  // namespace

std::span<const CellRow> access_cells() { return kCells; }

}  // namespace compat
