// Job and CronJob.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "store/base/cron.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr int64_t kMaxParallelIndexed = 100'000;
constexpr size_t kMaxPolicyRules = 20;
constexpr size_t kMaxExitCodes = 255;
constexpr size_t kMaxPodConditions = 20;
constexpr size_t kMaxCronJobName = 52;  // Eleven characters are for the time, in the jobs' names.
constexpr const char* kJobLabels[] = {"batch.kubernetes.io/controller-uid", "controller-uid", "batch.kubernetes.io/job-name", "job-name"};

bool true_at(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && *at == true;
}

// Not in the data: a template in a CronJob is kept as it was written.
void default_job_spec(json& spec) {
  if (!spec.contains("completions") && !spec.contains("parallelism")) spec["completions"] = 1;
  if (!spec.contains("parallelism")) spec["parallelism"] = 1;
  if (string_at(spec, "completionMode").empty()) spec["completionMode"] = "NonIndexed";
  for (const char* field : {"manualSelector", "suspend"}) {
    if (!spec.contains(field)) spec[field] = false;
  }
  if (!spec.contains("backoffLimit")) spec["backoffLimit"] = spec.contains("backoffLimitPerIndex") ? 2147483647 : 6;
  if (string_at(spec, "podReplacementPolicy").empty()) spec["podReplacementPolicy"] = spec.contains("podFailurePolicy") ? "Failed" : "TerminatingOrFailed";
}

// The selector and the labels by which a job finds its pods and nobody else's.
void make_selector(json& tree) {
  json& spec = tree["spec"];
  const std::string uid = string_at(object_at(tree, "metadata"), "uid");
  if (true_at(spec, "manualSelector") || spec.contains("selector") || uid.empty()) return;
  const std::string name = string_at(object_at(tree, "metadata"), "name");
  json& pod = spec["template"];
  if (!pod.is_object()) return;
  json& labels = pod["metadata"]["labels"];
  if (!labels.is_object()) labels = json::object();
  for (const char* label : kJobLabels) labels[label] = std::string_view(label).ends_with("uid") ? uid : name;
  spec["selector"] = {{"matchLabels", {{kJobLabels[0], uid}}}};
}

void require_minimum(const json& spec, const char* field, const std::string& path, Causes& causes) {
  if (spec.contains(field) && integer_at(spec, field) < 0) causes.push_back(cause_invalid(path + "." + field, spec[field], "must be greater than or equal to 0"));
}

void check_restart(const json& spec, const std::string& path, Causes& causes) {
  const std::string restart = string_at(object_at(object_at(spec, "template"), "spec"), "restartPolicy");
  const std::string field = path + ".template.spec.restartPolicy";
  if (restart.empty() || restart == "Always") {
    causes.push_back(cause_required(field, "valid values: \"OnFailure\", \"Never\""));
  } else if (spec.contains("podFailurePolicy") && restart != "Never") {
    causes.push_back(cause_invalid(field, restart, "only \"Never\" is supported when podFailurePolicy is specified"));
  }
}

void check_indexed(const json& spec, const std::string& path, Causes& causes) {
  const bool indexed = string_at(spec, "completionMode") == "Indexed";
  if (indexed) {
    if (!spec.contains("completions")) causes.push_back(cause_required(path + ".completions", "when completion mode is Indexed"));
    if (integer_at(spec, "parallelism") > kMaxParallelIndexed) {
      causes.push_back(cause_invalid(path + ".parallelism", spec["parallelism"], "must be less than or equal to 100000 when completion mode is Indexed"));
    }
  }
  if (spec.contains("backoffLimitPerIndex") && !indexed) {
    causes.push_back(cause_invalid(path + ".backoffLimitPerIndex", spec["backoffLimitPerIndex"], "requires indexed completion mode"));
  }
  if (!spec.contains("maxFailedIndexes")) return;
  if (!spec.contains("backoffLimitPerIndex")) causes.push_back(cause_required(path + ".backoffLimitPerIndex", "when maxFailedIndexes is specified"));
  if (integer_at(spec, "maxFailedIndexes") > integer_at(spec, "completions")) {
    causes.push_back(cause_invalid(path + ".maxFailedIndexes", spec["maxFailedIndexes"], "must be less than or equal to completions"));
  }
}

