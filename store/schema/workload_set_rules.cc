// StatefulSet, DaemonSet and ControllerRevision.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/schema/rules.h"

namespace store {
namespace {

// The settings of RollingUpdate with what is missing filled in.
void complete_rolling_update(json& tree, const json& defaults) {
  if (!tree.is_object() || string_at(object_at(object_at(tree, "spec"), "updateStrategy"), "type") != "RollingUpdate") return;
  json& strategy = tree["spec"]["updateStrategy"];
  json& rolling = strategy["rollingUpdate"];
  if (!rolling.is_object()) rolling = json::object();
  for (const auto& [field, value] : defaults.items()) rolling.emplace(field, value);
}

bool says_zero(const json& value) { return value.is_null() || value == 0 || percent_of(value) == 0; }

void check_daemon_update(const json& spec, Causes& causes) {
  const json& strategy = object_at(spec, "updateStrategy");
  if (string_at(strategy, "type") != "RollingUpdate") return;
  const json& rolling = object_at(strategy, "rollingUpdate");
  const json unavailable = rolling.value("maxUnavailable", json()), surge = rolling.value("maxSurge", json());
  const std::string field = "spec.updateStrategy.rollingUpdate.";
  check_share(unavailable, field + "maxUnavailable", true, causes);
  check_share(surge, field + "maxSurge", true, causes);
  if (!says_zero(unavailable) && !says_zero(surge)) {
    causes.push_back(cause_invalid(field + "maxSurge", surge, "may not be set when maxUnavailable is non-zero"));
  } else if (says_zero(unavailable) && says_zero(surge)) {
    causes.push_back(cause_required(field + "maxUnavailable", "cannot be 0 when maxSurge is 0"));
  }
}

void check_stateful_update(const json& spec, Causes& causes) {
  const json& strategy = object_at(spec, "updateStrategy");
  const bool rolling = strategy.contains("rollingUpdate");
  if (string_at(strategy, "type") == "OnDelete" && rolling) {
    causes.push_back(cause_invalid("spec.updateStrategy.rollingUpdate", strategy["rollingUpdate"], "only allowed for updateStrategy 'RollingUpdate'"));
  }
  const json& settings = object_at(strategy, "rollingUpdate");
  if (!settings.contains("maxUnavailable")) return;
  const json& unavailable = settings["maxUnavailable"];
  check_share(unavailable, "spec.updateStrategy.rollingUpdate.maxUnavailable", true, causes);
  if (says_zero(unavailable)) causes.push_back(cause_invalid("spec.updateStrategy.rollingUpdate.maxUnavailable", unavailable, "cannot be 0"));
}

// The template with the volumes that claims will be: containers may mount them.
json with_claims(json spec) {
  for (const json& claim : array_at(spec, "volumeClaimTemplates")) {
    json& pod = spec["template"];
    if (!pod.is_object() || !pod.contains("spec") || !pod["spec"].is_object()) return spec;
    json& volumes = pod["spec"]["volumes"];
    if (!volumes.is_array()) volumes = json::array();
    const std::string name = string_at(object_at(claim, "metadata"), "name");
    const bool there = std::any_of(volumes.begin(), volumes.end(), [&name](const json& v) { return string_at(v, "name") == name; });
    if (!there) volumes.push_back({{"name", name}, {"persistentVolumeClaim", {{"claimName", name}}}});
  }
  return spec;
}

// What may differ between two specs of one stateful set; everything else is part of what its pods are.
json frozen_part(const json& tree) {
  json spec = object_at(tree, "spec");
  for (const char* field : {"replicas", "ordinals", "template", "updateStrategy", "persistentVolumeClaimRetentionPolicy", "minReadySeconds", "revisionHistoryLimit"}) {
    spec.erase(field);
  }
  return spec;
}

}  // namespace

void prepare_statefulset(json& tree) {
  prepare_pod_template(tree);
  complete_rolling_update(tree, {{"maxUnavailable", 1}, {"partition", 0}});
  if (!tree.is_object() || array_at(object_at(tree, "spec"), "volumeClaimTemplates").empty()) return;
  for (json& claim : tree["spec"]["volumeClaimTemplates"]) {
    if (!claim.is_object()) continue;
    claim["apiVersion"] = "v1";
    claim["kind"] = "PersistentVolumeClaim";
    json& status = claim["status"];
    if (!status.is_object()) status = json::object();
    status.emplace("phase", "Pending");
  }
}

std::vector<base::Cause> validate_statefulset(const json& tree, const json* old) {
  Causes causes;
  if (!tree.is_object() || !tree.contains("spec")) return {cause_required("spec.selector"), cause_required("spec.template")};
  const json& spec = object_at(tree, "spec");
  check_selector_and_template(with_claims(spec), "statefulset", "StatefulSet", causes);
  check_stateful_update(spec, causes);
  if (old && frozen_part(tree) != frozen_part(*old)) {
    causes.push_back(cause_forbidden("spec",
                                     "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
                                     "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
  }
  return causes;
}

void prepare_daemonset(json& tree) {
  prepare_pod_template(tree);
  complete_rolling_update(tree, {{"maxSurge", 0}, {"maxUnavailable", 1}});
}

std::vector<base::Cause> validate_daemonset(const json& tree, const json*) {
  Causes causes;
  if (!tree.is_object() || !tree.contains("spec")) return {cause_required("spec.selector"), cause_required("spec.template")};
  const json& spec = object_at(tree, "spec");
  check_selector_and_template(spec, "daemonset", "DaemonSet", causes);
  check_daemon_update(spec, causes);
  return causes;
}

std::vector<base::Cause> validate_controllerrevision(const json& tree, const json* old) {
  if (!tree.is_object()) return {};
  if (!tree.contains("data") || tree["data"].is_null()) return {cause_required("data", "data is mandatory")};
  if (old && old->is_object() && old->contains("data") && (*old)["data"] != tree["data"]) return {cause_invalid("data", tree["data"], "field is immutable")};
  return {};
}

}  // namespace store
