#include "server/controllers/job_steps.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>

#include "server/controllers/pod_owners.h"
#include "server/controllers/replica_set.h"
#include "store/object/access.h"

namespace server {
namespace {

using std::chrono::seconds;

constexpr seconds kFirstBackoff{10}, kMaxBackoff{600};
constexpr int64_t kMaxCreates = 100;  // In one step, so that scheduling and starting overlap with creating.

int64_t annotated(const Pod& pod, const char* key, int64_t fallback) {
  auto it = pod.meta.annotations.find(key);
  if (it == pod.meta.annotations.end()) return fallback;
  int64_t value = fallback;
  auto [end, ec] = std::from_chars(it->second.data(), it->second.data() + it->second.size(), value);
  return ec == std::errc() && end == it->second.data() + it->second.size() ? value : fallback;
}

// What the job's failure policy says of a failed pod.
struct Verdict {
  FailureRule::Action action = FailureRule::Action::kCount;
  std::string message;
};

const json* failing_container(const FailureRule& rule, const json& pod) {
  for (const char* list : {"status.containerStatuses", "status.initContainerStatuses"}) {
    for (const json& container : store::get_array(pod, list)) {
      const json* ended = store::find(container, "state.terminated");
      if (ended == nullptr || (!rule.container.empty() && store::get_string(container, "name") != rule.container)) continue;
      const int64_t code = store::get_int(*ended, "exitCode");
      if (code != 0 && (rule.codes.count(code) > 0) != rule.negated) return &container;
    }
  }
  return nullptr;
}

Verdict judge(const Job& job, const JobPod& p) {
  const std::string name = p.pod->meta.ns + "/" + p.pod->meta.name;
  for (size_t i = 0; i < job.failure_rules.size(); ++i) {
    const FailureRule& rule = job.failure_rules[i];
    const std::string which = " matching " + rule.action_name + " rule at index " + std::to_string(i);
    if (rule.on_exit_codes) {
      const json* container = failing_container(rule, *p.tree);
      if (container == nullptr) continue;
      return {rule.action, "Container " + store::get_string(*container, "name") + " for pod " + name + " failed with exit code " +
                               std::to_string(store::get_int(*container, "state.terminated.exitCode")) + which};
    }
    for (const auto& [type, status] : rule.conditions) {
      const json* condition = find_condition(*p.tree, type);
      if (condition != nullptr && store::get_string(*condition, "status") == status) return {rule.action, "Pod " + name + " has condition " + type + which};
    }
  }
  return {};
}

class JobPlanner {
 public:
  JobPlanner(const Job& job, const std::vector<JobPod>& pods, base::WallTime now) : job_(job), pods_(pods), now_(now) { plan_.status = job.status; }

  JobPlan plan() {
    start();
    count_uncounted();
    count_ended();
    look_at_the_rest();
    decide();
    if (ending_.has_value()) {
      for (const JobPod* p : active_) plan_.remove.push_back(p->pod);
      active_.clear();
    } else if (!job_.meta.deleting) {
      manage();
    }
    write_counts();
    finish();
    return std::move(plan_);
  }

 private:
  JobStatus& status() { return plan_.status; }
  std::string text_now() const { return base::render_rfc3339(now_); }
  int64_t succeeded() const {
    if (job_.indexed) return static_cast<int64_t>(plan_.status.completed_indexes.size());
    return plan_.status.succeeded + static_cast<int64_t>(plan_.status.uncounted_succeeded.size());
  }
  int64_t failed() const { return plan_.status.failed + static_cast<int64_t>(plan_.status.uncounted_failed.size()); }

  // Deleted pods count as failed at once, unless the job waits for them to end.
  bool has_failed(const Pod& pod) const {
    if (pod.phase == PodPhase::kFailed) return true;
    if (!pod.meta.deleting || pod.phase == PodPhase::kSucceeded) return false;
    return !job_.replace_only_failed || pod.node.empty();  // Nobody will ever report the end of one without a node.
  }

