// server/controllers/disruption.h - what each PodDisruptionBudget allows now. Evictions spend it (server/api); this keeps
// the status true. The arithmetic is pure; semantics as upstream's disruption controller.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/controllers/controllers.h"
#include "server/informer/pod_index.h"
#include "store/object/selector.h"

namespace server {

struct Budget {
  store::Object object;
  Meta meta;
  store::LabelSelector selector;                     // {} selects all pods of the namespace, none at all no pod.
  std::map<std::string, base::WallTime> disrupted;   // Pods whose eviction was allowed, and when.
};
Budget project_budget(const store::Object& object);

// Must the controllers of the pods be asked how many there should be?
bool counts_by_controllers(const Budget& budget);

struct BudgetStatus {
  int64_t expected = 0, desired = 0, healthy = 0, allowed = 0;
  std::map<std::string, base::WallTime> disrupted;   // Those that are still to go.
  std::vector<std::string> stuck;                    // Those that did not go in time.
  std::optional<base::WallTime> recheck;             // When the next of them is late.
};
// `scale`: how many pods their controllers want, when that counts.
BudgetStatus compute_budget(const Budget& budget, const std::vector<const Pod*>& pods, int64_t scale, base::WallTime now);

std::unique_ptr<Controller> make_disruption_controller(ControlLoop& loop, PodIndex& pods);

}  // namespace server
