// Deployment and ReplicaSet; what all kinds with a selector and a template share.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "store/schema/go_struct.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr GoField kRollingDeployment[] = {{"MaxUnavailable", "maxUnavailable", "0"}, {"MaxSurge", "maxSurge", "0"}};
constexpr GoField kDeploymentStrategy[] = {{"Type", "type", "\"\""}, {"RollingUpdate", "rollingUpdate", "null", kRollingDeployment}};

void check_strategy(const json& spec, Causes& causes) {
  static constexpr std::string_view kTypes[] = {"Recreate", "RollingUpdate"};
  const json& strategy = object_at(spec, "strategy");
  const std::string type = string_at(strategy, "type"), field = "spec.strategy.rollingUpdate.";
  if (type.empty()) return;
  if (!is_among(kTypes, type)) return causes.push_back(cause_not_supported_go("spec.strategy", go_struct(strategy, kDeploymentStrategy), kTypes));
  if (type == "Recreate") {
    if (has(strategy, "rollingUpdate")) causes.push_back(cause_forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"));
    return;
  }
  const json& rolling = object_at(strategy, "rollingUpdate");
  const json unavailable = rolling.value("maxUnavailable", json(0)), surge = rolling.value("maxSurge", json(0));
  check_share(unavailable, field + "maxUnavailable", causes);
  check_share(surge, field + "maxSurge", causes);
  if (says_zero(unavailable) && says_zero(surge)) causes.push_back(cause_invalid(field + "maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"));
  check_at_most_all(unavailable, field + "maxUnavailable", causes);
}

std::string expression_text(const json& expression) {
  const json& values = array_at(expression, "values");
  std::string out = "{\"key\":" + shown(string_at(expression, "key")) + ",\"operator\":" + shown(string_at(expression, "operator"));
  return out + (values.empty() ? "" : ",\"values\":" + shown(values)) + "}";
}

// As Go prints a LabelSelector.
std::string selector_text(const json& selector) {
  const json &labels = object_at(selector, "matchLabels"), &expressions = array_at(selector, "matchExpressions");
  std::string out = labels.empty() ? "" : "\"matchLabels\":" + shown(labels), list;
  for (const json& expression : expressions) list.append(list.empty() ? "" : ",").append(expression_text(expression));
  if (!list.empty()) out.append(out.empty() ? "" : ",").append("\"matchExpressions\":[").append(list).append("]");
  return "{" + out + "}";
}

}  // namespace

bool selects_all(const json& selector) { return object_at(selector, "matchLabels").empty() && array_at(selector, "matchExpressions").empty(); }

void check_not_everything(const json& spec, const char* kind, Causes& causes) {
  const json& selector = object_at(spec, "selector");
  if (!has(spec, "selector") || !selects_all(selector)) return;
  causes.push_back(cause_invalid_go("spec.selector", selector_text(selector), std::string("empty selector is invalid for ") + kind));
}

// Go prints a map that nobody made as null.
void check_template_labels(const json& spec, const std::string& path, Causes& causes) {
  const json& labels = object_at(object_at(object_at(spec, "template"), "metadata"), "labels");
  const bool matches = has(spec, "selector") && selector_matches(object_at(spec, "selector"), labels);
  if (!matches) causes.push_back(cause_invalid(path + ".template.metadata.labels", labels.empty() ? json() : labels, "`selector` does not match template `labels`"));
}

void check_restart_always(const json& spec, const char* title, Causes& causes) {
  static constexpr std::string_view kAlways[] = {"Always"};
  const json& pod_spec = object_at(object_at(spec, "template"), "spec");
  if (const std::string restart = string_at(pod_spec, "restartPolicy"); !restart.empty() && restart != "Always") {
    causes.push_back(cause_not_supported("spec.template.spec.restartPolicy", restart, kAlways));
  }
  if (!has(pod_spec, "activeDeadlineSeconds")) return;
  causes.push_back(cause_forbidden("spec.template.spec.activeDeadlineSeconds", std::string("activeDeadlineSeconds in ") + title + " is not Supported"));
}

void check_selector_and_template(const json& spec, const SelectorWords& words, Causes& causes) {
  if (!has(spec, "selector")) {
    causes.push_back(cause_required("spec.selector"));
  } else {
    const size_t before = causes.size();
    check_label_selector(object_at(spec, "selector"), "spec.selector", causes);
    const bool good = causes.size() == before;
    check_not_everything(spec, words.kind, causes);
    if (!good) {
      base::Cause again = cause_invalid_go("spec.selector", selector_text(spec["selector"]), words.bad_selector);
      if (!*words.bad_selector) again.message.resize(again.message.size() - 2);  // Upstream has nothing to add.
      causes.push_back(std::move(again));
      return;
    }
  }
  if (!has(spec, "selector") || !selects_all(spec["selector"])) check_template_labels(spec, "spec", causes);
  check_pod_template(object_at(spec, "template"), "spec.template", causes);
  check_restart_always(spec, words.title, causes);
}

