// HorizontalPodAutoscaler, as autoscaling/v2 has it.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/schema/rules.h"

namespace store {
namespace {

constexpr int64_t kMaxPeriodSeconds = 1800;
constexpr int64_t kMaxWindowSeconds = 3600;

struct MetricSourceRow {
  const char* field;
  const char* type;
};
// In the order in which upstream looks at them.
constexpr MetricSourceRow kMetricSources[] = {
    {"object", "Object"}, {"external", "External"}, {"pods", "Pods"}, {"resource", "Resource"}, {"containerResource", "ContainerResource"},
};
constexpr std::string_view kMetricTypes[] = {"ContainerResource", "External", "Object", "Pods", "Resource"};

enum class CoreGroup { kAllowed, kRefused };
enum class VersionCheck { kYes, kNo };

int64_t number_at(const json& object, const char* key) { return has(object, key) && object[key].is_number_integer() ? object[key].get<int64_t>() : 0; }
bool positive(const json& quantity) { return quantity_nanos(quantity).value_or(0) > 0; }

std::string version_problem(const std::string& version, CoreGroup core) {
  const auto slashes = std::count(version.begin(), version.end(), '/');
  if (slashes > 1) return "unexpected GroupVersion string: " + version;
  const bool has_group = slashes == 1 && version.front() != '/';
  return has_group || core == CoreGroup::kAllowed ? "" : "apiVersion must specify API group";
}

void check_reference(const json& reference, CoreGroup core, VersionCheck check, const std::string& path, Causes& causes) {
  for (const char* key : {"kind", "name"}) {
    const std::string value = string_at(reference, key), field = path + "." + key;
    if (value.empty()) causes.push_back(cause_required(field));
    else add_problem(causes, field, value, name_problem(value, NameRule::kPathSegment));
  }
  const std::string version = string_at(reference, "apiVersion");
  if (check == VersionCheck::kYes) add_problem(causes, path + ".apiVersion", version, version_problem(version, core));
}

void check_metric_name(const json& source, const std::string& path, Causes& causes) {
  const json& metric = object_at(source, "metric");
  const std::string name = string_at(metric, "name");
  if (name.empty()) causes.push_back(cause_required(path + ".metric.name", "must specify a metric name"));
  else add_problem(causes, path + ".metric.name", name, name_problem(name, NameRule::kPathSegment));
}

void check_target(const json& source, const std::string& path, Causes& causes) {
  static constexpr std::string_view kTargets[] = {"AverageValue", "Utilization", "Value"};
  const json& target = object_at(source, "target");
  const std::string type = string_at(target, "type"), here = path + ".target";
  if (type.empty()) causes.push_back(cause_required(here + ".type", "must specify a metric target type"));
  if (std::find(std::begin(kTargets), std::end(kTargets), type) == std::end(kTargets)) {
    causes.push_back(cause_invalid(here + ".type", type, "must be either Utilization, Value, or AverageValue"));
  }
  for (const char* key : {"value", "averageValue"}) {
    if (has(target, key) && !positive(target[key])) causes.push_back(cause_invalid(here + "." + key, target[key], "must be positive"));
  }
  if (has(target, "averageUtilization") && number_at(target, "averageUtilization") < 1) {
    causes.push_back(cause_invalid(here + ".averageUtilization", target["averageUtilization"], "must be greater than 0"));
  }
}

void check_resource_target(const json& source, const std::string& path, Causes& causes) {
  const json& target = object_at(source, "target");
  const bool share = has(target, "averageUtilization"), value = has(target, "averageValue");
  if (!share && !value) causes.push_back(cause_required(path + ".target.averageUtilization", "must set either a target raw value or a target utilization"));
  if (share && value) causes.push_back(cause_forbidden(path + ".target.averageValue", "may not set both a target raw value and a target utilization"));
}

void check_metric_source(const std::string& kind, const json& source, const std::string& path, Causes& causes) {
  const json& target = object_at(source, "target");
  if (kind == "containerResource" || kind == "resource") {
    const std::string name = string_at(source, "name"), container = string_at(source, "container");
    if (name.empty()) causes.push_back(cause_required(path + ".name", "must specify a resource name"));
    if (kind == "containerResource") {
      if (!name.empty()) check_resource_name(name, NamedIn::kContainer, path + ".name", causes);
      if (container.empty()) causes.push_back(cause_required(path + ".container", "must specify a container"));
      else add_problem(causes, path + ".container", container, name_problem(container, NameRule::kDnsLabel));
    }
    check_target(source, path, causes);
    check_resource_target(source, path, causes);
    return;
  }
  if (kind == "object") check_reference(object_at(source, "describedObject"), CoreGroup::kAllowed, VersionCheck::kYes, path + ".describedObject", causes);
  check_metric_name(source, path, causes);
  check_target(source, path, causes);
  const bool value = has(target, "value"), average = has(target, "averageValue");
  const std::string average_field = path + ".target.averageValue";
  if (kind == "pods" && !average) causes.push_back(cause_required(average_field, "must specify a positive target averageValue"));
  if (kind == "object" && !value && !average) causes.push_back(cause_required(average_field, "must set either a target value or averageValue"));
  if (kind != "external") return;
  if (!value && !average) causes.push_back(cause_required(average_field, "must set either a target value for metric or a per-pod target"));
  if (value && average) causes.push_back(cause_forbidden(path + ".target.value", "may not set both a target value for metric and a per-pod target"));
}

void check_metric(const json& metric, const std::string& path, Causes& causes) {
  const std::string type = string_at(metric, "type");
  if (type.empty()) causes.push_back(cause_required(path + ".type", "must specify a metric source type"));
  if (std::find(std::begin(kMetricTypes), std::end(kMetricTypes), type) == std::end(kMetricTypes)) causes.push_back(cause_not_supported(path + ".type", type, kMetricTypes));
  std::set<std::string> present;
  std::string expected;
  for (const MetricSourceRow& row : kMetricSources) {
    if (type == row.type) expected = row.field;
    if (!has(metric, row.field)) continue;
    present.insert(row.field);
    if (present.size() == 1) check_metric_source(row.field, metric[row.field], path + "." + row.field, causes);
  }
  if (expected.empty()) causes.push_back(cause_not_supported(path + ".type", type, kMetricTypes));  // Upstream says so twice.
  else if (!has(metric, expected.c_str())) causes.push_back(cause_required(path + "." + expected, "must populate information for the given metric source"));
  if (present.size() == 1) return;
  present.erase(expected);
  for (const std::string& other : present) causes.push_back(cause_forbidden(path + "." + other, "must populate the given metric source only"));
}

void check_policy(const json& policy, const std::string& path, Causes& causes) {
  static constexpr std::string_view kPolicies[] = {"Percent", "Pods"};
  const std::string type = string_at(policy, "type");
  if (type != "Pods" && type != "Percent") causes.push_back(cause_not_supported(path + ".type", type, kPolicies));
  if (number_at(policy, "value") <= 0) causes.push_back(cause_invalid(path + ".value", number_at(policy, "value"), "must be greater than zero"));
  const int64_t period = number_at(policy, "periodSeconds");
  if (period <= 0) causes.push_back(cause_invalid(path + ".periodSeconds", period, "must be greater than zero"));
  if (period > kMaxPeriodSeconds) {
    causes.push_back(cause_invalid(path + ".periodSeconds", period, "must be less than or equal to " + std::to_string(kMaxPeriodSeconds)));
  }
}

void check_scaling_rules(const json& rules, const std::string& path, Causes& causes) {
  static constexpr std::string_view kSelect[] = {"Disabled", "Max", "Min"};
  if (has(rules, "stabilizationWindowSeconds")) {
    if (number_at(rules, "stabilizationWindowSeconds") < 0) {
      causes.push_back(cause_invalid(path + ".stabilizationWindowSeconds", rules["stabilizationWindowSeconds"], "must be greater than or equal to zero"));
    }
    if (number_at(rules, "stabilizationWindowSeconds") > kMaxWindowSeconds) {
      causes.push_back(cause_invalid(path + ".stabilizationWindowSeconds", rules["stabilizationWindowSeconds"],
                                     "must be less than or equal to " + std::to_string(kMaxWindowSeconds)));
    }
  }
  const std::string select = string_at(rules, "selectPolicy");
  if (has(rules, "selectPolicy") && std::find(std::begin(kSelect), std::end(kSelect), select) == std::end(kSelect)) {
    causes.push_back(cause_not_supported(path + ".selectPolicy", select, kSelect));
  }
  const json& policies = array_at(rules, "policies");
  if (policies.empty()) causes.push_back(cause_required(path + ".policies", "must specify at least one Policy"));
  for (size_t i = 0; i < policies.size(); ++i) check_policy(policies[i], item(path, "policies", i), causes);
  if (has(rules, "tolerance") && quantity_nanos(rules["tolerance"]).value_or(0) < 0) {
    causes.push_back(cause_invalid(path + ".tolerance", rules["tolerance"], "must be greater than or equal to 0"));
  }
}

json policy_of(const char* type, int value, int seconds) { return {{"type", type}, {"value", value}, {"periodSeconds", seconds}}; }

void fill_rules(json& behavior, const char* direction, const json& defaults) {
  json& rules = behavior[direction];
  if (!rules.is_object()) rules = json::object();
  for (const auto& [key, value] : defaults.items()) {
    if (!rules.contains(key) || (key == "policies" && rules[key].empty())) rules[key] = value;
  }
}

}  // namespace

void prepare_autoscaler(json& tree) {
  if (!tree.is_object() || !tree.contains("spec") || !tree["spec"].is_object()) return;
  json& spec = tree["spec"];
  if (array_at(spec, "metrics").empty()) {
    spec["metrics"] = json::array(
        {{{"type", "Resource"}, {"resource", {{"name", "cpu"}, {"target", {{"type", "Utilization"}, {"averageUtilization", 80}}}}}}});
  }
  if (!spec.contains("behavior") || !spec["behavior"].is_object()) return;
  fill_rules(spec["behavior"], "scaleUp",
             {{"stabilizationWindowSeconds", 0}, {"selectPolicy", "Max"}, {"policies", json::array({policy_of("Pods", 4, 15), policy_of("Percent", 100, 15)})}});
  json down = {{"selectPolicy", "Max"}, {"policies", json::array({policy_of("Percent", 100, 15)})}};
  fill_rules(spec["behavior"], "scaleDown", down);
}

std::vector<base::Cause> validate_autoscaler(const json& tree, const json* old) {
  Causes causes;
  const json &spec = object_at(tree, "spec"), &target = object_at(spec, "scaleTargetRef");
  const int64_t most = number_at(spec, "maxReplicas"), least = number_at(spec, "minReplicas");
  const bool bounded = has(spec, "minReplicas");
  const json* before = old ? &object_at(*old, "spec") : nullptr;
  const int64_t lowest = before && has(*before, "minReplicas") && number_at(*before, "minReplicas") == 0 ? 0 : 1;
  if (bounded && least < lowest) causes.push_back(cause_invalid("spec.minReplicas", least, "must be greater than or equal to " + std::to_string(lowest)));
  if (most == 0) causes.push_back(cause_required("spec.maxReplicas", "must be set and greater than 0"));
  if (most < 0) causes.push_back(cause_invalid("spec.maxReplicas", most, "must be greater than or equal to 1"));
  if (bounded && most < least) causes.push_back(cause_invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"));
  const json& target_before = before ? object_at(*before, "scaleTargetRef") : target;
  const bool same = before && string_at(target, "kind") == string_at(target_before, "kind") && string_at(target, "apiVersion") == string_at(target_before, "apiVersion");
  const CoreGroup core = string_at(target, "kind") == "ReplicationController" ? CoreGroup::kAllowed : CoreGroup::kRefused;
  check_reference(target, core, same ? VersionCheck::kNo : VersionCheck::kYes, "spec.scaleTargetRef", causes);
  const json& metrics = array_at(spec, "metrics");
  for (size_t i = 0; i < metrics.size(); ++i) check_metric(metrics[i], item("spec", "metrics", i), causes);
  const bool from_zero = std::any_of(metrics.begin(), metrics.end(), [](const json& m) { return string_at(m, "type") == "Object" || string_at(m, "type") == "External"; });
  if (bounded && least == 0 && !from_zero) {
    causes.push_back(cause_forbidden("spec.metrics", "must specify at least one Object or External metric to support scaling to zero replicas"));
  }
  const json& behavior = object_at(spec, "behavior");
  for (const char* direction : {"scaleUp", "scaleDown"}) {
    if (has(behavior, direction)) check_scaling_rules(behavior[direction], std::string("spec.behavior.") + direction, causes);
  }
  if (!old) return causes;
  for (const char* number : {"currentReplicas", "desiredReplicas"}) check_nonnegative(object_at(tree, "status"), number, std::string("status.") + number, causes);
  return causes;
}

}  // namespace store
