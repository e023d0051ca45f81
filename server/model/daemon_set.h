// server/model/daemon_set.h - a DaemonSet as its controller sees it. Pure; any thread.
#pragma once

#include <chrono>
#include <string>

#include "server/model/meta.h"

namespace server {

struct DaemonSet {
  store::Object object;
  Meta meta;
  bool on_delete = false;              // updateStrategy
  std::chrono::seconds min_ready{0};
  int64_t history_limit = 10;
  struct Status {
    int64_t observed_generation = 0;
    int64_t desired = 0, current = 0, misscheduled = 0, ready = 0, updated = 0, available = 0, unavailable = 0;
    int64_t collisions = 0;
    bool operator==(const Status&) const = default;
  } status;

  const json& pod_template() const;    // Lives as long as `object`.
  bool surges() const;                 // May a node have the new pod beside the old one?
  // How many, of so many nodes; never both 0.
  int64_t max_surge(int64_t nodes) const;
  int64_t max_unavailable(int64_t nodes) const;
};

DaemonSet project_daemon_set(const store::Object& object);
json render_daemon_set_status(const DaemonSet::Status& status);

}  // namespace server
