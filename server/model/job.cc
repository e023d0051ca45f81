#include "server/model/job.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {
namespace {

using store::get_array;
using store::get_int;
using store::get_string;

std::optional<int64_t> optional_int(const json& tree, const char* path) {
  const json* value = store::find(tree, path);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  return value->get<int64_t>();
}

std::optional<std::chrono::seconds> optional_seconds(const json& tree, const char* path) {
  const auto value = optional_int(tree, path);
  return value ? std::optional(std::chrono::seconds(*value)) : std::nullopt;
}

std::set<std::string> texts(const json& tree, const char* path) {
  std::set<std::string> out;
  for (const json& item : get_array(tree, path)) {
    if (item.is_string()) out.insert(item.get<std::string>());
  }
  return out;
}

FailureRule project_failure_rule(const json& rule) {
  FailureRule out;
  out.action_name = get_string(rule, "action");
  out.action = out.action_name == "FailJob"     ? FailureRule::Action::kFailJob
               : out.action_name == "FailIndex" ? FailureRule::Action::kFailIndex
               : out.action_name == "Ignore"    ? FailureRule::Action::kIgnore
                                                : FailureRule::Action::kCount;
  if (const json* codes = store::find(rule, "onExitCodes")) {
    out.on_exit_codes = true;
    out.negated = get_string(*codes, "operator") == "NotIn";
    out.container = get_string(*codes, "containerName");
    for (const json& code : get_array(*codes, "values")) {
      if (code.is_number_integer()) out.codes.insert(code.get<int64_t>());
    }
  }
  for (const json& condition : get_array(rule, "onPodConditions")) out.conditions.emplace_back(get_string(condition, "type"), get_string(condition, "status", "True"));
  return out;
}

JobStatus project_job_status(const json& status, int64_t end) {
  JobStatus out;
  out.active = get_int(status, "active");
  out.ready = get_int(status, "ready");
  out.terminating = get_int(status, "terminating");
  out.succeeded = get_int(status, "succeeded");
  out.failed = get_int(status, "failed");
  out.completed_indexes = parse_indexes(get_string(status, "completedIndexes"), end);
  out.failed_indexes = parse_indexes(get_string(status, "failedIndexes"), end);
  out.tells_failed_indexes = store::find(status, "failedIndexes") != nullptr;
  out.uncounted_succeeded = texts(status, "uncountedTerminatedPods.succeeded");
  out.uncounted_failed = texts(status, "uncountedTerminatedPods.failed");
  out.start_time = get_string(status, "startTime");
  out.completion_time = get_string(status, "completionTime");
  for (const json& c : get_array(status, "conditions")) {
    out.conditions.push_back({get_string(c, "type"), get_string(c, "status"), get_string(c, "reason"), get_string(c, "message"), get_string(c, "lastProbeTime"),
                              get_string(c, "lastTransitionTime")});
  }
  return out;
}

}  // namespace

Indexes parse_indexes(const std::string& text, int64_t end) {
  Indexes out;
  const char* at = text.data();
  const char* const stop = at + text.size();
  while (at < stop) {
    int64_t first = 0, last = 0;
    auto [after, ec] = std::from_chars(at, stop, first);
    if (ec != std::errc()) return out;
    last = first;
    at = after;
    if (at < stop && *at == '-') {
      auto [after_last, ec_last] = std::from_chars(at + 1, stop, last);
      if (ec_last != std::errc()) return out;
      at = after_last;
    }
    for (int64_t i = std::max<int64_t>(first, 0); i <= last && i < end; ++i) out.insert(i);
    if (at < stop && *at++ != ',') return out;
  }
  return out;
}

std::string render_indexes(const Indexes& indexes) {
  std::string out;
  for (auto it = indexes.begin(); it != indexes.end();) {
    const int64_t first = *it;
    int64_t last = first;
    while (++it != indexes.end() && *it == last + 1) last = *it;
    out += (out.empty() ? "" : ",") + std::to_string(first);
    if (last > first) out += (last == first + 1 ? "," : "-") + std::to_string(last);
  }
  return out;
}

