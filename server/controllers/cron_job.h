// server/controllers/cron_job.h - a Job at every time of a schedule. The plan is pure; semantics as upstream's cron job
// controller.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "server/controllers/controllers.h"
#include "server/model/job.h"
#include "store/base/cron.h"

namespace server {

struct CronJob {
  store::Object object;
  Meta meta;
  std::optional<base::CronSchedule> schedule;    // Absent: it cannot be read.
  std::optional<base::TimeZone> zone;            // Absent: not known on this machine.
  std::string policy;                            // "Allow", "Forbid", "Replace"
  std::optional<std::chrono::seconds> deadline;  // startingDeadlineSeconds
  bool suspend = false;
  std::optional<int64_t> keep_successful, keep_failed;
  base::WallTime last_schedule{};                // The epoch: never.
  base::WallTime last_success{};
};
CronJob project_cron_job(const store::Object& object);

struct Due {
  std::optional<base::WallTime> now;    // The newest time that has come and has no job yet.
  bool too_many_missed = false;         // More than a hundred.
  std::optional<base::WallTime> next;   // The next time to come.
};
Due compute_due(const CronJob& cron, base::WallTime now);

// Finished jobs beyond the history's limits, the oldest first.
std::vector<const Job*> surplus_jobs(const CronJob& cron, const std::vector<Job>& jobs);

std::unique_ptr<Controller> make_cron_job_controller(ControlLoop& loop);

}  // namespace server
