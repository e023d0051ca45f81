// server/model/stateful_set.h - a StatefulSet as its controller sees it. Pure; any thread.
#pragma once

#include <chrono>
#include <string>

#include "server/model/meta.h"
#include "store/object/selector.h"

namespace server {

struct StatefulSet {
  store::Object object;
  Meta meta;
  int64_t replicas = 1;
  int64_t start = 0;                 // spec.ordinals.start
  bool parallel = false;             // podManagementPolicy
  bool on_delete = false;            // updateStrategy
  int64_t partition = 0;
  int64_t max_unavailable = 1;       // Resolved; at least 1.
  std::chrono::seconds min_ready{0};
  int64_t history_limit = 10;
  std::string service;
  bool delete_claims_with_set = false;    // persistentVolumeClaimRetentionPolicy
  bool delete_claims_with_scale = false;
  struct Status {
    int64_t observed_generation = 0;
    int64_t replicas = 0, ready = 0, available = 0, current = 0, updated = 0;
    std::string current_revision, update_revision;
    int64_t collisions = 0;
    bool operator==(const Status&) const = default;
  } status;

  const json& pod_template() const;       // These live as long as `object`.
  const json& claim_templates() const;    // An array.
  int64_t end() const { return start + replicas; }
};

StatefulSet project_stateful_set(const store::Object& object);
json render_stateful_set_status(const StatefulSet::Status& status);
std::string stateful_pod_name(const StatefulSet& set, int64_t ordinal);
// The number of a pod of the set by its name; -1: it is none.
int64_t ordinal_of(const StatefulSet& set, const std::string& pod_name);

}  // namespace server
