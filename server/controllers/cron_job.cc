#include "server/controllers/cron_job.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "server/informer/events.h"
#include "server/informer/writes.h"
#include "store/object/access.h"

namespace server {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kCronJobs = "cronjobs.batch";
constexpr const char* kJobsOfCron = "jobs.batch";
constexpr const char* kScheduledAt = "batch.kubernetes.io/cronjob-scheduled-timestamp";
constexpr int kManyMissed = 100;
constexpr milliseconds kLate{100};  // Beyond the minute's beginning, so that it surely has come.

std::optional<int64_t> optional_int(const json& tree, const char* path) {
  const json* value = store::find(tree, path);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  return value->get<int64_t>();
}

// As the zone's people write it: 2026-01-02T03:04:05+01:00.
std::string render_in_zone(base::WallTime at, const base::TimeZone& zone) {
  const seconds offset = zone.offset(at);
  std::string text = base::render_rfc3339(at + offset);
  if (offset.count() == 0) return text;
  text.pop_back();
  const int64_t minutes = std::abs(offset.count()) / 60;
  char suffix[16];
  std::snprintf(suffix, sizeof suffix, "%c%02d:%02d", offset.count() < 0 ? '-' : '+', static_cast<int>(minutes / 60), static_cast<int>(minutes % 60));
  return text + suffix;
}

class CronJobController final : public Controller {
 public:
  explicit CronJobController(ControlLoop& loop)
      : loop_(loop), events_(loop, "cronjob-controller"), queue_(loop.make_queue("cronjob", [this](const store::Key& key) { return reconcile(key); })) {
    loop.on_change(kCronJobs, [this](const store::Object& before, const store::Object& after) { queue_.add(after ? after.key() : before.key()); });
    loop.on_change(kJobsOfCron, [this](const store::Object& before, const store::Object& after) { job_changed(before, after); });
  }

 private:
  void job_changed(const store::Object& before, const store::Object& after);
  base::Result<Requeue> reconcile(const store::Key& key);
  std::vector<Job> jobs_of(const CronJob& cron) const;
  base::Status forget_surplus(const CronJob& cron, std::vector<Job>& jobs);
  json settle_active(const CronJob& cron, const std::vector<Job>& jobs, base::WallTime& last_success);
  base::Status run(const CronJob& cron, const std::vector<Job>& jobs, base::WallTime at, json& active, base::WallTime& last_schedule);
  base::Status remove_job(const CronJob& cron, const store::Object& job, const char* propagation);
  Requeue at_next(const Due& due) const;

