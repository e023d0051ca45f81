// Deployment and ReplicaSet; what all kinds with a selector and a template share.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "store/schema/pod_parts.h"

namespace store {
namespace {

bool is_zero(const json& value) { return value.is_number_integer() ? value == 0 : percent_of(value) == 0; }

void check_strategy(const json& spec, Causes& causes) {
  const json& strategy = object_at(spec, "strategy");
  if (string_at(strategy, "type") == "Recreate" && strategy.contains("rollingUpdate")) {
    causes.push_back(cause_forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'"));
  }
  if (string_at(strategy, "type") != "RollingUpdate") return;
  const json& rolling = object_at(strategy, "rollingUpdate");
  const json unavailable = rolling.value("maxUnavailable", json()), surge = rolling.value("maxSurge", json());
  const std::string field = "spec.strategy.rollingUpdate.";
  check_share(unavailable, field + "maxUnavailable", true, causes);
  check_share(surge, field + "maxSurge", false, causes);
  if (is_zero(unavailable) && is_zero(surge))
    causes.push_back(cause_invalid(field + "maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0"));
}

}  // namespace

// `kind` is the word that upstream's messages use; one of them spells it as `title`.
void check_selector_and_template(const json& spec, const char* kind, const char* title, Causes& causes) {
  const json& selector = object_at(spec, "selector");
  const bool empty = object_at(selector, "matchLabels").empty() && array_at(selector, "matchExpressions").empty();
  const size_t before = causes.size();
  if (spec.is_object() && spec.contains("selector")) {
    check_label_selector(selector, "spec.selector", causes);
    if (empty) causes.push_back(cause_invalid("spec.selector", selector, std::string("empty selector is invalid for ") + kind));
  }
  if (!spec.is_object() || !spec.contains("template")) {
    causes.push_back(cause_required("spec.template"));
    return;
  }
  const json& pod = object_at(spec, "template");
  const json& labels = object_at(object_at(pod, "metadata"), "labels");
  if (!empty && causes.size() == before && !selector_matches(selector, labels)) {
    causes.push_back(cause_invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"));
  }
  check_pod_template(pod, "spec.template", causes);
  static constexpr std::string_view kAlways[] = {"Always"};
  const json& pod_spec = object_at(pod, "spec");
  const std::string restart = string_at(pod_spec, "restartPolicy");
  if (!restart.empty() && restart != "Always") causes.push_back(cause_not_supported("spec.template.spec.restartPolicy", restart, kAlways));
  if (pod_spec.contains("activeDeadlineSeconds")) {
    causes.push_back(cause_forbidden("spec.template.spec.activeDeadlineSeconds", std::string("activeDeadlineSeconds in ") + title + " is not Supported"));
  }
}

void check_pod_template(const json& pod, const std::string& path, Causes& causes) {
  const json& metadata = object_at(pod, "metadata");
  check_labels(object_at(metadata, "labels"), path + ".labels", causes);
  check_annotations(object_at(metadata, "annotations"), path + ".annotations", causes);
  if (!pod.is_object() || !pod.contains("spec")) causes.push_back(cause_required(path + ".spec.containers"));
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

void check_share(const json& value, const std::string& field, bool at_most_all, Causes& causes) {
  if (value.is_null()) return;
  if (value.is_number_integer()) {
    if (value.get<int64_t>() < 0) causes.push_back(cause_invalid(field, value, "must be greater than or equal to 0"));
    return;
  }
  const auto share = percent_of(value);
  if (!share) {
    causes.push_back(cause_invalid(field, value,
                                   "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex "
                                   "used for validation is '[0-9]+%')"));
  } else if (at_most_all && *share > 100) {
    causes.push_back(cause_invalid(field, value, "must not be greater than 100%"));
  }
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

std::vector<base::Cause> validate_deployment(const json& tree, const json*) {
  Causes causes;
  if (!tree.is_object() || !tree.contains("spec")) return {cause_required("spec.selector"), cause_required("spec.template")};
  const json& spec = object_at(tree, "spec");
  check_selector_and_template(spec, "deployment", "ReplicaSet", causes);
  check_strategy(spec, causes);
  if (spec.contains("progressDeadlineSeconds") && integer_at(spec, "progressDeadlineSeconds") <= integer_at(spec, "minReadySeconds")) {
    causes.push_back(
        cause_invalid("spec.progressDeadlineSeconds", spec["progressDeadlineSeconds"], "must be greater than minReadySeconds"));
  }
  return causes;
}

std::vector<base::Cause> validate_replicaset(const json& tree, const json*) {
  Causes causes;
  if (!tree.is_object() || !tree.contains("spec")) return {cause_required("spec.selector"), cause_required("spec.template")};
  const json& spec = object_at(tree, "spec");
  check_selector_and_template(spec, "replicaset", "ReplicaSet", causes);
  return causes;
}

}  // namespace store