  void set_condition(const std::string& type, bool yes, const std::string& reason, const std::string& message) {
    std::erase_if(status().conditions, [&](const Condition& c) { return c.type == type; });
    status().conditions.push_back({type, yes ? "True" : "False", reason, message, text_now(), text_now()});
  }

  void start() {
    const bool suspended = find_condition(status(), "Suspended") != nullptr;
    if (job_.suspend == suspended && (job_.suspend || !status().start_time.empty())) return;
    if (job_.suspend) {
      set_condition("Suspended", true, "JobSuspended", "Job suspended");
      status().start_time.clear();
      plan_.events.push_back({false, "Suspended", "Job suspended"});
      return;
    }
    if (suspended) {
      set_condition("Suspended", false, "JobResumed", "Job resumed");
      plan_.events.push_back({false, "Resumed", "Job resumed"});
    }
    status().start_time = text_now();
  }

  // Pods whose uid is on record and whose finalizer is off, or that are gone, go into the counts.
  void count_uncounted() {
    auto settle = [this](std::set<std::string>& uids, int64_t& count) {
      for (auto it = uids.begin(); it != uids.end();) {
        auto same = [&](const JobPod& p) { return p.pod->meta.uid == *it && p.tracked; };
        auto held = std::find_if(pods_.begin(), pods_.end(), same);
        if (held != pods_.end()) {
          plan_.release.push_back(held->pod);
          ++it;
          continue;
        }
        ++count;
        it = uids.erase(it);
      }
    };
    settle(status().uncounted_succeeded, status().succeeded);
    settle(status().uncounted_failed, status().failed);
  }

  void count_ended() {
    if (job_.backoff_limit_per_index) status().tells_failed_indexes = true;
    for (const JobPod& p : pods_) {
      const std::string& uid = p.pod->meta.uid;
      if (!p.tracked || status().uncounted_succeeded.count(uid) || status().uncounted_failed.count(uid)) continue;
      if (p.pod->phase == PodPhase::kSucceeded) {
        count_success(p);
      } else if (has_failed(*p.pod)) {
        count_failure(p);
      }
    }
  }

  void count_success(const JobPod& p) {
    plan_.release.push_back(p.pod);
    if (job_.indexed && (p.index < 0 || p.index >= *job_.completions || !status().completed_indexes.insert(p.index).second)) return;  // Done before.
    status().uncounted_succeeded.insert(p.pod->meta.uid);
  }

  void count_failure(const JobPod& p) {
    plan_.release.push_back(p.pod);
    const Verdict verdict = judge(job_, p);
    if (verdict.action == FailureRule::Action::kFailJob && !verdict_) verdict_ = verdict.message;
    if (verdict.action == FailureRule::Action::kIgnore) return;
    if (job_.indexed && (p.index < 0 || p.index >= *job_.completions || status().completed_indexes.count(p.index))) return;
    status().uncounted_failed.insert(p.pod->meta.uid);
    if (!job_.backoff_limit_per_index) return;
    if (verdict.action == FailureRule::Action::kFailIndex || p.index_failures + 1 > *job_.backoff_limit_per_index) status().failed_indexes.insert(p.index);
  }

  void look_at_the_rest() {
    for (const JobPod& p : pods_) {
      if (p.pod->active()) active_.push_back(&p);
      if (p.pod->meta.deleting && !p.pod->finished()) ++terminating_;
    }
  }

  // Restarts of containers count as failures while a pod runs.
  bool restarted_too_often() const {
    if (!job_.restarts_containers) return false;
    int64_t restarts = 0;
    for (const JobPod* p : active_) {
      for (const char* list : {"status.initContainerStatuses", "status.containerStatuses"}) {
        for (const json& container : store::get_array(*p->tree, list)) restarts += store::get_int(container, "restartCount");
      }
    }
    return job_.backoff_limit == 0 ? restarts > 0 : restarts >= job_.backoff_limit;
  }

