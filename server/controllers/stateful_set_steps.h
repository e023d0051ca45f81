// server/controllers/stateful_set_steps.h - what a StatefulSet does next, from its pods alone. Pure; semantics as
// upstream's stateful set control: ordered sets take one step at a time and wait for it, parallel ones all at once.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "server/model/pod.h"
#include "server/model/stateful_set.h"

namespace server {

inline constexpr const char* kRevisionLabel = "controller-revision-hash";
inline constexpr const char* kPodNameLabel = "statefulset.kubernetes.io/pod-name";
inline constexpr const char* kPodIndexLabel = "apps.kubernetes.io/pod-index";

struct StatefulPlan {
  struct Create {
    int64_t ordinal;
    bool current;                        // Of the current revision rather than the newest.
  };
  std::vector<Create> create;
  std::vector<const Pod*> remove;        // In this order.
};

// What to create and remove now. `pods` are the set's own, `update_revision` is the newest's name.
StatefulPlan plan_stateful_set(const StatefulSet& set, const std::vector<const Pod*>& pods, const std::string& update_revision, base::WallTime now);

// The status that the pods give, an update that is through included. `update_revision` and `collisions` are the newest's.
StatefulSet::Status compute_stateful_set_status(const StatefulSet& set, const std::vector<const Pod*>& pods, const std::string& update_revision,
                                                int64_t collisions, base::WallTime now);

// The pod of a number, from one revision's template.
json render_stateful_pod(const StatefulSet& set, const json& pod_template, const std::string& revision, int64_t ordinal);

// A claim of a pod, from its template.
std::string claim_name(const json& claim_template, const std::string& pod_name);
json render_claim(const StatefulSet& set, const json& claim_template, const std::string& pod_name);

}  // namespace server
