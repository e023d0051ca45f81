// PodDisruptionBudget.
#include <nlohmann/json.hpp>

#include "store/schema/go_form.h"
#include "store/schema/rules.h"

namespace store {

std::vector<base::Cause> validate_poddisruptionbudget(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  const json least = spec.value("minAvailable", json()), most = spec.value("maxUnavailable", json());
  const Type* type = find_type("io.k8s.api.policy.v1.PodDisruptionBudgetSpec");
  if (!least.is_null() && !most.is_null() && type) causes.push_back(cause_invalid_struct("spec", spec, *type, "minAvailable and maxUnavailable cannot be both set"));
  check_share(least, "spec.minAvailable", causes);
  check_at_most_all(least, "spec.minAvailable", causes);
  check_share(most, "spec.maxUnavailable", causes);
  check_at_most_all(most, "spec.maxUnavailable", causes);
  check_label_selector(object_at(spec, "selector"), "spec.selector", causes);
  static constexpr std::string_view kPolicies[] = {"AlwaysAllow", "IfHealthyBudget"};
  const json policy = spec.value("unhealthyPodEvictionPolicy", json());
  if (policy.is_string() && policy != "AlwaysAllow" && policy != "IfHealthyBudget") causes.push_back(cause_not_supported("spec.unhealthyPodEvictionPolicy", policy, kPolicies));
  if (!old) return causes;
  const json& status = object_at(tree, "status");
  for (const char* number : {"disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"}) {
    check_nonnegative(status, number, std::string("status.") + number, causes);
  }
  return causes;
}

}  // namespace store