  bool past_deadline() {
    if (!job_.active_deadline || job_.suspend || status().start_time.empty()) return false;
    const auto since = base::parse_rfc3339(status().start_time);
    if (!since.ok()) return false;
    const base::WallTime end = *since + *job_.active_deadline;
    if (end <= now_) return true;
    wake_at(end);
    return false;
  }

  struct Ending {
    const char* target;  // The condition that says what it will be.
    std::string reason, message;
  };

  // Is it over, and how?
  void decide() {
    if (const Condition* target = find_condition(status(), "FailureTarget")) {
      ending_ = Ending{"FailureTarget", target->reason, target->message};
    } else if (const Condition* met = find_condition(status(), "SuccessCriteriaMet")) {
      ending_ = Ending{"SuccessCriteriaMet", met->reason, met->message};
    } else if (verdict_) {
      ending_ = Ending{"FailureTarget", "PodFailurePolicy", *verdict_};
    } else if (failed() > job_.backoff_limit || restarted_too_often()) {
      ending_ = Ending{"FailureTarget", "BackoffLimitExceeded", "Job has reached the specified backoff limit"};
    } else if (past_deadline()) {
      ending_ = Ending{"FailureTarget", "DeadlineExceeded", "Job was active longer than specified deadline"};
    } else {
      decide_indexed();
    }
    if (!ending_ && !job_.suspend && is_complete()) ending_ = Ending{"SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"};
    if (ending_ && find_condition(status(), ending_->target) == nullptr) set_condition(ending_->target, true, ending_->reason, ending_->message);
  }

  void decide_indexed() {
    if (!job_.indexed) return;
    const auto failures = static_cast<int64_t>(status().failed_indexes.size());
    if (job_.max_failed_indexes && failures > *job_.max_failed_indexes) {
      ending_ = Ending{"FailureTarget", "MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes"};
      return;
    }
    for (size_t i = 0; i < job_.success_rules.size() && !ending_; ++i) {
      if (rule_holds(job_.success_rules[i])) ending_ = Ending{"SuccessCriteriaMet", "SuccessPolicy", "Matched rules at index " + std::to_string(i)};
    }
    if (!ending_ && failures > 0 && succeeded() + failures >= *job_.completions && active_.empty()) ending_ = Ending{"FailureTarget", "FailedIndexes", "Job has failed indexes"};
  }

  bool rule_holds(const SuccessRule& rule) const {
    const Indexes& done = plan_.status.completed_indexes;
    if (!rule.indexes) return rule.count && static_cast<int64_t>(done.size()) >= *rule.count;
    const int64_t hits = std::count_if(rule.indexes->begin(), rule.indexes->end(), [&done](int64_t i) { return done.count(i) > 0; });
    return rule.count ? hits >= *rule.count : hits == static_cast<int64_t>(rule.indexes->size());
  }

  bool is_complete() const {
    if (!job_.completions) return succeeded() > 0 && active_.empty();
    return succeeded() >= *job_.completions && active_.empty();
  }

  int64_t wanted() const {
    if (job_.suspend) return 0;
    if (!job_.completions) return succeeded() > 0 ? static_cast<int64_t>(active_.size()) : job_.parallelism;
    const int64_t open = *job_.completions - succeeded() - static_cast<int64_t>(status_failed_indexes());
    return std::clamp<int64_t>(open, 0, job_.parallelism);
  }
  size_t status_failed_indexes() const { return plan_.status.failed_indexes.size(); }

