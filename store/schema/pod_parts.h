// store/schema/pod_parts.h - private to store/schema: the parts of a pod spec, each with its checks. Pure.
// Field paths follow upstream to the letter, also where upstream leaves out an index.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <string_view>

#include "store/schema/rules.h"

namespace store {

// What the containers of a pod may refer to.
struct PodScope {
  const json& spec;
  std::map<std::string, const json*> volumes;  // By name; one with problems of its own cannot be mounted.
  std::set<std::string> claims;                // Names in resourceClaims.
};

// Calls visit(container, path) for every container of all three lists.
template <class Visit>
void each_container_of(const json& spec, const std::string& path, const Visit& visit) {
  for (const char* list : {"initContainers", "containers", "ephemeralContainers"}) {
    const json& containers = array_at(spec, list);
    for (size_t i = 0; i < containers.size(); ++i) visit(containers[i], item(path, list, i));
  }
}

bool flag_at(const json& object, std::string_view key);  // False when absent.

// --- pod_rules.cc: annotations that mean something, of a pod or of a template ---
void check_pod_annotations(const json& annotations, const json& spec, const std::string& path, Causes& causes);

// --- volume_rules.cc ---
void check_volumes(const std::string& path, PodScope& scope, Causes& causes);
bool has_volume_source(const json& volume);
// A source that a persistent volume takes too, in `path`.
void check_shared_source(const std::string& name, const json& source, const std::string& path, Causes& causes);
void check_no_backsteps(const std::string& text, const std::string& field, Causes& causes);    // No "..".
void check_descending_path(const std::string& text, const std::string& field, Causes& causes); // Nor absolute.

// --- downward_rules.cc: facts about the pod in a variable or in a file ---
enum class FactIn { kVariable, kFile };
void check_field_ref(const json& ref, FactIn where, const std::string& path, Causes& causes);
void check_resource_field_ref(const json& ref, FactIn where, const std::string& path, Causes& causes);

// --- container_rules.cc ---
void check_containers(const std::string& path, const PodScope& scope, Causes& causes);

// --- environment_rules.cc ---
void check_environment(const json& container, const std::string& path, Causes& causes);
void check_file_volumes(const json& spec, const std::string& path, Causes& causes);

// --- resource_rules.cc ---
void check_resource_requirements(const json& resources, const PodScope& scope, const std::string& path, Causes& causes);
void check_pod_resources(const PodScope& scope, const std::string& path, Causes& causes);
void check_overhead(const PodScope& scope, const std::string& path, Causes& causes);
void check_resource_claims(const std::string& path, PodScope& scope, Causes& causes);

// --- security_rules.cc ---
void check_os(const json& spec, const std::string& path, Causes& causes);
void check_user_namespace(const json& spec, const std::string& path, Causes& causes);
void check_pod_security(const json& spec, const std::string& path, Causes& causes);
void check_container_security(const json& context, const json& spec, const std::string& path, Causes& causes);

// --- pod_update_rules.cc ---
void check_pod_update(const json& tree, const json& old, Causes& causes);

// --- claim_rules.cc: a PersistentVolumeClaimSpec at `path` ---
void check_claim_spec(const json& spec, const std::string& path, Causes& causes);

}  // namespace store