  ControlLoop& loop_;
  EventRecorder events_;
  WorkQueue& queue_;
  std::map<std::string, std::set<std::string>> jobs_;  // By the CronJob's uid: names.
};

void CronJobController::job_changed(const store::Object& before, const store::Object& after) {
  auto owner_of = [](const store::Object& job, auto act) {
    if (!job) return;
    const Meta meta = project_meta(job.tree());
    const OwnerRef* owner = controller_of(meta);
    if (owner != nullptr && owner->kind == "CronJob") act(*owner);
  };
  owner_of(before, [&](const OwnerRef& owner) { jobs_[owner.uid].erase(before.name()); });
  owner_of(after, [&](const OwnerRef& owner) { jobs_[owner.uid].insert(after.name()); });
  owner_of(after ? after : before, [&](const OwnerRef& owner) { queue_.add({kCronJobs, (after ? after : before).ns(), owner.name}); });
}

std::vector<Job> CronJobController::jobs_of(const CronJob& cron) const {
  std::vector<Job> out;
  auto names = jobs_.find(cron.meta.uid);
  if (names == jobs_.end()) return out;
  for (const std::string& name : names->second) {
    if (const store::Object* job = loop_.cache(kJobsOfCron).find(cron.meta.ns, name)) out.push_back(project_job(*job));
  }
  return out;
}

base::Result<Requeue> CronJobController::reconcile(const store::Key& key) {
  const store::Object* object = loop_.cache(kCronJobs).find(key.ns, key.name);
  if (object == nullptr) {
    std::erase_if(jobs_, [](const auto& entry) { return entry.second.empty(); });
    return Requeue{};
  }
  const CronJob cron = project_cron_job(*object);
  if (cron.meta.deleting) return Requeue{};
  std::vector<Job> jobs = jobs_of(cron);
  TRY_STATUS(forget_surplus(cron, jobs));
  base::WallTime last_success = cron.last_success, last_schedule = cron.last_schedule;
  json active = settle_active(cron, jobs, last_success);
  const base::WallTime now = loop_.clock().wall();
  Requeue again;
  base::Status ran;
  if (!cron.suspend && cron.schedule && cron.zone) {
    const Due due = compute_due(cron, now);
    if (due.too_many_missed) {
      events_.warning(make_ref(cron.object), "TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
    }
    if (!due.now && !due.next) {  // Such as the 31st of February. The words are those of upstream's way of noticing.
      events_.warning(make_ref(cron.object), "InvalidSchedule",
                      "invalid schedule: " + store::get_string(object->tree(), "spec.schedule") + " : time difference between two schedules is less than 1 second");
    }
    if (due.now) ran = run(cron, jobs, *due.now, active, last_schedule);
    again = at_next(due);
  } else if (!cron.zone) {
    events_.warning(make_ref(cron.object), "UnknownTimeZone", "invalid timeZone: unknown time zone " + store::get_string(object->tree(), "spec.timeZone"));
  }
  json status = json::object();
  if (!active.empty()) status["active"] = std::move(active);
  if (last_schedule != base::WallTime{}) status["lastScheduleTime"] = base::render_rfc3339(last_schedule);
  if (last_success != base::WallTime{}) status["lastSuccessfulTime"] = base::render_rfc3339(last_success);
  if (status != store::get_object(object->tree(), "status")) TRY(write_status(loop_.client(), cron.object, std::move(status)));
  TRY_STATUS(ran);
  return again;
}

Requeue CronJobController::at_next(const Due& due) const {
  if (!due.next) return Requeue{};
  return Requeue{std::chrono::ceil<milliseconds>(*due.next - loop_.clock().wall()) + kLate};
}

base::Status CronJobController::remove_job(const CronJob& cron, const store::Object& job, const char* propagation) {
  DeleteOptions options;
  options.propagation = propagation;
  const std::string name = job.name();
  base::Status removed = remove_object(loop_.client(), job, options);
  if (removed.ok()) {
    events_.normal(make_ref(cron.object), "SuccessfulDelete", "Deleted job " + name);
  } else {
    events_.warning(make_ref(cron.object), "FailedDelete", "Deleted job: " + removed.error().message);
  }
  return removed;
}

base::Status CronJobController::forget_surplus(const CronJob& cron, std::vector<Job>& jobs) {
  std::set<std::string> gone;
  for (const Job* job : surplus_jobs(cron, jobs)) {
    TRY_STATUS(remove_job(cron, job->object, "Background"));
    gone.insert(job->meta.uid);
  }
  std::erase_if(jobs, [&gone](const Job& job) { return gone.count(job.meta.uid) > 0; });
  return {};
}

// status.active without what has finished or is missing; tells of both.
json CronJobController::settle_active(const CronJob& cron, const std::vector<Job>& jobs, base::WallTime& last_success) {
  json out = json::array();
  std::set<std::string> listed;
  const ObjectRef about = make_ref(cron.object);
  for (const json& ref : store::get_array(cron.object.tree(), "status.active")) {
    const std::string uid = store::get_string(ref, "uid"), name = store::get_string(ref, "name");
    listed.insert(uid);
    auto job = std::find_if(jobs.begin(), jobs.end(), [&uid](const Job& j) { return j.meta.uid == uid; });
    if (job == jobs.end()) {
      events_.normal(about, "MissingJob", "Active job went missing: " + name);
    } else if (const Condition* ended = finished_condition(job->status)) {
      events_.normal(about, "SawCompletedJob", "Saw completed job: " + name + ", condition: " + ended->type);
    } else {
      out.push_back(ref);
    }
  }
  for (const Job& job : jobs) {
    const Condition* ended = finished_condition(job.status);
    if (ended == nullptr) {
      if (listed.count(job.meta.uid) == 0) events_.warning(about, "UnexpectedJob", "Saw a job that the controller did not create or forgot: " + job.meta.name);
      continue;
    }
    const auto completed = base::parse_rfc3339(job.status.completion_time);
    if (ended->type == "Complete" && completed.ok()) last_success = std::max(last_success, *completed);
  }
  return out;
}

base::Status CronJobController::run(const CronJob& cron, const std::vector<Job>& jobs, base::WallTime at, json& active, base::WallTime& last_schedule) {
  const base::WallTime now = loop_.clock().wall();
  const ObjectRef about = make_ref(cron.object);
  if (cron.deadline && at + *cron.deadline < now) {
    events_.warning(about, "MissSchedule", "Missed scheduled time to start a job: " + base::render_rfc3339(at));
    return {};
  }
  if (cron.policy == "Forbid" && !active.empty()) {
    events_.normal(about, "JobAlreadyActive", "Not starting job because prior execution is running and concurrency policy is Forbid");
    return {};
  }
  if (cron.policy == "Replace") {
    for (const json& ref : active) {
      auto job = std::find_if(jobs.begin(), jobs.end(), [&ref](const Job& j) { return j.meta.uid == store::get_string(ref, "uid"); });
      if (job != jobs.end()) TRY_STATUS(remove_job(cron, job->object, "Background"));
    }
    active = json::array();
  }
  const json& job_template = store::get_object(cron.object.tree(), "spec.jobTemplate");
  const int64_t minutes = std::chrono::duration_cast<std::chrono::minutes>(at.time_since_epoch()).count();
  json metadata = {{"name", cron.meta.name + "-" + std::to_string(minutes)}, {"namespace", cron.meta.ns}, {"ownerReferences", {render_controller_ref(cron.object)}}};
  for (const char* field : {"labels", "annotations"}) {
    if (const json* value = store::find(job_template, std::string("metadata.") + field)) metadata[field] = *value;
  }
  metadata["annotations"][kScheduledAt] = render_in_zone(at, *cron.zone);
  auto created = create_object(loop_.client(), kJobsOfCron, {{"apiVersion", "batch/v1"}, {"kind", "Job"}, {"metadata", metadata}, {"spec", store::get_object(job_template, "spec")}});
  if (!created.ok() && created.error().code == base::Code::kAlreadyExists) {
    last_schedule = at;  // Made before, and not noted: by this time's name it is the one.
    return {};
  }
  if (!created.ok()) {
    if (created.error().code != base::Code::kForbidden) events_.warning(about, "FailedCreate", "Error creating job: " + created.error().message);
    return std::move(created).error();
  }
  events_.normal(about, "SuccessfulCreate", "Created job " + created->name());
  active.push_back({{"kind", "Job"},
                    {"apiVersion", "batch/v1"},
                    {"name", created->name()},
                    {"namespace", created->ns()},
                    {"uid", created->uid()},
                    {"resourceVersion", store::get_string(created->tree(), "metadata.resourceVersion")}});
  last_schedule = at;
  return {};
}

}  // namespace

CronJob project_cron_job(const store::Object& object) {
  const json& tree = object.tree();
  const json& spec = store::get_object(tree, "spec");
  CronJob out;
  out.object = object;
  out.meta = project_meta(tree);
  if (auto schedule = base::CronSchedule::parse(store::get_string(spec, "schedule")); schedule.ok()) out.schedule = *schedule;
  if (auto zone = base::TimeZone::load(store::get_string(spec, "timeZone")); zone.ok()) out.zone = *zone;
  out.policy = store::get_string(spec, "concurrencyPolicy", "Allow");
  if (const auto deadline = optional_int(spec, "startingDeadlineSeconds")) out.deadline = seconds(*deadline);
  out.suspend = store::get_bool(spec, "suspend");
  out.keep_successful = optional_int(spec, "successfulJobsHistoryLimit");
  out.keep_failed = optional_int(spec, "failedJobsHistoryLimit");
  out.last_schedule = project_time(tree, "status.lastScheduleTime");
  out.last_success = project_time(tree, "status.lastSuccessfulTime");
  return out;
}

Due compute_due(const CronJob& cron, base::WallTime now) {
  Due out;
  base::WallTime since = cron.last_schedule != base::WallTime{} ? cron.last_schedule : cron.meta.created;
  if (cron.deadline) since = std::max(since, now - *cron.deadline);
  out.now = cron.schedule->last(since, now, *cron.zone);
  out.next = cron.schedule->next(out.now ? *out.now : since, *cron.zone);
  auto time = cron.schedule->next(since, *cron.zone);
  for (int missed = 1; out.now && time && *time < *out.now && !out.too_many_missed; ++missed) {
    out.too_many_missed = missed >= kManyMissed;
    time = cron.schedule->next(*time, *cron.zone);
  }
  return out;
}

std::vector<const Job*> surplus_jobs(const CronJob& cron, const std::vector<Job>& jobs) {
  std::vector<const Job*> out;
  auto add = [&](const char* type, const std::optional<int64_t>& keep) {
    if (!keep) return;
    std::vector<const Job*> ended;
    for (const Job& job : jobs) {
      const Condition* condition = finished_condition(job.status);
      if (condition != nullptr && condition->type == type && !job.meta.deleting) ended.push_back(&job);
    }
    std::sort(ended.begin(), ended.end(), [](const Job* a, const Job* b) { return std::tie(a->status.start_time, a->meta.name) < std::tie(b->status.start_time, b->meta.name); });
    const int64_t surplus = static_cast<int64_t>(ended.size()) - *keep;
    if (surplus > 0) out.insert(out.end(), ended.begin(), ended.begin() + surplus);
  };
  add("Complete", cron.keep_successful);
  add("Failed", cron.keep_failed);
  return out;
}

std::unique_ptr<Controller> make_cron_job_controller(ControlLoop& loop) { return std::make_unique<CronJobController>(loop); }

}  // namespace server
