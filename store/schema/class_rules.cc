// PriorityClass and RuntimeClass.
#include <nlohmann/json.hpp>

#include "store/object/label_syntax.h"
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
  Causes causes;
  if (!tree.is_object()) return causes;
  const std::string name = string_at(object_at(tree, "metadata"), "name");
  if (old) {
    if (value_of(tree) != value_of(*old)) causes.push_back(cause_forbidden("value", "may not be changed in an update."));
    if (string_at(tree, "preemptionPolicy") != string_at(*old, "preemptionPolicy")) {
      causes.push_back(cause_invalid("preemptionPolicy", string_at(tree, "preemptionPolicy"), "field is immutable"));
    }
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
  return causes;
}

std::vector<base::Cause> validate_runtimeclass(const json& tree, const json*) {
  Causes causes;
  const std::string handler = string_at(tree, "handler");
  add_problem(causes, "handler", handler, name_problem(handler, NameRule::kDnsLabel));
  const json& scheduling = object_at(tree, "scheduling");
  check_labels(object_at(scheduling, "nodeSelector"), "scheduling.nodeSelector", causes);
  const json& fixed = object_at(object_at(tree, "overhead"), "podFixed");
  for (const auto& [resource, amount] : fixed.items()) {
    const auto value = quantity_nanos(amount);
    if (value && *value < 0) causes.push_back(cause_invalid("overhead.podFixed[" + resource + "]", amount, "must be greater than or equal to 0"));
  }
  return causes;
}

}  // namespace store
