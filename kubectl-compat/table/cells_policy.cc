// What limits and steers workloads: autoscalers, disruption budgets, quotas, priorities, network and admission policies.
#include <nlohmann/json.hpp>

#include "kubectl-compat/table/cells.h"
#include "store/object/access.h"

namespace compat {
namespace {

using store::find;
using store::find_key;
using store::get_array;
using store::get_object;
using store::get_string;

constexpr size_t kMetricsShown = 2;

// Numbers and quantities as they are, strings without quotes.
std::string text_of(const json* value, std::string_view fallback) {
  if (value == nullptr || value->is_null()) return std::string(fallback);
  return value->is_string() ? value->get<std::string>() : value->dump();
}

json autoscaler_reference(const CellInput& in) {
  return get_string(in.tree, "spec.scaleTargetRef.kind") + "/" + get_string(in.tree, "spec.scaleTargetRef.name");
}

struct MetricRow {
  std::string_view type;
  const char* field;
};
constexpr MetricRow kMetrics[] = {
    {"External", "external"}, {"Pods", "pods"}, {"Object", "object"}, {"Resource", "resource"}, {"ContainerResource", "containerResource"},
};

// "12%/80%", "cpu: <unknown>/500m", "7/10 (avg)"
std::string format_metric(const json& spec, const json& status) {
  constexpr std::string_view kUnknown = "<unknown>";
  std::string_view type;
  const char* field = nullptr;
  for (const MetricRow& row : kMetrics) {
    if (get_string(spec, "type") == row.type) type = row.type, field = row.field;
  }
  if (field == nullptr) return "<unknown type>";
  const json &target = get_object(get_object(spec, field), "target"), &current = get_object(get_object(status, field), "current");
  const std::string average = text_of(find_key(current, "averageValue"), kUnknown) + "/" + text_of(find_key(target, "averageValue"), "");
  const bool by_average = find_key(target, "averageValue") != nullptr;
  if (type == "Pods") return average;
  if (type == "Resource" || type == "ContainerResource") {
    const std::string name = get_string(get_object(spec, field), "name") + ": ";
    if (by_average) return name + average;
    const json *share = find_key(current, "averageUtilization"), *wanted = find_key(target, "averageUtilization");
    return name + (share == nullptr ? std::string(kUnknown) : text_of(share, "") + "%") + "/" +
           (wanted == nullptr ? "<auto>" : text_of(wanted, "") + "%");
  }
  if (by_average) return average + " (avg)";
  return text_of(find_key(current, "value"), kUnknown) + "/" + text_of(find_key(target, "value"), "");
}

json autoscaler_targets(const CellInput& in) {
  const json &specs = get_array(in.tree, "spec.metrics"), &statuses = get_array(in.tree, "status.currentMetrics");
  if (specs.empty()) return "<none>";
  std::vector<std::string> list;
  for (size_t i = 0; i < specs.size() && i < kMetricsShown; ++i) list.push_back(format_metric(specs[i], i < statuses.size() ? statuses[i] : json()));
  std::string out = join(list, ", ");
  if (specs.size() > kMetricsShown) out += " + " + std::to_string(specs.size() - kMetricsShown) + " more...";
  return out;
}

json autoscaler_min(const CellInput& in) { return text_of(find(in.tree, "spec.minReplicas"), "<unset>"); }
// Upstream calls these columns texts, and puts numbers into them.
json autoscaler_max(const CellInput& in) { return store::get_int(in.tree, "spec.maxReplicas"); }
json autoscaler_replicas(const CellInput& in) { return store::get_int(in.tree, "status.currentReplicas"); }
json budget_min_available(const CellInput& in) { return text_of(find(in.tree, "spec.minAvailable"), "N/A"); }
json budget_max_unavailable(const CellInput& in) { return text_of(find(in.tree, "spec.maxUnavailable"), "N/A"); }

// "cpu: 1/2, pods: 3/10" of the resources that are, or are not, about limits.
std::string quota_text(const json& tree, bool limits) {
  const json& used = get_object(tree, "status.used");
  std::vector<std::string> out;
  for (const auto& [name, hard] : get_object(tree, "status.hard").items()) {
    if (name.starts_with("limits.") == limits) out.push_back(name + ": " + text_of(find_key(used, name), "0") + "/" + text_of(&hard, ""));
  }
  return join(out, ", ");
}
json quota_requests(const CellInput& in) { return quota_text(in.tree, false); }
json quota_limits(const CellInput& in) { return quota_text(in.tree, true); }

json priority_preemption(const CellInput& in) { return get_string(in.tree, "preemptionPolicy", "PreemptLowerPriority"); }
json priority_global(const CellInput& in) { return store::get_bool(in.tree, "globalDefault"); }
json pod_selector(const CellInput& in) { return format_label_selector(find(in.tree, "spec.podSelector")); }
json replication_selector(const CellInput& in) { return format_labels(get_object(in.tree, "spec.selector")); }

json podtemplate_names(const CellInput& in) {
  std::vector<std::string> out;
  for (const json& container : get_array(in.tree, "template.spec.containers")) out.push_back(get_string(container, "name"));
  return join(out, ",");
}
json podtemplate_images(const CellInput& in) {
  std::vector<std::string> out;
  for (const json& container : get_array(in.tree, "template.spec.containers")) out.push_back(get_string(container, "image"));
  return join(out, ",");
}
json podtemplate_labels(const CellInput& in) { return format_labels(get_object(in.tree, "template.metadata.labels")); }

json webhook_count(const CellInput& in) { return get_array(in.tree, "webhooks").size(); }
json validation_count(const CellInput& in) { return get_array(in.tree, "spec.validations").size(); }
json mutation_count(const CellInput& in) { return get_array(in.tree, "spec.mutations").size(); }

json policy_param_kind(const CellInput& in) {
  const std::string version = get_string(in.tree, "spec.paramKind.apiVersion"), kind = get_string(in.tree, "spec.paramKind.kind");
  return kind.empty() ? "<unset>" : version.empty() ? kind : version + "/" + kind;
}

// The one object by name, in its namespace if it has one, or the selector.
json policy_param_ref(const CellInput& in) {
  const json* reference = find(in.tree, "spec.paramRef");
  if (reference == nullptr) return "<unset>";
  const std::string ns = get_string(*reference, "namespace"), name = get_string(*reference, "name");
  if (!name.empty()) return ns.empty() ? "*/" + name : ns + "/" + name;
  const json* selector = find_key(*reference, "selector");
  if (selector != nullptr) return (ns.empty() ? "*/" : ns + "/") + format_label_selector(selector);
  return "<unset>";
}

json component_condition(const json& tree, const char* field, std::string_view fallback) {
  for (const json& condition : get_array(tree, "conditions")) {
    if (get_string(condition, "type") != "Healthy") continue;
    if (std::string_view(field) != "status") return get_string(condition, field);
    return get_string(condition, "status") == "True" ? "Healthy" : "Unhealthy";
  }
  return fallback;
}
json component_status(const CellInput& in) { return component_condition(in.tree, "status", "Unknown"); }
json component_message(const CellInput& in) { return component_condition(in.tree, "message", ""); }
json component_error(const CellInput& in) { return component_condition(in.tree, "error", ""); }

json created_at(const CellInput& in) { return get_string(in.tree, "metadata.creationTimestamp"); }

constexpr CellRow kPolicyCells[] = {
    {"autoscaler_reference", autoscaler_reference},
    {"autoscaler_targets", autoscaler_targets},
    {"autoscaler_min", autoscaler_min},
    {"autoscaler_max", autoscaler_max},
    {"autoscaler_replicas", autoscaler_replicas},
    {"budget_min_available", budget_min_available},
    {"budget_max_unavailable", budget_max_unavailable},
    {"quota_requests", quota_requests},
    {"quota_limits", quota_limits},
    {"priority_preemption", priority_preemption},
    {"priority_global", priority_global},
    {"pod_selector", pod_selector},
    {"replication_selector", replication_selector},
    {"podtemplate_names", podtemplate_names},
    {"podtemplate_images", podtemplate_images},
    {"podtemplate_labels", podtemplate_labels},
    {"webhook_count", webhook_count},
    {"validation_count", validation_count},
    {"mutation_count", mutation_count},
    {"policy_param_kind", policy_param_kind},
    {"policy_param_ref", policy_param_ref},
    {"component_status", component_status},
    {"component_message", component_message},
    {"component_error", component_error},
    {"created_at", created_at},
};

}  // namespace

std::span<const CellRow> policy_cells() { return kPolicyCells; }

}  // namespace compat
