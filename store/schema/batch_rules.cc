// Job and CronJob.
#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>

#include "store/base/cron.h"
#include "store/base/text.h"
#include "store/object/label_syntax.h"
#include "store/schema/go_struct.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr int64_t kMaxParallelIndexed = 100'000;
constexpr int64_t kManyCompletions = 100'000;
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
  if (!spec.contains("completionMode")) spec["completionMode"] = "NonIndexed";
  for (const char* field : {"manualSelector", "suspend"}) {
    if (!spec.contains(field)) spec[field] = false;
  }
  if (!spec.contains("backoffLimit")) spec["backoffLimit"] = spec.contains("backoffLimitPerIndex") ? 2147483647 : 6;
  if (!spec.contains("podReplacementPolicy")) spec["podReplacementPolicy"] = spec.contains("podFailurePolicy") ? "Failed" : "TerminatingOrFailed";
}

// The selector and the labels by which a job finds its pods and nobody else's. Labels of the user's own stay, and are judged later.
void make_selector(json& tree) {
  json& spec = tree["spec"];
  const std::string uid = string_at(object_at(tree, "metadata"), "uid"), name = string_at(object_at(tree, "metadata"), "name");
  if (true_at(spec, "manualSelector") || uid.empty()) return;
  json& pod = spec["template"];
  if (!pod.is_object()) pod = json::object();
  json& labels = pod["metadata"]["labels"];
  if (!labels.is_object()) labels = json::object();
  for (const char* label : kJobLabels) labels.emplace(label, std::string_view(label).ends_with("uid") ? uid : name);
  spec["selector"]["matchLabels"].emplace(kJobLabels[0], uid);
}

// A job without labels has its pods'.
void label_like_pods(json& tree) {
  const json labels = object_at(object_at(object_at(object_at(tree, "spec"), "template"), "metadata"), "labels");
  const bool named = tree.contains("metadata") && tree["metadata"].is_object();
  if (named && !labels.empty() && object_at(object_at(tree, "metadata"), "labels").empty()) tree["metadata"]["labels"] = labels;
}

constexpr std::string_view kCompletionModes[] = {"NonIndexed", "Indexed"}, kReplacements[] = {"Failed", "TerminatingOrFailed"}, kFailed[] = {"Failed"};
constexpr std::string_view kRestarts[] = {"OnFailure", "Never"};
constexpr GoField kSuccessRule[] = {{"SucceededIndexes", "succeededIndexes"}, {"SucceededCount", "succeededCount"}};
constexpr GoField kExitCodes[] = {{"ContainerName", "containerName"}, {"Operator", "operator", "\"\""}, {"Values", "values"}};
constexpr GoField kPodCondition[] = {{"Type", "type", "\"\""}, {"Status", "status", "\"\""}};
constexpr GoField kFailureRule[] = {{"Action", "action", "\"\""}, {"OnExitCodes", "onExitCodes", "null", kExitCodes}, {"OnPodConditions", "onPodConditions", "null", kPodCondition}};
constexpr GoField kFailurePolicy[] = {{"Rules", "rules", "null", kFailureRule}};
constexpr GoField kSuccessPolicy[] = {{"Rules", "rules", "null", kSuccessRule}};

void check_restart(const json& spec, const std::string& path, Causes& causes) {
  const std::string restart = string_at(object_at(object_at(spec, "template"), "spec"), "restartPolicy");
  const std::string field = path + ".template.spec.restartPolicy";
  if (restart.empty() || restart == "Always") {
    causes.push_back(cause_required(field, "valid values: \"OnFailure\", \"Never\""));
  } else if (!is_among(kRestarts, restart)) {
    causes.push_back(cause_not_supported(field, restart, kRestarts));
  } else if (has(spec, "podFailurePolicy") && restart != "Never") {
    causes.push_back(cause_invalid(field, restart, "only \"Never\" is supported when podFailurePolicy is specified"));
  }
}

