// PriorityClass and RuntimeClass.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/object/label_syntax.h"
#include "store/schema/go_form.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr int64_t kMaxPriority = 1'000'000'000;  // Of classes that users make.

// The classes that are there from the start, and what they must say.
struct SystemClass {
  std::string_view name;
  int64_t value;
};
constexpr SystemClass kSystemClasses[] = {{"system-node-critical", 2'000'001'000}, {"system-cluster-critical", 2'000'000'000}};

int64_t value_of(const json& tree) {
  return tree.is_object() && tree.contains("value") && tree["value"].is_number_integer() ? tree["value"].get<int64_t>() : 0;
}

std::string system_class_problem(const std::string& name, const json& tree) {
  for (const SystemClass& known : kSystemClasses) {
    if (name != known.name) continue;
    if (value_of(tree) != known.value) return "value of " + name + " PriorityClass must be " + std::to_string(known.value);
    const bool global = tree.contains("globalDefault") && tree["globalDefault"] == true;
    return global ? "globalDefault of " + name + " PriorityClass must be false" : "";
  }
  return name + " is not a known system priority class";
}

}  // namespace

std::vector<base::Cause> validate_priorityclass(const json& tree, const json* old) {
  static constexpr std::string_view kPolicies[] = {"PreemptLowerPriority", "Never"};
  Causes causes;
  if (!tree.is_object()) return causes;
  const std::string name = string_at(object_at(tree, "metadata"), "name"), policy = string_at(tree, "preemptionPolicy");
  if (old) {
    if (value_of(tree) != value_of(*old)) causes.push_back(cause_forbidden("value", "may not be changed in an update."));
    if (policy != string_at(*old, "preemptionPolicy")) causes.push_back(cause_invalid("preemptionPolicy", policy, "field is immutable"));
    return causes;
  }
  if (name.starts_with("system-")) {
    const std::string problem = system_class_problem(name, tree);
    if (!problem.empty()) {
      causes.push_back(cause_forbidden("metadata.name", "priority class names with 'system-' prefix are reserved for system use only. error: " + problem));
    }
  } else if (value_of(tree) > kMaxPriority) {
    causes.push_back(cause_forbidden("value", "maximum allowed value of a user defined priority is " + std::to_string(kMaxPriority)));
  }
  if (policy.empty()) causes.push_back(cause_required("preemptionPolicy"));
  else if (policy != "PreemptLowerPriority" && policy != "Never") causes.push_back(cause_not_supported("preemptionPolicy", policy, kPolicies));
  return causes;
}

void check_scheduling_of_class(const json& scheduling, Causes& causes) {
  check_labels(object_at(scheduling, "nodeSelector"), "scheduling.nodeSelector", causes);
  check_tolerations(scheduling, "scheduling", causes);
  const json& tolerations = array_at(scheduling, "tolerations");
  const Type* type = find_type("io.k8s.api.core.v1.Toleration");
  for (size_t i = 0; i < tolerations.size(); ++i) {
    if (!type || std::find(tolerations.begin(), tolerations.begin() + static_cast<std::ptrdiff_t>(i), tolerations[i]) == tolerations.begin() + static_cast<std::ptrdiff_t>(i)) continue;
    causes.push_back({"FieldValueDuplicate", "Duplicate value: " + go_form(tolerations[i], *type), item("scheduling", "tolerations", i)});
  }
}

std::vector<base::Cause> validate_runtimeclass(const json& tree, const json* old) {
  Causes causes;
  const std::string handler = string_at(tree, "handler");
  if (old && handler != string_at(*old, "handler")) causes.push_back(cause_invalid("handler", handler, "field is immutable"));
  if (handler.empty()) causes.push_back(cause_required("handler"));
  else add_problem(causes, "handler", handler, name_problem(handler, NameRule::kDnsLabel));
  for (const auto& [resource, amount] : object_at(object_at(tree, "overhead"), "podFixed").items()) {
    const std::string here = "overhead.limits[" + resource + "]";  // Checked as if it were a container's.
    check_resource_name(resource, NamedIn::kContainer, here, causes);
    check_resource_amount(resource, amount, here, causes);
  }
  check_scheduling_of_class(object_at(tree, "scheduling"), causes);
  return causes;
}

}  // namespace store
