// StatefulSet, DaemonSet and ControllerRevision.
#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "store/schema/go_struct.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr std::string_view kDaemonStrategies[] = {"RollingUpdate", "OnDelete"};
constexpr std::string_view kClaimPolicies[] = {"Retain", "Delete"};
constexpr GoField kRollingDaemon[] = {{"MaxUnavailable", "maxUnavailable", "0"}, {"MaxSurge", "maxSurge", "0"}};
constexpr GoField kDaemonStrategy[] = {{"Type", "type", "\"\""}, {"RollingUpdate", "rollingUpdate", "null", kRollingDaemon}};
constexpr GoField kRollingStateful[] = {{"Partition", "partition", "0"}, {"MaxUnavailable", "maxUnavailable"}};
constexpr GoField kStatefulStrategy[] = {{"Type", "type", "\"\""}, {"RollingUpdate", "rollingUpdate", "null", kRollingStateful}};

void check_daemon_update(const json& spec, Causes& causes) {
  const json& strategy = object_at(spec, "updateStrategy");
  const std::string type = string_at(strategy, "type"), field = "spec.updateStrategy.rollingUpdate.";
  if (!type.empty() && !is_among(kDaemonStrategies, type)) {
    return causes.push_back(cause_not_supported_go("spec.updateStrategy", go_struct(strategy, kDaemonStrategy), kDaemonStrategies));
  }
  if (type != "RollingUpdate") return;
  const json& rolling = object_at(strategy, "rollingUpdate");
  const json unavailable = rolling.value("maxUnavailable", json(0)), surge = rolling.value("maxSurge", json(0));
  check_share(unavailable, field + "maxUnavailable", causes);
  check_share(surge, field + "maxSurge", causes);
  check_at_most_all(unavailable, field + "maxUnavailable", causes);
  check_at_most_all(surge, field + "maxSurge", causes);
  if (!says_zero(unavailable) && !says_zero(surge)) {
    causes.push_back(cause_invalid(field + "maxSurge", surge, "may not be set when maxUnavailable is non-zero"));
  } else if (says_zero(unavailable) && says_zero(surge)) {
    causes.push_back(cause_required(field + "maxUnavailable", "cannot be 0 when maxSurge is 0"));
  }
}

void check_stateful_update(const json& spec, Causes& causes) {
  const json& strategy = object_at(spec, "updateStrategy");
  const std::string type = string_at(strategy, "type"), field = "spec.updateStrategy.rollingUpdate";
  const json& rolling = object_at(strategy, "rollingUpdate");
  if (type == "OnDelete") {
    if (!has(strategy, "rollingUpdate")) return;
    causes.push_back(cause_invalid_go(field, go_struct(rolling, kRollingStateful), "only allowed for updateStrategy 'RollingUpdate'"));
  } else if (type == "RollingUpdate") {
    check_nonnegative(rolling, "partition", field + ".partition", causes);
  } else if (!type.empty()) {
    causes.push_back(cause_invalid_go("spec.updateStrategy", go_struct(strategy, kStatefulStrategy), "must be 'RollingUpdate' or 'OnDelete'"));
  }
}

// The template as the pods will have it: its volumes are the claims and then its own, and the host's names are the set's to give.
json as_pods_have_it(json spec) {
  json& pod = spec["template"];
  if (!pod.is_object() || !object_at(pod, "spec").size()) return spec;
  for (const char* name : {"hostname", "subdomain"}) pod["spec"].erase(name);
  const json& claims = array_at(spec, "volumeClaimTemplates");
  if (claims.empty()) return spec;
  json volumes = json::array();
  auto is_there = [&volumes](const std::string& name) {
    return std::any_of(volumes.begin(), volumes.end(), [&name](const json& volume) { return string_at(volume, "name") == name; });
  };
  for (const json& claim : claims) {
    const std::string name = string_at(object_at(claim, "metadata"), "name");
    if (!is_there(name)) volumes.push_back({{"name", name}, {"persistentVolumeClaim", {{"claimName", name}}}});
  }
  const json own = array_at(pod["spec"], "volumes");
  for (const json& volume : own) {
    if (!is_there(string_at(volume, "name"))) volumes.push_back(volume);
  }
  pod["spec"]["volumes"] = std::move(volumes);
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

// Bounds of numbers, and what only a new set is asked for.
void check_stateful_fields(const json& spec, bool is_new, Causes& causes) {
  const std::string management = string_at(spec, "podManagementPolicy"), service = string_at(spec, "serviceName");
  if (!management.empty() && management != "OrderedReady" && management != "Parallel") {
    causes.push_back(cause_invalid("spec.podManagementPolicy", management, "must be 'OrderedReady' or 'Parallel'"));
  }
  check_stateful_update(spec, causes);
  const json& retention = object_at(spec, "persistentVolumeClaimRetentionPolicy");
  for (const char* when : {"whenDeleted", "whenScaled"}) check_supported(retention, when, kClaimPolicies, "spec.persistentVolumeClaimRetentionPolicy", causes);
  const json& claims = array_at(spec, "volumeClaimTemplates");
  for (size_t i = 0; is_new && i < claims.size(); ++i) check_claim_spec(object_at(claims[i], "spec"), item("spec", "volumeClaimTemplates", i) + ".spec", causes);
  for (const char* number : {"replicas", "minReadySeconds"}) check_nonnegative(spec, number, std::string("spec.") + number, causes);
  check_nonnegative(object_at(spec, "ordinals"), "start", "spec.ordinals.start", causes);
  if (is_new && !service.empty()) add_problem(causes, "spec.serviceName", service, name_problem(service, NameRule::kDnsLabel));
}

}  // namespace