void check_pod_template(const json& pod, const std::string& path, Causes& causes) {
  const json& metadata = object_at(pod, "metadata");
  check_labels(object_at(metadata, "labels"), path + ".labels", causes);
  check_annotations(object_at(metadata, "annotations"), path + ".annotations", causes);
  const json& spec = object_at(pod, "spec");
  check_pod_annotations(object_at(metadata, "annotations"), spec, path + ".annotations", causes);
  check_pod_spec(spec, path + ".spec", causes);
  if (!array_at(spec, "ephemeralContainers").empty()) {
    causes.push_back(cause_forbidden(path + ".spec.ephemeralContainers", "ephemeral containers not allowed in pod template"));
  }
}

std::optional<int64_t> percent_of(const json& value) {
  if (!value.is_string()) return std::nullopt;
  const std::string& text = value.get_ref<const std::string&>();
  if (text.size() < 2 || text.size() > 9 || text.back() != '%') return std::nullopt;
  if (!std::all_of(text.begin(), text.end() - 1, [](unsigned char c) { return std::isdigit(c); })) return std::nullopt;
  return std::strtol(text.c_str(), nullptr, 10);
}

bool says_zero(const json& value) { return value.is_null() || (value.is_string() ? percent_of(value).value_or(0) == 0 : value == 0); }

void check_share(const json& value, const std::string& field, Causes& causes) {
  if (value.is_null()) return;
  if (value.is_number_integer()) {
    if (value.get<int64_t>() < 0) causes.push_back(cause_invalid(field, value, "must be greater than or equal to 0"));
  } else if (!percent_of(value)) {
    causes.push_back(cause_invalid(field, value,
                                   "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex "
                                   "used for validation is '[0-9]+%')"));
  }
}

void check_at_most_all(const json& value, const std::string& field, Causes& causes) {
  if (percent_of(value).value_or(0) > 100) causes.push_back(cause_invalid(field, value, "must not be greater than 100%"));
}

int64_t integer_at(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_number_integer() ? at->get<int64_t>() : 0;
}

void prepare_deployment(json& tree) {
  prepare_pod_template(tree);
  if (!tree.is_object() || string_at(object_at(object_at(tree, "spec"), "strategy"), "type") != "RollingUpdate") return;
  json& strategy = tree["spec"]["strategy"];
  if (!object_at(strategy, "rollingUpdate").size()) strategy["rollingUpdate"] = json::object();
  for (const char* field : {"maxSurge", "maxUnavailable"}) {
    if (!strategy["rollingUpdate"].contains(field)) strategy["rollingUpdate"][field] = "25%";
  }
}

void check_unchanged_selector(const json& spec, const json* old, Causes& causes) {
  if (!old) return;
  const json& before = object_at(*old, "spec");
  const json now = spec.value("selector", json()), then = before.value("selector", json());
  if (now == then) return;
  causes.push_back(now.is_null() ? cause_invalid("spec.selector", now, "field is immutable")
                                 : cause_invalid_go("spec.selector", selector_text(now), "field is immutable"));
}

std::vector<base::Cause> validate_deployment(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  check_nonnegative(spec, "replicas", "spec.replicas", causes);
  check_selector_and_template(spec, {"deployment", "ReplicaSet", "invalid label selector"}, causes);
  check_strategy(spec, causes);
  for (const char* number : {"minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds"}) check_nonnegative(spec, number, std::string("spec.") + number, causes);
  if (has(spec, "progressDeadlineSeconds") && integer_at(spec, "progressDeadlineSeconds") <= integer_at(spec, "minReadySeconds")) {
    causes.push_back(cause_invalid("spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"], "must be greater than minReadySeconds"));
  }
  check_unchanged_selector(spec, old, causes);
  return causes;
}

std::vector<base::Cause> validate_replicaset(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  for (const char* number : {"replicas", "minReadySeconds"}) check_nonnegative(spec, number, std::string("spec.") + number, causes);
  check_selector_and_template(spec, {"deployment", "ReplicaSet", "invalid label selector"}, causes);
  check_unchanged_selector(spec, old, causes);
  return causes;
}

}  // namespace store
