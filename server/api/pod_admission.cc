#include "server/api/pod_admission.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/object/access.h"
#include "store/object/label_syntax.h"

namespace server {
namespace {

using nlohmann::json;

std::string mine_differs(const std::string& what, const std::string& given, const std::string& computed) {
  return what + " (" + given + ") must not be provided in pod spec; priority admission controller computed " + computed + " from the given PriorityClass name";
}

std::string merge_selector(const json& wanted, json& spec) {
  if (wanted.empty()) return {};
  json& selector = spec["nodeSelector"];
  if (!selector.is_object()) selector = json::object();
  for (const auto& [key, value] : wanted.items()) {
    const auto at = selector.find(key);
    if (at != selector.end() && *at != value) {
      return "conflict: runtimeClass.scheduling.nodeSelector[" + key + "] = " + store::get_string(wanted, key) + "; pod.spec.nodeSelector[" + key +
             "] = " + store::get_string(selector, key);
    }
    selector[key] = value;
  }
  return {};
}

void merge_tolerations(const json& wanted, json& spec) {
  for (const json& toleration : wanted) {
    json& own = spec["tolerations"];
    if (!own.is_array()) own = json::array();
    if (std::find(own.begin(), own.end(), toleration) == own.end()) own.push_back(toleration);
  }
}

}  // namespace

std::string apply_priority(const json* priority_class, json& pod) {
  json& spec = pod["spec"];
  if (!spec.is_object()) return {};
  const std::string name = store::get_string(spec, "priorityClassName");
  if (!name.empty() && !priority_class) return "no PriorityClass with name " + name + " was found";
  const int64_t priority = priority_class ? store::get_int(*priority_class, "value") : 0;
  const std::string policy = priority_class ? store::get_string(*priority_class, "preemptionPolicy", "PreemptLowerPriority") : "PreemptLowerPriority";
  if (const json* own = store::find_key(spec, "priority"); own && *own != priority) {
    return mine_differs("the integer value of priority", own->dump(), std::to_string(priority));
  }
  if (const std::string own = store::get_string(spec, "preemptionPolicy"); !own.empty() && own != policy) {
    return mine_differs("the string value of PreemptionPolicy", own, policy);
  }
  spec["priority"] = priority;
  spec["preemptionPolicy"] = policy;
  if (name.empty() && priority_class) spec["priorityClassName"] = store::get_string(*priority_class, "metadata.name");
  return {};
}

std::string apply_runtime_class(const json* runtime_class, json& pod) {
  json& spec = pod["spec"];
  if (!spec.is_object()) return {};
  const std::string name = store::get_string(spec, "runtimeClassName");
  if (!name.empty() && !runtime_class) return "pod rejected: RuntimeClass " + store::go_quoted(name) + " not found";
  const json* overhead = runtime_class ? store::find(*runtime_class, "overhead.podFixed") : nullptr;
  const json* own = store::find_key(spec, "overhead");
  if (!overhead) {
    if (own) return "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead";
  } else if (own && !own->empty() && *own != *overhead) {
    return "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
  } else {
    spec["overhead"] = *overhead;
  }
  if (!runtime_class) return {};
  merge_tolerations(store::get_array(*runtime_class, "scheduling.tolerations"), spec);
  return merge_selector(store::get_object(*runtime_class, "scheduling.nodeSelector"), spec);
}

}  // namespace server