  // Pods that are too many go; otherwise those that are missing are made.
  void manage() {
    std::vector<const Pod*> surplus = duplicates();
    std::vector<const Pod*> rest;
    for (const JobPod* p : active_) {
      if (std::find(surplus.begin(), surplus.end(), p->pod) == surplus.end()) rest.push_back(p->pod);
    }
    const int64_t too_many = static_cast<int64_t>(rest.size()) - wanted();
    if (too_many > 0) {
      rank_for_deletion(rest, {});
      surplus.insert(surplus.end(), rest.begin(), rest.begin() + too_many);
    }
    if (!surplus.empty()) {
      std::erase_if(active_, [&](const JobPod* p) { return std::find(surplus.begin(), surplus.end(), p->pod) != surplus.end(); });
      plan_.remove.insert(plan_.remove.end(), surplus.begin(), surplus.end());
      return;
    }
    const int64_t terminating = job_.replace_only_failed ? terminating_ : 0;
    const int64_t missing = std::min(wanted() - terminating - static_cast<int64_t>(active_.size()), kMaxCreates);
    if (missing <= 0) return;
    if (job_.indexed) {
      create_indexed(missing);
    } else if (rested({})) {
      plan_.create.resize(static_cast<size_t>(missing));
    }
  }

  // Second pods of an index, and those of indexes that are none or that need no pod any more.
  std::vector<const Pod*> duplicates() const {
    std::vector<const Pod*> out;
    if (!job_.indexed) return out;
    Indexes seen;
    for (const JobPod* p : active_) {
      const bool open = p->index >= 0 && p->index < *job_.completions && plan_.status.completed_indexes.count(p->index) == 0 && plan_.status.failed_indexes.count(p->index) == 0;
      if (!open || !seen.insert(p->index).second) out.push_back(p->pod);
    }
    return out;
  }

  void create_indexed(int64_t missing) {
    Indexes taken = status().completed_indexes;
    taken.insert(status().failed_indexes.begin(), status().failed_indexes.end());
    for (const JobPod& p : pods_) {
      if (p.pod->active() || (job_.replace_only_failed && p.pod->meta.deleting && !p.pod->finished())) taken.insert(p.index);
    }
    const bool together = !job_.backoff_limit_per_index;
    if (together && !rested({})) return;
    for (int64_t index = 0; index < *job_.completions && missing > 0; ++index) {
      if (taken.count(index)) continue;
      if (!together && !rested(index)) continue;
      plan_.create.push_back({index, failures_of(index)});
      --missing;
    }
  }

  int64_t failures_of(int64_t index) const {
    int64_t out = 0;
    for (const JobPod& p : pods_) {
      if (p.index == index && has_failed(*p.pod)) out = std::max(out, p.index_failures + (judge(job_, p).action == FailureRule::Action::kIgnore ? 0 : 1));
    }
    return out;
  }

  // After failures in a row a new pod waits: 10 s, doubling to 10 min.
  bool rested(std::optional<int64_t> index) {
    base::WallTime last_success{}, last_failure{};
    for (const JobPod& p : pods_) {
      if (index && p.index != *index) continue;
      if (p.pod->phase == PodPhase::kSucceeded) last_success = std::max(last_success, p.finished);
    }
    int64_t failures = 0;
    for (const JobPod& p : pods_) {
      if ((index && p.index != *index) || !has_failed(*p.pod) || p.finished <= last_success) continue;
      ++failures;
      last_failure = std::max(last_failure, p.finished);
    }
    if (failures == 0) return true;
    const seconds wait = failures > 7 ? kMaxBackoff : std::min(kFirstBackoff * (int64_t{1} << (failures - 1)), kMaxBackoff);
    if (last_failure + wait <= now_) return true;
    wake_at(last_failure + wait);
    return false;
  }

  void wake_at(base::WallTime at) {
    if (!plan_.wake || at < *plan_.wake) plan_.wake = at;
  }

  void write_counts() {
    status().active = static_cast<int64_t>(active_.size() + plan_.create.size());
    status().terminating = terminating_ + static_cast<int64_t>(plan_.remove.size());
    status().ready = std::count_if(active_.begin(), active_.end(), [](const JobPod* p) { return p->pod->ready; });
  }

