#include "server/api/ephemeral_containers.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "store/object/access.h"

namespace server {
namespace {

constexpr const char* kField = "spec.ephemeralContainers";

// Order is not kept by patches, so each is looked up by its name.
std::vector<base::Cause> check_only_added(const json& before, const json& after) {
  std::vector<base::Cause> causes;
  for (const json& old : before) {
    const std::string name = store::get_string(old, "name");
    auto same = std::find_if(after.begin(), after.end(), [&](const json& c) { return store::get_string(c, "name") == name; });
    const std::string who = "existing ephemeral containers " + json(name).dump() + " may not be ";
    if (same == after.end()) causes.push_back(cause_forbidden(kField, who + "removed\n"));
    else if (*same != old) causes.push_back(cause_forbidden(kField, who + "changed\n"));
  }
  return causes;
}

}  // namespace

json with_ephemeral_containers(const json& old_tree, const json& tree) {
  json out = old_tree;
  const json& added = store::get_array(tree, kField);
  if (added.empty()) out["spec"].erase("ephemeralContainers");
  else out["spec"]["ephemeralContainers"] = added;
  if (const json* managed = store::find(tree, "metadata.managedFields")) out["metadata"]["managedFields"] = *managed;
  return out;
}

std::vector<base::Cause> check_ephemeral_containers(const json& old_tree, const json& tree, std::string_view subresource) {
  const json &before = store::get_array(old_tree, kField), &after = store::get_array(tree, kField);
  if (before == after) return {};
  if (subresource == kEphemeralContainers) {
    if (store::find(old_tree, "metadata.annotations") != nullptr && old_tree["metadata"]["annotations"].contains("kubernetes.io/config.mirror")) {
      return {cause_forbidden("", "static pods do not support ephemeral containers")};
    }
    return check_only_added(before, after);
  }
  return {cause_forbidden("spec",
                          "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
                          "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
                          "previously negative)")};
}

}  // namespace server
