#include "server/api/pod_resize.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "server/api/status.h"
#include "store/object/access.h"
#include "store/schema/hooks.h"

namespace server {
namespace {

constexpr const char* kLists[] = {"containers", "initContainers"};

const json& list_of(const json& pod, const char* list) { return store::get_array(store::get_object(pod, "spec"), list); }

void copy_or_erase(json& to, const json& from, const char* key) {
  if (const json* value = store::find_key(from, key)) to[key] = *value;
  else to.erase(key);
}

bool same_names(const json& before, const json& after) {
  return before.size() == after.size() && std::equal(before.begin(), before.end(), after.begin(), [](const json& a, const json& b) {
           return store::get_string(a, "name") == store::get_string(b, "name");
         });
}

void check_order(const json& before, const json& after, const std::string& list, std::vector<base::Cause>& causes) {
  if (before.size() != after.size()) return causes.push_back(cause_forbidden("spec." + list, list + " may not be added or removed on resize"));
  for (size_t i = 0; i < before.size(); ++i) {
    if (store::get_string(before[i], "name") == store::get_string(after[i], "name")) continue;
    causes.push_back(cause_forbidden("spec." + list + "[" + std::to_string(i) + "].name", list + " may not be renamed or reordered on resize"));
  }
}

void check_kept(const json& before, const json& after, const std::string& path, std::vector<base::Cause>& causes) {
  for (const char* kind : {"requests", "limits"}) {
    const json &old = store::get_object(before, std::string("resources.") + kind), &now = store::get_object(after, std::string("resources.") + kind);
    const bool removed = std::any_of(old.items().begin(), old.items().end(), [&](const auto& amount) { return !now.contains(amount.key()); });
    if (removed) causes.push_back(cause_forbidden(path + ".resources." + kind, std::string("resource ") + kind + " cannot be removed"));
  }
}

// A container without the amounts that may change.
json fixed_part(json container) {
  for (const char* kind : {"requests", "limits"}) {
    if (store::get_object(container, std::string("resources.") + kind).empty()) continue;
    for (const char* resource : {"cpu", "memory"}) container["resources"][kind].erase(resource);
    if (container["resources"][kind].empty()) container["resources"].erase(kind);
  }
  return container;
}

// Nodes that can resize say what a running container has.
bool node_can_resize(const json& pod) {
  for (const json& status : store::get_array(pod, "status.containerStatuses")) {
    if (store::find(status, "state.running")) return store::find(status, "resources") != nullptr;
  }
  return true;
}

}  // namespace

json with_resized(const json& old_tree, const json& tree) {
  json out = old_tree;
  if (const json* managed = store::find(tree, "metadata.managedFields")) out["metadata"]["managedFields"] = *managed;
  copy_or_erase(out["spec"], store::get_object(tree, "spec"), "resources");
  for (const char* list : kLists) {
    const json &before = list_of(old_tree, list), &after = list_of(tree, list);
    if (!same_names(before, after)) {
      out["spec"][list] = after;
      continue;
    }
    for (size_t i = 0; i < before.size(); ++i) {
      for (const char* field : {"resources", "resizePolicy"}) copy_or_erase(out["spec"][list][i], after[i], field);
    }
  }
  return out;
}

std::vector<base::Cause> check_resize(const json& old_tree, const json& tree) {
  const json* annotations = store::find(old_tree, "metadata.annotations");
  if (annotations && annotations->contains("kubernetes.io/config.mirror")) return {cause_forbidden("", "static pods cannot be resized")};
  if (store::get_string(old_tree, "spec.os.name") == "windows") return {cause_forbidden("", "windows pods cannot be resized")};
  std::vector<base::Cause> causes;
  const std::string before = store::get_string(old_tree, "status.qosClass");
  if (before != store::qos_class(store::get_object(tree, "spec"))) {
    causes.push_back(cause_invalid("spec", before, "Pod QOS Class may not change as a result of resizing"));
  }
  if (!node_can_resize(old_tree)) causes.push_back(cause_forbidden("spec", "Pod running on node without support for resize"));
  const size_t so_far = causes.size();
  for (const char* list : kLists) check_order(list_of(old_tree, list), list_of(tree, list), list, causes);
  if (causes.size() > so_far) return causes;
  for (const char* list : {"initContainers", "containers"}) {
    const json &old = list_of(old_tree, list), &now = list_of(tree, list);
    for (size_t i = 0; i < old.size(); ++i) check_kept(old[i], now[i], std::string("spec.") + list + "[" + std::to_string(i) + "]", causes);
  }
  const json &old = list_of(old_tree, "containers"), &now = list_of(tree, "containers");
  for (size_t i = 0; i < old.size(); ++i) {
    if (fixed_part(old[i]) != fixed_part(now[i])) causes.push_back(cause_forbidden("spec", "only cpu and memory resources are mutable"));
  }
  const json &old_init = list_of(old_tree, "initContainers"), &now_init = list_of(tree, "initContainers");
  for (size_t i = 0; i < old_init.size(); ++i) {
    if (fixed_part(old_init[i]) == fixed_part(now_init[i])) continue;
    causes.push_back(cause_forbidden("spec.initContainers[" + std::to_string(i) + "]", "only cpu and memory resources for init or sidecar containers are mutable"));
  }
  return causes;
}

}  // namespace server