void check_exit_codes(const json& on, const json& spec, const std::string& path, Causes& causes) {
  const json& values = array_at(on, "values");
  if (string_at(on, "operator") == "In" && std::find(values.begin(), values.end(), 0) != values.end()) {
    const size_t at = static_cast<size_t>(std::find(values.begin(), values.end(), 0) - values.begin());
    causes.push_back(cause_invalid(path + ".values[" + std::to_string(at) + "]", 0, "must not be 0 for the In operator"));
  }
  if (values.empty()) causes.push_back(cause_invalid(path + ".values", values, "at least one value is required"));
  if (values.size() > kMaxExitCodes) causes.push_back({"FieldValueTooMany", "Too many: " + std::to_string(values.size()) + ": must have at most 255 items", path + ".values"});
  if (!std::is_sorted(values.begin(), values.end())) causes.push_back(cause_invalid(path + ".values", values, "must be ordered"));
  for (size_t i = 1; i < values.size(); ++i) {
    if (values[i] == values[i - 1]) causes.push_back(cause_duplicate(path + ".values[" + std::to_string(i) + "]", values[i]));
  }
  const std::string name = string_at(on, "containerName");
  if (name.empty()) return;
  const json& pod_spec = object_at(object_at(spec, "template"), "spec");
  for (const char* list : {"containers", "initContainers"}) {
    for (const json& container : array_at(pod_spec, list)) {
      if (string_at(container, "name") == name) return;
    }
  }
  causes.push_back(cause_invalid(path + ".containerName", name, "must be one of the container or initContainer names in the pod template"));
}

void check_failure_policy(const json& spec, const std::string& path, Causes& causes) {
  if (!spec.contains("podFailurePolicy")) return;
  const json& rules = array_at(object_at(spec, "podFailurePolicy"), "rules");
  const std::string list = path + ".podFailurePolicy.rules";
  if (rules.size() > kMaxPolicyRules) causes.push_back({"FieldValueTooMany", "Too many: " + std::to_string(rules.size()) + ": must have at most 20 items", list});
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string at = list + "[" + std::to_string(i) + "]";
    const json& conditions = array_at(rules[i], "onPodConditions");
    const bool codes = rules[i].contains("onExitCodes");
    if (codes && !conditions.empty()) {
      causes.push_back(cause_invalid(at, rules[i], "specifying both OnExitCodes and OnPodConditions is not supported"));
    } else if (!codes && conditions.empty()) {
      causes.push_back(cause_invalid(at, rules[i], "specifying one of OnExitCodes and OnPodConditions is required"));
    }
    if (codes) check_exit_codes(object_at(rules[i], "onExitCodes"), spec, at + ".onExitCodes", causes);
    if (conditions.size() > kMaxPodConditions) causes.push_back({"FieldValueTooMany", "Too many: " + std::to_string(conditions.size()) + ": must have at most 20 items", at + ".onPodConditions"});
    if (string_at(rules[i], "action") == "FailIndex" && !spec.contains("backoffLimitPerIndex")) {
      causes.push_back(cause_invalid(at + ".action", "FailIndex", "requires the backoffLimitPerIndex to be set"));
    }
  }
  const std::string replacement = string_at(spec, "podReplacementPolicy");
  static constexpr std::string_view kFailed[] = {"Failed"};
  if (replacement != "Failed") causes.push_back(cause_not_supported(path + ".podReplacementPolicy", replacement, kFailed));
}

void check_success_policy(const json& spec, const std::string& path, Causes& causes) {
  if (!spec.contains("successPolicy")) return;
  const std::string list = path + ".successPolicy";
  if (string_at(spec, "completionMode") != "Indexed") causes.push_back(cause_invalid(list, spec["successPolicy"], "requires indexed completion mode"));
  const json& rules = array_at(object_at(spec, "successPolicy"), "rules");
  if (rules.empty()) causes.push_back(cause_required(list + ".rules", "at least one rules must be specified when the successPolicy is specified"));
  for (size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].contains("succeededCount") || rules[i].contains("succeededIndexes")) continue;
    causes.push_back(cause_required(list + ".rules[" + std::to_string(i) + "]", "at least one of succeededCount or succeededIndexes must be specified"));
  }
}

void check_job_spec(const json& spec, const std::string& path, Causes& causes) {
  if (!spec.is_object() || !spec.contains("template")) {
    causes.push_back(cause_required(path + ".template"));
    return;
  }
  for (const char* field : {"parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"}) require_minimum(spec, field, path, causes);
  check_indexed(spec, path, causes);
  check_failure_policy(spec, path, causes);
  check_success_policy(spec, path, causes);
  check_pod_template(object_at(spec, "template"), path + ".template", causes);
  check_restart(spec, path, causes);
}

// A job that has not started yet may still be moved to other nodes: what queues of jobs do while it is suspended.
json fixed_template(json pod, bool may_move) {
  if (!may_move || !pod.is_object()) return pod;
  if (pod.contains("spec")) {
    for (const char* field : {"nodeSelector", "tolerations", "affinity", "schedulingGates"}) pod["spec"].erase(field);
  }
  if (pod.contains("metadata")) {
    for (const char* field : {"labels", "annotations"}) pod["metadata"].erase(field);
  }
  return pod;
}

