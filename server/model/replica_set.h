// server/model/replica_set.h - a ReplicaSet, or a ReplicationController, as its controller and the Deployment controller see
// it. Pure; any thread.
#pragma once

#include <chrono>
#include <string>

#include "server/model/meta.h"
#include "store/object/selector.h"

namespace server {

// The selector of any kind that has pods: {matchLabels, matchExpressions}, or a ReplicationController's plain map.
// Absent, empty or unreadable it selects nothing.
store::LabelSelector selector_of(const json& tree);

struct ReplicaSet {
  store::Object object;
  Meta meta;
  int64_t replicas = 1;                     // spec
  std::chrono::seconds min_ready{0};
  store::LabelSelector selector;
  struct StatusCounts {
    int64_t replicas = 0;
    int64_t labeled = 0;                    // fullyLabeledReplicas
    int64_t ready = 0;
    int64_t available = 0;
    int64_t observed_generation = 0;
    auto operator<=>(const StatusCounts&) const = default;
  } status;

  const json& pod_template() const;         // Lives as long as `object`.
};

ReplicaSet project_replica_set(const store::Object& object);
// annotations["deployment.kubernetes.io/revision"], 0 if absent or no number.
int64_t revision_of(const Meta& meta);

}  // namespace server
