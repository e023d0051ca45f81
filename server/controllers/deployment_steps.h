// server/controllers/deployment_steps.h - the arithmetic of Deployments: what to scale by how much, what the
// status says. Pure; semantics as upstream's deployment controller.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/model/deployment.h"
#include "server/model/replica_set.h"

namespace server {

using ReplicaSets = std::vector<const ReplicaSet*>;

// The sets of one Deployment: `current` has its template (nullptr: not made yet), `old` are the others.
struct Rollout {
  const Deployment& deployment;
  const ReplicaSet* current = nullptr;
  ReplicaSets old;  // Oldest first.
  ReplicaSets all() const;
};

struct ScaleStep {
  const ReplicaSet* set;
  int64_t to;
};

// Sets of this Deployment's template apart from the others. `sets` in any order.
Rollout split_replica_sets(const Deployment& deployment, ReplicaSets sets);
// Same pod template, the pod-template-hash label left aside.
bool same_template(const json& a, const json& b);
// 32-bit FNV-1a of the template's JSON and the collision count, in generateName's alphabet.
std::string template_hash(const json& pod_template, int64_t collisions);

// Replicas the current set should have now: within maxSurge over all sets (RollingUpdate), or all (Recreate).
int64_t current_set_replicas(const Rollout& rollout);
// Rolling update: old sets to shrink now without falling below replicas - maxUnavailable; unhealthy pods first.
std::vector<ScaleStep> shrink_old_sets(const Rollout& rollout);
// A changed spec.replicas (or a paused Deployment): all active sets in proportion.
std::vector<ScaleStep> scale_in_proportion(const Rollout& rollout);
// Was spec.replicas changed since the sets were last scaled?
bool is_scaling_event(const Rollout& rollout);

DeploymentStatus compute_status(const Rollout& rollout, base::WallTime now);
bool is_complete(const Deployment& deployment, const DeploymentStatus& status);
// compute_status() with the Progressing condition brought up to date.
DeploymentStatus compute_rollout_status(const Rollout& rollout, base::WallTime now);
// When the progress deadline strikes; nothing if it cannot.
std::optional<base::WallTime> progress_deadline(const Deployment& deployment, const DeploymentStatus& status);

const Condition* find_condition(const DeploymentStatus& status, const std::string& type);
// Keeps the old entry if status and reason are the same; keeps its transition time if the status is.
void set_condition(DeploymentStatus& status, Condition condition);
Condition make_condition(const std::string& type, bool is_true, const std::string& reason, const std::string& message, base::WallTime now);

// Old sets beyond revisionHistoryLimit that nothing uses, oldest revision first.
ReplicaSets surplus_history(const Rollout& rollout);

// deployment.kubernetes.io/... annotations.
inline constexpr const char* kRevision = "deployment.kubernetes.io/revision";
inline constexpr const char* kRevisionHistory = "deployment.kubernetes.io/revision-history";
inline constexpr const char* kDesiredReplicas = "deployment.kubernetes.io/desired-replicas";
inline constexpr const char* kMaxReplicas = "deployment.kubernetes.io/max-replicas";
inline constexpr const char* kTemplateHash = "pod-template-hash";

}  // namespace server