// A strategy of no type is a rolling update; one that says so keeps its settings as they are.
void prepare_statefulset(json& tree) {
  prepare_pod_template(tree);
  if (!tree.is_object() || !tree.contains("spec") || !tree["spec"].is_object()) return;
  json& spec = tree["spec"];
  json& strategy = spec["updateStrategy"];
  if (!strategy.is_object()) strategy = json::object();
  if (string_at(strategy, "type").empty()) {
    strategy["type"] = "RollingUpdate";
    if (!has(strategy, "rollingUpdate")) strategy["rollingUpdate"] = json::object();
  }
  if (string_at(strategy, "type") == "RollingUpdate" && has(strategy, "rollingUpdate") && strategy["rollingUpdate"].is_object()) {
    strategy["rollingUpdate"].emplace("partition", 0);
    strategy["rollingUpdate"].erase("maxUnavailable");  // Waits for a feature that is off by default.
  }
  if (array_at(spec, "volumeClaimTemplates").empty()) return;
  for (json& claim : spec["volumeClaimTemplates"]) {
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
  const json& spec = object_at(tree, "spec");
  check_stateful_fields(spec, old == nullptr, causes);
  check_selector_and_template(as_pods_have_it(spec), {"statefulset", "StatefulSet", ""}, causes);
  if (old && frozen_part(tree) != frozen_part(*old)) {
    causes.push_back(cause_forbidden("spec",
                                     "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
                                     "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"));
  }
  return causes;
}

// How often the template was changed. Upstream's controllers no longer ask; clients still see it.
constexpr const char* kGeneration = "deprecated.daemonset.template.generation";

void prepare_daemonset(json& tree) {
  prepare_pod_template(tree);
  if (tree.is_object() && tree.contains("spec") && (!tree.contains("metadata") || tree["metadata"].is_object())) {
    json& annotations = tree["metadata"]["annotations"];
    if (!annotations.is_object()) annotations = json::object();
    annotations.emplace(kGeneration, "1");
  }
  if (!tree.is_object() || string_at(object_at(object_at(tree, "spec"), "updateStrategy"), "type") != "RollingUpdate") return;
  json& rolling = tree["spec"]["updateStrategy"]["rollingUpdate"];
  if (!rolling.is_object()) rolling = json::object();
  rolling.emplace("maxSurge", 0);
  rolling.emplace("maxUnavailable", 1);
}

void admit_daemonset(json& tree, const json* old) {
  if (!tree.is_object() || !object_at(object_at(tree, "metadata"), "annotations").contains(kGeneration)) return;
  auto number_of = [](const json& object) {
    const std::string text = string_at(object_at(object_at(object, "metadata"), "annotations"), kGeneration);
    return std::strtol(text.c_str(), nullptr, 10);
  };
  auto pod_of = [](const json& object) { return object_at(object_at(object, "spec"), "template"); };
  const long changes = old ? number_of(*old) + (pod_of(tree) != pod_of(*old)) : number_of(tree);
  tree["metadata"]["annotations"][kGeneration] = std::to_string(std::max(changes, 1L));
}

std::vector<base::Cause> validate_daemonset(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  check_unchanged_selector(spec, old, causes);
  const size_t before = causes.size();
  if (has(spec, "selector")) check_label_selector(object_at(spec, "selector"), "spec.selector", causes);
  if (causes.size() == before) check_template_labels(spec, "spec", causes);
  check_not_everything(spec, "daemonset", causes);
  check_pod_template(object_at(spec, "template"), "spec.template", causes);
  check_restart_always(spec, "DaemonSet", causes);
  check_nonnegative(spec, "minReadySeconds", "spec.minReadySeconds", causes);
  check_daemon_update(spec, causes);
  check_nonnegative(spec, "revisionHistoryLimit", "spec.revisionHistoryLimit", causes);
  return causes;
}

std::vector<base::Cause> validate_controllerrevision(const json& tree, const json* old) {
  Causes causes;
  check_nonnegative(tree, "revision", "revision", causes);
  const json data = tree.is_object() ? tree.value("data", json()) : json();
  if (!old) {
    if (data.is_null()) causes.push_back(cause_required("data", "data is mandatory"));
    else if (!data.is_object()) causes.push_back(cause_required("data", "data must be a valid JSON object"));
  } else if (old->is_object() && old->value("data", json()) != data) {
    causes.push_back(cause_invalid("data", data, "field is immutable"));
  }
  return causes;
}

}  // namespace store