const json& Job::pod_template() const { return store::get_object(object.tree(), "spec.template"); }

Job project_job(const store::Object& object) {
  const json& tree = object.tree();
  const json& spec = store::get_object(tree, "spec");
  Job out;
  out.object = object;
  out.meta = project_meta(tree);
  out.parallelism = get_int(spec, "parallelism", 1);
  out.completions = optional_int(spec, "completions");
  out.backoff_limit = get_int(spec, "backoffLimit", 6);
  out.backoff_limit_per_index = optional_int(spec, "backoffLimitPerIndex");
  out.max_failed_indexes = optional_int(spec, "maxFailedIndexes");
  out.active_deadline = optional_seconds(spec, "activeDeadlineSeconds");
  out.ttl = optional_seconds(spec, "ttlSecondsAfterFinished");
  out.indexed = get_string(spec, "completionMode") == "Indexed" && out.completions.has_value();
  out.suspend = store::get_bool(spec, "suspend");
  out.replace_only_failed = get_string(spec, "podReplacementPolicy") == "Failed";
  out.restarts_containers = get_string(spec, "template.spec.restartPolicy") == "OnFailure";
  const std::string manager = get_string(spec, "managedBy");
  out.foreign = !manager.empty() && manager != "kubernetes.io/job-controller";
  for (const json& rule : get_array(spec, "podFailurePolicy.rules")) out.failure_rules.push_back(project_failure_rule(rule));
  const int64_t end = out.completions.value_or(0);
  for (const json& rule : get_array(spec, "successPolicy.rules")) {
    SuccessRule success;
    if (const json* indexes = store::find(rule, "succeededIndexes"); indexes && indexes->is_string()) success.indexes = parse_indexes(indexes->get<std::string>(), end);
    success.count = optional_int(rule, "succeededCount");
    out.success_rules.push_back(std::move(success));
  }
  out.status = project_job_status(store::get_object(tree, "status"), end);
  return out;
}

json render_job_status(const JobStatus& status) {
  json uncounted = json::object();
  if (!status.uncounted_succeeded.empty()) uncounted["succeeded"] = status.uncounted_succeeded;
  if (!status.uncounted_failed.empty()) uncounted["failed"] = status.uncounted_failed;
  json out = {{"ready", status.ready}, {"terminating", status.terminating}, {"uncountedTerminatedPods", std::move(uncounted)}};
  if (status.active) out["active"] = status.active;
  if (status.succeeded) out["succeeded"] = status.succeeded;
  if (status.failed) out["failed"] = status.failed;
  if (!status.completed_indexes.empty()) out["completedIndexes"] = render_indexes(status.completed_indexes);
  if (status.tells_failed_indexes) out["failedIndexes"] = render_indexes(status.failed_indexes);
  if (!status.start_time.empty()) out["startTime"] = status.start_time;
  if (!status.completion_time.empty()) out["completionTime"] = status.completion_time;
  for (const Condition& c : status.conditions) {
    out["conditions"].push_back({{"type", c.type}, {"status", c.status}, {"reason", c.reason}, {"message", c.message}, {"lastProbeTime", c.last_update},
                                 {"lastTransitionTime", c.last_transition}});
  }
  return out;
}

const Condition* find_condition(const JobStatus& status, const std::string& type) {
  auto it = std::find_if(status.conditions.begin(), status.conditions.end(), [&](const Condition& c) { return c.type == type && c.status == "True"; });
  return it == status.conditions.end() ? nullptr : &*it;
}

const Condition* finished_condition(const JobStatus& status) {
  const Condition* complete = find_condition(status, "Complete");
  return complete != nullptr ? complete : find_condition(status, "Failed");
}

}  // namespace server
