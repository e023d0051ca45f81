// Lease.
#include <nlohmann/json.hpp>

#include "store/schema/rules.h"

namespace store {

// Fields whose gate is off are not kept.
void prepare_lease(json& tree) {
  if (!tree.is_object() || !tree.contains("spec") || !tree["spec"].is_object()) return;
  for (const char* field : {"preferredHolder", "strategy"}) tree["spec"].erase(field);
}

std::vector<base::Cause> validate_lease(const json& tree, const json*) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  const json seconds = spec.value("leaseDurationSeconds", json());
  if (seconds.is_number_integer() && seconds.get<int64_t>() <= 0) causes.push_back(cause_invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
  check_nonnegative(spec, "leaseTransitions", "spec.leaseTransitions", causes);
  return causes;
}

}  // namespace store