void check_numbers(const json& spec, const std::string& path, Causes& causes) {
  constexpr size_t kLongest = 63;
  for (const char* field : {"parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished", "backoffLimitPerIndex", "maxFailedIndexes"}) {
    check_nonnegative(spec, field, path + "." + field, causes);
  }
  if (has(spec, "maxFailedIndexes") && !has(spec, "backoffLimitPerIndex")) {
    causes.push_back(cause_required(path + ".backoffLimitPerIndex", "when maxFailedIndexes is specified"));
  }
  if (!has(spec, "managedBy")) return;
  const std::string manager = string_at(spec, "managedBy"), field = path + ".managedBy";
  const size_t slash = manager.find('/');
  if (manager.empty()) causes.push_back(cause_required(field));
  else if (slash == std::string::npos || slash == 0 || slash + 1 == manager.size()) causes.push_back(cause_invalid(field, manager, "must be a domain-prefixed path (such as \"acme.io/foo\")"));
  else add_problem(causes, field, manager.substr(0, slash), name_problem(manager.substr(0, slash), NameRule::kDnsSubdomain));
  if (manager.size() > kLongest) causes.push_back({"FieldValueTooLong", "Too long: may not be more than 63 bytes", field});
}

void check_indexed(const json& spec, const std::string& path, Causes& causes) {
  const std::string mode = string_at(spec, "completionMode");
  auto at_most = [&](const char* field, int64_t limit, const std::string& when) {
    if (integer_at(spec, field) <= limit) return;
    causes.push_back(cause_invalid(path + "." + field, integer_at(spec, field), "must be less than or equal to " + std::to_string(limit) + when));
  };
  check_supported(spec, "completionMode", kCompletionModes, path, causes);
  if (mode == "Indexed") {
    const bool counted = has(spec, "completions");
    if (!counted) causes.push_back(cause_required(path + ".completions", "when completion mode is Indexed"));
    at_most("parallelism", kMaxParallelIndexed, " when completion mode is Indexed");
    if (counted && has(spec, "maxFailedIndexes") && integer_at(spec, "maxFailedIndexes") > integer_at(spec, "completions")) {
      causes.push_back(cause_invalid(path + ".maxFailedIndexes", spec["maxFailedIndexes"], "must be less than or equal to completions"));
    }
    at_most("maxFailedIndexes", kMaxParallelIndexed, "");
    if (counted && integer_at(spec, "completions") > kManyCompletions && has(spec, "backoffLimitPerIndex")) {
      const std::string when = " when completions are above 100000 and used with backoff limit per index";
      if (!has(spec, "maxFailedIndexes")) causes.push_back(cause_required(path + ".maxFailedIndexes", "must be specified when completions is above 100000"));
      at_most("parallelism", 10'000, when);
      at_most("maxFailedIndexes", 10'000, when);
    }
  }
  if (mode != "NonIndexed" && has(spec, "completionMode")) return;
  for (const char* field : {"backoffLimitPerIndex", "maxFailedIndexes"}) {
    if (has(spec, field)) causes.push_back(cause_invalid(path + "." + field, spec[field], "requires indexed completion mode"));
  }
}

void check_exit_codes(const json& on, const json& spec, const std::string& path, Causes& causes) {
  static constexpr std::string_view kOperators[] = {"In", "NotIn"};
  const json& values = array_at(on, "values");
  const std::string op = string_at(on, "operator");
  if (op.empty()) causes.push_back(cause_required(path + ".operator", "valid values: [\"In\" \"NotIn\"]"));
  else check_supported(on, "operator", kOperators, path, causes);
  if (has(on, "containerName")) {
    const std::string name = string_at(on, "containerName");
    bool known = false;
    each_container_of(object_at(object_at(spec, "template"), "spec"), "", [&](const json& container, const std::string& at) {
      known |= string_at(container, "name") == name && !at.starts_with("ephemeral");
    });
    if (!known) causes.push_back(cause_invalid(path + ".containerName", name, "must be one of the container or initContainer names in the pod template"));
  }
  if (values.empty()) causes.push_back(cause_invalid(path + ".values", has(on, "values") ? values : json(), "at least one value is required"));
  if (values.size() > kMaxExitCodes) causes.push_back({"FieldValueTooMany", "Too many: " + std::to_string(values.size()) + ": must have at most 255 items", path + ".values"});
  std::set<json> seen;
  for (size_t i = 0; i < values.size(); ++i) {
    if (op == "In" && values[i] == 0) causes.push_back(cause_invalid(item(path, "values", i), 0, "must not be 0 for the In operator"));
    if (!seen.insert(values[i]).second) causes.push_back(cause_duplicate(item(path, "values", i), values[i]));
  }
  if (!std::is_sorted(values.begin(), values.end())) causes.push_back(cause_invalid(path + ".values", values, "must be ordered"));
}

void check_pod_conditions(const json& conditions, const std::string& path, Causes& causes) {
  static constexpr std::string_view kStatuses[] = {"False", "True", "Unknown"};
  if (conditions.size() > kMaxPodConditions) causes.push_back({"FieldValueTooMany", "Too many: " + std::to_string(conditions.size()) + ": must have at most 20 items", path});
  for (size_t i = 0; i < conditions.size(); ++i) {
    const std::string here = path + "[" + std::to_string(i) + "]", type = string_at(conditions[i], "type");
    add_problem(causes, here + ".type", type, label_key_problem(type));
    check_supported(conditions[i], "status", kStatuses, here, causes);
  }
}

void check_failure_rule(const json& rule, const json& spec, const std::string& path, Causes& causes) {
  static constexpr std::string_view kActions[] = {"Count", "FailIndex", "FailJob", "Ignore"};
  const std::string action = string_at(rule, "action");
  const json& conditions = array_at(rule, "onPodConditions");
  const bool codes = has(rule, "onExitCodes");
  if (action.empty()) causes.push_back(cause_required(path + ".action", "valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]"));
  else check_supported(rule, "action", kActions, path, causes);
  if (action == "FailIndex" && !has(spec, "backoffLimitPerIndex")) causes.push_back(cause_invalid(path + ".action", action, "requires the backoffLimitPerIndex to be set"));
  if (codes) check_exit_codes(object_at(rule, "onExitCodes"), spec, path + ".onExitCodes", causes);
  check_pod_conditions(conditions, path + ".onPodConditions", causes);
  const char* problem = codes && !conditions.empty()    ? "specifying both OnExitCodes and OnPodConditions is not supported"
                        : !codes && conditions.empty() ? "specifying one of OnExitCodes and OnPodConditions is required"
                                                       : nullptr;
  if (problem) causes.push_back({"FieldValueInvalid", std::string("Invalid value: ") + problem, path});  // Upstream leaves the rule itself out.
}

void check_failure_policy(const json& spec, const std::string& path, Causes& causes) {
  if (!has(spec, "podFailurePolicy")) return;
  const json& rules = array_at(object_at(spec, "podFailurePolicy"), "rules");
  const std::string list = path + ".podFailurePolicy.rules";
  if (rules.size() > kMaxPolicyRules) causes.push_back({"FieldValueTooMany", "Too many: " + std::to_string(rules.size()) + ": must have at most 20 items", list});
  for (size_t i = 0; i < rules.size(); ++i) check_failure_rule(rules[i], spec, list + "[" + std::to_string(i) + "]", causes);
}

// How many indexes "1,3-5" names, all below `completions`, or why that cannot be said.
struct Indexes {
  int64_t count = 0;
  std::string problem;
};

std::optional<int64_t> to_number(std::string_view text) {
  int64_t value = 0;
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return text.empty() || error != std::errc() || end != text.data() + text.size() ? std::nullopt : std::optional(value);
}

Indexes parse_indexes(std::string_view text, int64_t completions) {
  Indexes out;
  std::optional<int64_t> last;
  auto fail = [](const std::string& problem) { return Indexes{0, problem}; };
  auto non_increasing = [&](int64_t before, int64_t now) {
    return fail("non-increasing order, previous: " + std::to_string(before) + ", current: " + std::to_string(now));
  };
  while (!text.empty()) {
    const std::string_view interval = text.substr(0, text.find(','));
    std::vector<int64_t> ends;
    for (std::string_view rest = interval;;) {
      const size_t dash = rest.find('-');
      if (ends.size() == 2 || std::count(interval.begin(), interval.end(), '-') > 1) {
        return fail("the fragment " + go_quoted(interval) + " violates the requirement that an index interval can have at most two parts separated by '-'");
      }
      const std::string_view part = rest.substr(0, dash);
      const auto number = to_number(part);
      if (!number) return fail("cannot convert string to integer for index: " + go_quoted(part));
      if (*number >= completions) return fail("too large index: " + go_quoted(part));
      ends.push_back(*number);
      if (dash == std::string_view::npos) break;
      rest.remove_prefix(dash + 1);
    }
    if (ends.size() == 2 && ends[0] >= ends[1]) return non_increasing(ends[0], ends[1]);
    if (last && *last >= ends[0]) return non_increasing(*last, ends[0]);
    out.count += ends.back() - ends[0] + 1;
    last = ends.back();
    if (interval.size() == text.size()) break;
    text.remove_prefix(interval.size() + 1);
    if (text.empty()) return fail("cannot convert string to integer for index: \"\"");
  }
  return out;
}

void check_success_rule(const json& rule, const json& spec, const std::string& path, Causes& causes) {
  const bool counted = has(rule, "succeededCount"), listed = has(rule, "succeededIndexes");
  const int64_t completions = integer_at(spec, "completions"), count = integer_at(rule, "succeededCount");
  if (!counted && !listed) causes.push_back(cause_required(path, "at least one of succeededCount or succeededIndexes must be specified"));
  if (!has(spec, "completions")) return;  // Said already.
  const std::string text = string_at(rule, "succeededIndexes"), field = path + ".succeededCount";
  const Indexes indexes = parse_indexes(text, completions);
  if (!indexes.problem.empty()) causes.push_back(cause_invalid(path + ".succeededIndexes", text, "error parsing succeededIndexes: " + indexes.problem));
  if (!counted) return;
  check_nonnegative(rule, "succeededCount", field, causes);
  auto at_most = [&](int64_t limit, const char* what) {
    if (count > limit) causes.push_back(cause_invalid(field, count, "must be less than or equal to " + std::to_string(limit) + " (the number of " + what + ")"));
  };
  at_most(completions, "specified completions");
  if (listed) at_most(indexes.count, "indexes in the specified succeededIndexes field");
}

void check_success_policy(const json& spec, const std::string& path, Causes& causes) {
  if (!has(spec, "successPolicy")) return;
  const std::string list = path + ".successPolicy";
  const json& policy = object_at(spec, "successPolicy");
  if (string_at(spec, "completionMode") != "Indexed") {
    return causes.push_back(cause_invalid_go(list, go_struct(policy, kSuccessPolicy), "requires indexed completion mode"));
  }
  const json& rules = array_at(policy, "rules");
  if (rules.empty()) causes.push_back(cause_required(list + ".rules", "at least one rules must be specified when the successPolicy is specified"));
  if (rules.size() > kMaxPolicyRules) causes.push_back({"FieldValueTooMany", "Too many: " + std::to_string(rules.size()) + ": must have at most 20 items", list + ".rules"});
  for (size_t i = 0; i < rules.size(); ++i) check_success_rule(rules[i], spec, list + ".rules[" + std::to_string(i) + "]", causes);
}

void check_job_spec(const json& spec, const std::string& path, Causes& causes) {
  check_numbers(spec, path, causes);
  check_indexed(spec, path, causes);
  check_failure_policy(spec, path, causes);
  check_success_policy(spec, path, causes);
  check_supported(spec, "podReplacementPolicy", has(spec, "podFailurePolicy") ? std::span<const std::string_view>(kFailed) : kReplacements, path, causes);
  check_pod_template(object_at(spec, "template"), path + ".template", causes);
  check_restart(spec, path, causes);
}

bool is_true(const json& conditions, const char* type) {
  return std::any_of(conditions.begin(), conditions.end(), [&](const json& c) { return string_at(c, "type") == type && string_at(c, "status") == "True"; });
}

// While a job rests and has no pods, its pods may still be moved to other nodes and be given other amounts: what queues of jobs do.
bool may_move(const json& old) {
  const json& status = object_at(old, "status");
  const bool rests = !has(status, "startTime") || is_true(array_at(status, "conditions"), "Suspended");
  return true_at(object_at(old, "spec"), "suspend") && rests && integer_at(status, "active") == 0;
}

// The template without what may change; `like`: the one that it is compared with.
json fixed_template(json pod, bool movable) {
  if (!movable || !pod.is_object()) return pod;
  if (pod.contains("metadata") && pod["metadata"].is_object()) {
    for (const char* field : {"labels", "annotations"}) pod["metadata"].erase(field);
    if (pod["metadata"].empty()) pod.erase("metadata");
  }
  if (!pod.contains("spec") || !pod["spec"].is_object()) return pod;
  json& spec = pod["spec"];
  for (const char* field : {"nodeSelector", "tolerations", "schedulingGates"}) spec.erase(field);
  if (spec.contains("affinity") && spec["affinity"].is_object()) {
    spec["affinity"].erase("nodeAffinity");
    if (spec["affinity"].empty()) spec.erase("affinity");
  }
  for (const char* list : {"containers", "initContainers"}) {
    if (array_at(spec, list).empty()) continue;
    for (json& container : spec[list]) {
      if (container.is_object()) container.erase("resources");
    }
  }
  return pod;
}

void check_completions(const json& spec, const json& before, Causes& causes) {
  const json now = spec.value("completions", json());
  if (now == before.value("completions", json())) return;
  if (string_at(spec, "completionMode") != "Indexed") {
    causes.push_back(cause_invalid("spec.completions", now, "field is immutable"));
  } else if (!now.is_null() && integer_at(spec, "completions") != integer_at(spec, "parallelism")) {
    causes.push_back(cause_invalid("spec.completions", now, "can only be modified in tandem with spec.parallelism"));
  }
}

void check_job_update(const json& tree, const json& old, Causes& causes) {
  const json &spec = object_at(tree, "spec"), &before = object_at(old, "spec");
  auto fixed = [&](const char* field, std::span<const GoField> fields = {}) {
    const json now = spec.value(field, json());
    if (now == before.value(field, json())) return;
    causes.push_back(cause_invalid_go(std::string("spec.") + field, fields.empty() || now.is_null() ? shown(now) : go_struct(now, fields), "field is immutable"));
  };
  check_completions(spec, before, causes);
  check_unchanged_selector(spec, &old, causes);
  const bool movable = may_move(old);
  if (fixed_template(spec.value("template", json()), movable) != fixed_template(before.value("template", json()), movable)) {
    causes.push_back(cause_invalid(movable ? "spec.template.spec" : "spec.template", object_at(spec, "template"), "field is immutable"));
  }
  fixed("completionMode");
  fixed("podFailurePolicy", kFailurePolicy);
  fixed("backoffLimitPerIndex");
  fixed("managedBy");
  fixed("successPolicy", kSuccessPolicy);
}

// The server's own selector finds the job's pods by labels that must be as it made them.
void check_made_selector(const json& tree, Causes& causes) {
  const json& spec = object_at(tree, "spec");
  if (true_at(spec, "manualSelector") || !has(spec, "selector")) return;
  const json& metadata = object_at(tree, "metadata");
  const json& labels = object_at(object_at(object_at(spec, "template"), "metadata"), "labels");
  for (const char* label : {"controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"}) {
    const std::string wanted = string_at(metadata, std::string_view(label).ends_with("uid") ? "uid" : "name"), field = "spec.template.metadata.labels";
    if (!labels.contains(label)) causes.push_back(cause_required(field + "[" + label + "]", "must be '" + wanted + "'"));
    else if (string_at(labels, label) != wanted) causes.push_back(cause_invalid(field + "[" + label + "]", labels, "must be '" + wanted + "'"));
  }
}

// Pods are named by their index, and so are hosts.
void check_host_names(const json& tree, Causes& causes) {
  const json& spec = object_at(tree, "spec");
  const int64_t completions = integer_at(spec, "completions");
  if (string_at(spec, "completionMode") != "Indexed" || completions <= 0) return;
  const std::string name = string_at(object_at(tree, "metadata"), "name"), longest = name + "-" + std::to_string(completions - 1);
  if (name_problem(longest, NameRule::kDnsLabel).empty()) return;
  causes.push_back(cause_invalid("metadata.name", name, "will not able to create pod with invalid DNS label: " + longest));
}

void check_schedule(const std::string& schedule, bool zone_was_there, const json& spec, Causes& causes) {
  if (schedule.empty()) return causes.push_back(cause_required("spec.schedule"));
  const bool zoned = schedule.find("TZ") != std::string::npos;
  const auto parsed = base::CronSchedule::parse(schedule);
  if (!zoned && !parsed.ok()) causes.push_back(cause_invalid("spec.schedule", schedule, parsed.error().message));
  if (zoned && !zone_was_there) {
    causes.push_back(cause_invalid("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
  } else if (zoned && has(spec, "timeZone")) {
    causes.push_back(cause_invalid("spec.schedule", schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule"));
  }
}

void check_time_zone(const json& spec, Causes& causes) {
  if (!has(spec, "timeZone")) return;
  const std::string zone = string_at(spec, "timeZone");
  if (zone.empty()) return causes.push_back(cause_invalid("spec.timeZone", zone, "timeZone must be nil or non-empty string"));
  if (base::lower(zone) == "local") {
    causes.push_back(cause_invalid("spec.timeZone", zone, "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"));
  } else if (const auto loaded = base::TimeZone::load(zone); !loaded.ok()) {
    causes.push_back(cause_invalid("spec.timeZone", zone, loaded.error().message));
  }
}

}  // namespace

void prepare_job(json& tree) {
  prepare_pod_template(tree);
  if (!tree.is_object() || !tree.contains("spec") || !tree["spec"].is_object()) return;
  default_job_spec(tree["spec"]);
  label_like_pods(tree);
}

void admit_job(json& tree, const json* old) {
  if (old || !tree.is_object() || !tree.contains("spec") || !tree["spec"].is_object()) return;
  make_selector(tree);
  label_like_pods(tree);
}

std::vector<base::Cause> validate_job(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  check_made_selector(tree, causes);
  check_job_spec(spec, "spec", causes);
  if (!has(spec, "selector")) causes.push_back(cause_required("spec.selector"));
  else check_label_selector(spec["selector"], "spec.selector", causes);
  check_template_labels(spec, "spec", causes);
  check_host_names(tree, causes);
  if (old) check_job_update(tree, *old, causes);
  return causes;
}

void prepare_cronjob(json& tree) {
  if (!tree.is_object() || !object_at(object_at(object_at(tree, "spec"), "jobTemplate"), "spec").size()) return;
  json job = {{"spec", std::move(tree["spec"]["jobTemplate"]["spec"])}};
  prepare_pod_template(job);  // The rest of a job's defaults are the jobs' own.
  tree["spec"]["jobTemplate"]["spec"] = std::move(job["spec"]);
}

std::vector<base::Cause> validate_cronjob(const json& tree, const json* old) {
  static constexpr std::string_view kConcurrency[] = {"Allow", "Forbid", "Replace"}, kUnset[] = {"nil", "false"};
  Causes causes;
  const json &spec = object_at(tree, "spec"), &before = old ? object_at(*old, "spec") : spec;
  const bool zone_was_there = old && string_at(before, "schedule").find("TZ") != std::string::npos;
  check_schedule(string_at(spec, "schedule"), zone_was_there, spec, causes);
  check_nonnegative(spec, "startingDeadlineSeconds", "spec.startingDeadlineSeconds", causes);
  if (!old || spec.value("timeZone", json()) != before.value("timeZone", json())) check_time_zone(spec, causes);
  check_supported(spec, "concurrencyPolicy", kConcurrency, "spec", causes);
  const json& job = object_at(object_at(spec, "jobTemplate"), "spec");
  const std::string path = "spec.jobTemplate.spec";
  check_job_spec(job, path, causes);
  if (has(job, "selector")) causes.push_back(cause_invalid(path + ".selector", job["selector"], "`selector` will be auto-generated"));
  if (true_at(job, "manualSelector")) causes.push_back(cause_not_supported(path + ".manualSelector", true, kUnset));
  for (const char* field : {"successfulJobsHistoryLimit", "failedJobsHistoryLimit"}) check_nonnegative(spec, field, std::string("spec.") + field, causes);
  const std::string name = string_at(object_at(tree, "metadata"), "name");
  if (!old && name.size() > kMaxCronJobName) causes.push_back(cause_invalid("metadata.name", name, "must be no more than 52 characters"));
  return causes;
}

}  // namespace store
