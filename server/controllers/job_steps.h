// server/controllers/job_steps.h - what a Job does next, from its pods alone. Pure; semantics as upstream's job controller.
//
// No pod is counted twice or forgotten, though pods may vanish at any moment: each has a finalizer until its uid is in
// status.uncountedTerminatedPods, and goes from there into the counts only when its finalizer is off.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "server/model/job.h"
#include "server/model/pod.h"

namespace server {

inline constexpr const char* kJobFinalizer = "batch.kubernetes.io/job-tracking";
inline constexpr const char* kIndexAnnotation = "batch.kubernetes.io/job-completion-index";
inline constexpr const char* kIndexFailures = "batch.kubernetes.io/job-index-failure-count";

// A pod of a job, with what its status says of its end.
struct JobPod {
  const Pod* pod = nullptr;
  const json* tree = nullptr;
  int64_t index = -1;                    // Of an indexed job's.
  int64_t index_failures = 0;            // Of the pods before it, of its index.
  bool tracked = false;                  // Has the finalizer.
  base::WallTime finished{};             // Of its last container; the epoch: unknown.
};
JobPod project_job_pod(const Pod& pod, const json& tree);

struct JobPlan {
  struct Create {
    int64_t index = -1;
    int64_t failures = 0;                // Of the index so far.
  };
  struct Event {
    bool warning = false;
    std::string reason, message;
  };
  JobStatus status;                      // To be written before anything else is done.
  std::vector<Create> create;
  std::vector<const Pod*> remove;
  std::vector<const Pod*> release;       // Their finalizer may go: they are in the status to be written, or do not count.
  std::vector<Event> events;
  std::optional<base::WallTime> wake;    // When time alone changes something.
};

JobPlan plan_job(const Job& job, const std::vector<JobPod>& pods, base::WallTime now);

// When a finished job is to be deleted; nothing: never.
std::optional<base::WallTime> job_expiry(const Job& job);

json render_job_pod(const Job& job, const JobPlan::Create& create);

}  // namespace server