void check_job_update(const json& tree, const json& old, Causes& causes) {
  const json& spec = object_at(tree, "spec");
  const json& before = object_at(old, "spec");
  auto immutable = [&causes](const char* field, const json& value) { causes.push_back(cause_invalid(std::string("spec.") + field, value, "field is immutable")); };
  // Jobs with indexes may grow and shrink, both numbers together.
  const bool elastic = string_at(spec, "completionMode") == "Indexed" && spec.contains("completions") && integer_at(spec, "completions") == integer_at(spec, "parallelism") &&
                       integer_at(before, "completions") == integer_at(before, "parallelism");
  const json completions = spec.value("completions", json());
  if (!elastic && completions != before.value("completions", json())) immutable("completions", completions);
  for (const char* field : {"selector", "completionMode", "backoffLimitPerIndex"}) {
    if (spec.value(field, json()) != before.value(field, json())) immutable(field, spec.value(field, json()));
  }
  const bool may_move = true_at(before, "suspend") && !object_at(old, "status").contains("startTime");
  if (fixed_template(spec.value("template", json()), may_move) != fixed_template(before.value("template", json()), may_move)) immutable("template", object_at(spec, "template"));
}

}  // namespace

void prepare_job(json& tree) {
  prepare_pod_template(tree);
  if (!tree.is_object() || !tree.contains("spec") || !tree["spec"].is_object()) return;
  default_job_spec(tree["spec"]);
  make_selector(tree);
  const json labels = object_at(object_at(object_at(tree["spec"], "template"), "metadata"), "labels");
  if (!labels.empty() && object_at(object_at(tree, "metadata"), "labels").empty()) tree["metadata"]["labels"] = labels;
}

std::vector<base::Cause> validate_job(const json& tree, const json* old) {
  Causes causes;
  if (!tree.is_object() || !tree.contains("spec")) return {cause_required("spec.template")};
  const json& spec = object_at(tree, "spec");
  check_job_spec(spec, "spec", causes);
  if (!spec.contains("selector")) {
    causes.push_back(cause_required("spec.selector"));
  } else {
    check_label_selector(spec["selector"], "spec.selector", causes);
    const json& labels = object_at(object_at(object_at(spec, "template"), "metadata"), "labels");
    if (causes.empty() && !selector_matches(spec["selector"], labels)) {
      causes.push_back(cause_invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
    }
  }
  if (old) check_job_update(tree, *old, causes);
  return causes;
}

void prepare_cronjob(json& tree) {
  if (!tree.is_object() || !object_at(object_at(object_at(tree, "spec"), "jobTemplate"), "spec").size()) return;
  json job = {{"spec", std::move(tree["spec"]["jobTemplate"]["spec"])}};
  prepare_pod_template(job);  // The rest of a job's defaults are the jobs' own.
  tree["spec"]["jobTemplate"]["spec"] = std::move(job["spec"]);
}

std::vector<base::Cause> validate_cronjob(const json& tree, const json*) {
  Causes causes;
  if (!tree.is_object() || !tree.contains("spec")) return {cause_required("spec.schedule"), cause_required("spec.jobTemplate")};
  const json& spec = object_at(tree, "spec");
  const std::string name = string_at(object_at(tree, "metadata"), "name"), schedule = string_at(spec, "schedule");
  if (name.size() > kMaxCronJobName) causes.push_back(cause_invalid("metadata.name", name, "must be no more than 52 characters"));
  if (schedule.find("TZ") != std::string::npos) {
    causes.push_back(cause_invalid("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
  } else if (!schedule.empty()) {
    const auto parsed = base::CronSchedule::parse(schedule);
    if (!parsed.ok()) causes.push_back(cause_invalid("spec.schedule", schedule, parsed.error().message));
  }
  if (spec.contains("timeZone")) {
    const std::string zone = string_at(spec, "timeZone");
    if (zone.empty()) {
      causes.push_back(cause_invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string"));
    } else if (zone == "Local") {
      causes.push_back(cause_invalid("spec.timeZone", zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"));
    } else if (const auto loaded = base::TimeZone::load(zone); !loaded.ok()) {
      causes.push_back(cause_invalid("spec.timeZone", zone, loaded.error().message));
    }
  }
  const json& job = object_at(spec, "jobTemplate");
  if (!job.contains("spec")) {
    causes.push_back(cause_required("spec.jobTemplate.spec.template"));
    return causes;
  }
  check_labels(object_at(object_at(job, "metadata"), "labels"), "spec.jobTemplate.labels", causes);
  check_annotations(object_at(object_at(job, "metadata"), "annotations"), "spec.jobTemplate.annotations", causes);
  check_job_spec(object_at(job, "spec"), "spec.jobTemplate.spec", causes);
  return causes;
}

}  // namespace store
