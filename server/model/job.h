// server/model/job.h - a Job as its controller sees it. Pure; any thread.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/model/deployment.h"
#include "server/model/meta.h"

namespace server {

// Numbers of an indexed job, written as "0,2-4".
using Indexes = std::set<int64_t>;
Indexes parse_indexes(const std::string& text, int64_t end);  // Only those below `end`.
std::string render_indexes(const Indexes& indexes);

struct JobStatus {
  int64_t active = 0, ready = 0, terminating = 0, succeeded = 0, failed = 0;
  Indexes completed_indexes, failed_indexes;
  bool tells_failed_indexes = false;              // With backoffLimitPerIndex, even when there are none.
  std::set<std::string> uncounted_succeeded, uncounted_failed;  // Pods by uid.
  std::string start_time, completion_time;
  std::vector<Condition> conditions;
  bool operator==(const JobStatus&) const = default;
};

struct FailureRule {
  enum class Action { kCount, kIgnore, kFailJob, kFailIndex };
  Action action = Action::kCount;
  std::string action_name;
  bool on_exit_codes = false;
  bool negated = false;                           // NotIn
  std::string container;                          // "": any.
  std::set<int64_t> codes;
  std::vector<std::pair<std::string, std::string>> conditions;  // Type and status.
};

struct SuccessRule {
  std::optional<Indexes> indexes;                 // Absent: all.
  std::optional<int64_t> count;                   // Absent: all of them.
};

struct Job {
  store::Object object;
  Meta meta;
  int64_t parallelism = 1;
  std::optional<int64_t> completions;             // Absent: a work queue, whose first success ends it.
  int64_t backoff_limit = 6;
  std::optional<int64_t> backoff_limit_per_index;
  std::optional<int64_t> max_failed_indexes;
  std::optional<std::chrono::seconds> active_deadline;
  std::optional<std::chrono::seconds> ttl;
  bool indexed = false;
  bool suspend = false;
  bool replace_only_failed = false;               // podReplacementPolicy
  bool restarts_containers = false;               // restartPolicy OnFailure
  bool foreign = false;                           // managedBy somebody else.
  std::vector<FailureRule> failure_rules;
  std::vector<SuccessRule> success_rules;
  JobStatus status;

  const json& pod_template() const;               // Lives as long as `object`.
};

Job project_job(const store::Object& object);
json render_job_status(const JobStatus& status);
const Condition* find_condition(const JobStatus& status, const std::string& type);  // Only one whose status is True.
// The condition that ended it, Complete or Failed; nullptr: it goes on.
const Condition* finished_condition(const JobStatus& status);

}  // namespace server
