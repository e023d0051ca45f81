// server/model/deployment.h - a Deployment as its controller sees it. Pure; any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "server/model/meta.h"
#include "store/object/selector.h"

namespace server {

struct Condition {
  std::string type;
  std::string status;  // "True", "False", "Unknown"
  std::string reason;
  std::string message;
  std::string last_update;      // RFC 3339; Deployments only.
  std::string last_transition;  // RFC 3339
  bool operator==(const Condition&) const = default;
};

struct DeploymentStatus {
  int64_t observed_generation = 0;
  int64_t replicas = 0;
  int64_t updated = 0;
  int64_t ready = 0;
  int64_t available = 0;
  int64_t unavailable = 0;
  int64_t collisions = 0;
  std::vector<Condition> conditions;
  bool operator==(const DeploymentStatus&) const = default;
};

struct Deployment {
  store::Object object;
  Meta meta;
  int64_t replicas = 1;
  store::LabelSelector selector;
  bool recreate = false;
  int64_t max_surge = 0;         // Resolved from numbers or percentages of `replicas`, as upstream:
  int64_t max_unavailable = 0;   // surge up, unavailable down, and never both 0.
  std::chrono::seconds min_ready{0};
  std::optional<int64_t> history_limit;
  std::optional<std::chrono::seconds> progress_deadline;
  bool paused = false;
  DeploymentStatus status;

  const json& pod_template() const;  // Lives as long as `object`.
};

Deployment project_deployment(const store::Object& object);
json render_deployment_status(const DeploymentStatus& status);
// "25%" or 3 of `total`.
int64_t resolve_int_or_percent(const json* value, int64_t total, bool round_up, int64_t fallback);

}  // namespace server
