// PodDisruptionBudget.
#include <nlohmann/json.hpp>

#include "store/schema/rules.h"

namespace store {

std::vector<base::Cause> validate_poddisruptionbudget(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  const json least = spec.value("minAvailable", json()), most = spec.value("maxUnavailable", json());
  if (!least.is_null() && !most.is_null()) causes.push_back(cause_invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set"));
  check_share(least, "spec.minAvailable", true, causes);
  check_share(most, "spec.maxUnavailable", true, causes);
  check_label_selector(object_at(spec, "selector"), "spec.selector", causes);
  if (!old) return causes;
  const json& status = object_at(tree, "status");
  for (const char* number : {"disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"}) {
    check_nonnegative(status, number, std::string("status.") + number, causes);
  }
  return causes;
}

}  // namespace store