  // It has ended when the last pod has, and is counted.
  void finish() {
    if (!ending_ || !status().uncounted_failed.empty() || !status().uncounted_succeeded.empty() || status().terminating > 0) return;
    const bool failure = std::string_view(ending_->target) == "FailureTarget";
    set_condition(failure ? "Failed" : "Complete", true, ending_->reason, ending_->message);
    if (!failure) status().completion_time = text_now();
    plan_.events.push_back(failure ? JobPlan::Event{true, ending_->reason, ending_->message} : JobPlan::Event{false, "Completed", "Job completed"});
  }

  const Job& job_;
  const std::vector<JobPod>& pods_;
  const base::WallTime now_;
  JobPlan plan_;
  std::vector<const JobPod*> active_;
  int64_t terminating_ = 0;
  std::optional<std::string> verdict_;  // A failure that ends the job, in words.
  std::optional<Ending> ending_;
};

}  // namespace

JobPod project_job_pod(const Pod& pod, const json& tree) {
  JobPod out{&pod, &tree};
  out.index = annotated(pod, kIndexAnnotation, -1);
  out.index_failures = annotated(pod, kIndexFailures, 0);
  out.tracked = std::find(pod.meta.finalizers.begin(), pod.meta.finalizers.end(), kJobFinalizer) != pod.meta.finalizers.end();
  for (const json& container : store::get_array(tree, "status.containerStatuses")) {
    out.finished = std::max(out.finished, project_time(container, "state.terminated.finishedAt"));
  }
  if (out.finished == base::WallTime{} && pod.meta.deleting) out.finished = pod.meta.deletion_time;
  if (out.finished == base::WallTime{} && pod.finished()) {
    const json* ready = find_condition(tree, "Ready");
    out.finished = ready != nullptr ? project_time(*ready, "lastTransitionTime") : pod.meta.created;
  }
  return out;
}

JobPlan plan_job(const Job& job, const std::vector<JobPod>& pods, base::WallTime now) { return JobPlanner(job, pods, now).plan(); }

std::optional<base::WallTime> job_expiry(const Job& job) {
  const Condition* ended = finished_condition(job.status);
  if (ended == nullptr || !job.ttl) return std::nullopt;
  const auto since = base::parse_rfc3339(ended->last_transition);
  if (!since.ok()) return std::nullopt;
  return *since + *job.ttl;
}

json render_job_pod(const Job& job, const JobPlan::Create& create) {
  json pod = pod_from_template(job.pod_template(), job.object);
  json& metadata = pod["metadata"];
  json& finalizers = metadata["finalizers"];
  if (!finalizers.is_array()) finalizers = json::array();
  finalizers.push_back(kJobFinalizer);
  if (!job.indexed) {
    metadata["generateName"] = job.meta.name + "-";
    return pod;
  }
  const std::string index = std::to_string(create.index);
  metadata["generateName"] = job.meta.name + "-" + index + "-";
  metadata["annotations"][kIndexAnnotation] = index;
  metadata["labels"][kIndexAnnotation] = index;
  if (job.backoff_limit_per_index) metadata["annotations"][kIndexFailures] = std::to_string(create.failures);
  json& spec = pod["spec"];
  if (store::get_string(spec, "hostname").empty()) spec["hostname"] = job.meta.name + "-" + index;
  const json variable = {{"name", "JOB_COMPLETION_INDEX"},
                         {"valueFrom", {{"fieldRef", {{"apiVersion", "v1"}, {"fieldPath", std::string("metadata.labels['") + kIndexAnnotation + "']"}}}}}};
  for (const char* list : {"initContainers", "containers"}) {
    if (!spec.contains(list)) continue;
    for (json& container : spec[list]) {
      json& env = container["env"];
      if (!env.is_array()) env = json::array();
      const bool set = std::any_of(env.begin(), env.end(), [](const json& e) { return store::get_string(e, "name") == "JOB_COMPLETION_INDEX"; });
      if (!set) env.push_back(variable);
    }
  }
  return pod;
}

}  // namespace server
