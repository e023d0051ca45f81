// HorizontalPodAutoscaler: autoscaling/v1 knows a target for cpu and nothing else. What v2 has beyond that travels in annotations
// of v1, in the forms that upstream gave them: metrics flat, behaviour with Go's names.
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "store/object/access.h"
#include "store/schema/conversions.h"

namespace store {
namespace {

using ordered = nlohmann::ordered_json;

constexpr const char* kMetrics = "autoscaling.alpha.kubernetes.io/metrics";
constexpr const char* kCurrentMetrics = "autoscaling.alpha.kubernetes.io/current-metrics";
constexpr const char* kConditions = "autoscaling.alpha.kubernetes.io/conditions";
constexpr const char* kBehavior = "autoscaling.alpha.kubernetes.io/behavior";
constexpr const char* kOurs[] = {kMetrics, kCurrentMetrics, kConditions, kBehavior};

constexpr const char* kSpecType = "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec";
constexpr const char* kStatusType = "io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus";

// One field of a metric: its name in v1's flat form, and its path in v2.
struct FlatRow {
  const char* source;
  const char* flat;
  const char* path;
};
constexpr FlatRow kSpecRows[] = {
    {"object", "target", "describedObject"},
    {"object", "metricName", "metric.name"},
    {"object", "targetValue", "target.value"},
    {"object", "selector", "metric.selector"},
    {"object", "averageValue", "target.averageValue"},
    {"pods", "metricName", "metric.name"},
    {"pods", "targetAverageValue", "target.averageValue"},
    {"pods", "selector", "metric.selector"},
    {"resource", "name", "name"},
    {"resource", "targetAverageUtilization", "target.averageUtilization"},
    {"resource", "targetAverageValue", "target.averageValue"},
    {"containerResource", "name", "name"},
    {"containerResource", "targetAverageUtilization", "target.averageUtilization"},
    {"containerResource", "targetAverageValue", "target.averageValue"},
    {"containerResource", "container", "container"},
    {"external", "metricName", "metric.name"},
    {"external", "metricSelector", "metric.selector"},
    {"external", "targetValue", "target.value"},
    {"external", "targetAverageValue", "target.averageValue"},
};
constexpr FlatRow kStatusRows[] = {
    {"object", "target", "describedObject"},
    {"object", "metricName", "metric.name"},
    {"object", "currentValue", "current.value"},
    {"object", "selector", "metric.selector"},
    {"object", "averageValue", "current.averageValue"},
    {"pods", "metricName", "metric.name"},
    {"pods", "currentAverageValue", "current.averageValue"},
    {"pods", "selector", "metric.selector"},
    {"resource", "name", "name"},
    {"resource", "currentAverageUtilization", "current.averageUtilization"},
    {"resource", "currentAverageValue", "current.averageValue"},
    {"containerResource", "name", "name"},
    {"containerResource", "currentAverageUtilization", "current.averageUtilization"},
    {"containerResource", "currentAverageValue", "current.averageValue"},
    {"containerResource", "container", "container"},
    {"external", "metricName", "metric.name"},
    {"external", "metricSelector", "metric.selector"},
    {"external", "currentValue", "current.value"},
    {"external", "currentAverageValue", "current.averageValue"},
};
constexpr const char* kConvertedSources[] = {"object", "pods", "resource", "containerResource", "external"};

// Go writes a struct's fields in their order, and those without omitempty when they are nil, too.
struct GoRow {
  const char* parent;
  std::initializer_list<const char*> fields;
};
const GoRow kGoOrder[] = {
    {"", {"scaleUp", "scaleDown"}},
    {"scaleUp", {"stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance"}},
    {"scaleDown", {"stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance"}},
    {"policies", {"type", "value", "periodSeconds"}},
};

json* part(json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  auto at = object.find(key);
  return at == object.end() || !at->is_object() ? nullptr : &*at;
}

std::string with_first(std::string name, int (*change)(int)) {
  if (!name.empty()) name[0] = static_cast<char>(change(static_cast<unsigned char>(name[0])));
  return name;
}

ordered go_form(const json& value, const std::string& name) {
  if (value.is_array()) {
    ordered out = ordered::array();
    for (const json& item : value) out.push_back(go_form(item, name));
    return out;
  }
  if (!value.is_object()) return ordered::parse(value.dump());
  ordered out = ordered::object();
  for (const GoRow& row : kGoOrder) {
    if (row.parent != name) continue;
    for (const char* field : row.fields) {
      const json* member = find_key(value, field);
      out[with_first(field, std::toupper)] = member ? go_form(*member, field) : ordered();
    }
  }
  return out;
}

json from_go_form(const json& value) {
  if (value.is_array()) {
    json out = json::array();
    for (const json& item : value) out.push_back(from_go_form(item));
    return out;
  }
  if (!value.is_object()) return value;
  json out = json::object();
  for (const auto& [key, member] : value.items()) {
    if (!member.is_null()) out[with_first(key, std::tolower)] = from_go_form(member);
  }
  return out;
}

template <size_t N>
ordered flat_metric(const json& metric, const FlatRow (&rows)[N]) {
  ordered out = {{"type", get_string(metric, "type")}};
  for (const char* source : kConvertedSources) {
    const json* from = find_key(metric, source);
    if (!from || !from->is_object()) continue;
    ordered flat = ordered::object();
    for (const FlatRow& row : rows) {
      if (std::string_view(row.source) != source) continue;
      if (const json* value = find(*from, row.path)) flat[row.flat] = ordered::parse(value->dump());
    }
    out[source] = std::move(flat);
  }
  return out;
}

template <size_t N>
std::string flat_metrics(const std::vector<const json*>& metrics, const FlatRow (&rows)[N]) {
  ordered out = ordered::array();
  for (const json* metric : metrics) out.push_back(flat_metric(*metric, rows));
  return out.dump(-1, ' ', false, ordered::error_handler_t::replace);
}

const char* target_type(const json& target) {
  if (target.contains("averageUtilization")) return "Utilization";
  return target.contains("averageValue") ? "AverageValue" : "Value";
}

template <size_t N>
json nested_metric(const json& flat, const FlatRow (&rows)[N]) {
  json out = {{"type", get_string(flat, "type")}};
  for (const char* source : kConvertedSources) {
    const json* from = find_key(flat, source);
    if (!from || !from->is_object()) continue;
    json nested = json::object();
    for (const FlatRow& row : rows) {
      if (std::string_view(row.source) != source) continue;
      if (const json* value = find_key(*from, row.flat)) set(nested, row.path, *value);
    }
    if (auto target = nested.find("target"); target != nested.end() && target->is_object()) (*target)["type"] = target_type(*target);
    out[source] = std::move(nested);
  }
  return out;
}

// What an annotation holds, when it is JSON and fits the field of v2 that it stands for: anybody may write annotations.
template <class Make>
std::optional<json> from_annotation(const json& tree, const char* name, const char* type_name, const char* field, Make make) {
  const json* text = find_key(get_object(tree, "metadata.annotations"), name);
  const Type* type = find_type(type_name);
  if (!text || !text->is_string() || !type) return std::nullopt;
  json parsed = json::parse(text->get_ref<const std::string&>(), nullptr, false);
  if (parsed.is_discarded()) return std::nullopt;
  json holder = {{field, make(parsed)}};
  drop_nulls(holder, *type);
  if (!check_types(holder, *type, "v2", "HorizontalPodAutoscaler").ok()) return std::nullopt;
  prune_unknown(holder, *type);
  const json* value = find_key(holder, field);
  return value ? std::optional<json>(*value) : std::nullopt;
}

template <size_t N>
auto metrics_from(const FlatRow (&rows)[N]) {
  return [&rows](const json& flat) {
    json out = json::array();
    if (flat.is_array()) {
      for (const json& metric : flat) out.push_back(nested_metric(metric, rows));
    }
    return out;
  };
}

bool is_cpu(const json& metric, const char* field) {
  return get_string(metric, "type") == "Resource" && get_string(metric, "resource.name") == "cpu" && find(metric, field) != nullptr;
}

json cpu_metric(const char* holder, const json& value) {
  json amount = {{"averageUtilization", value}};
  if (std::string_view(holder) == "target") amount["type"] = "Utilization";
  return {{"type", "Resource"}, {"resource", {{"name", "cpu"}, {holder, std::move(amount)}}}};
}

void drop_annotations(json& tree) {
  json* metadata = part(tree, "metadata");
  json* annotations = metadata ? part(*metadata, "annotations") : nullptr;
  if (!annotations) return;
  for (const char* name : kOurs) annotations->erase(name);
  if (annotations->empty()) metadata->erase("annotations");
}

void annotate(json& tree, const char* name, std::string text) {
  json& metadata = tree["metadata"];
  if (!metadata.is_object()) metadata = json::object();
  json& annotations = metadata["annotations"];
  if (!annotations.is_object()) annotations = json::object();
  annotations[name] = std::move(text);
}

void spec_from_stored(json& tree) {
  json* spec = part(tree, "spec");
  if (!spec) return;
  std::vector<const json*> others;
  const json metrics = get_array(*spec, "metrics");
  for (const json& metric : metrics) {
    if (!is_cpu(metric, "resource.target.averageUtilization")) others.push_back(&metric);
    else if (!spec->contains("targetCPUUtilizationPercentage")) (*spec)["targetCPUUtilizationPercentage"] = *find(metric, "resource.target.averageUtilization");
  }
  const json behavior = get_object(*spec, "behavior");
  const bool behaves = spec->contains("behavior");
  spec->erase("metrics");
  spec->erase("behavior");
  if (!others.empty()) annotate(tree, kMetrics, flat_metrics(others, kSpecRows));
  if (behaves) annotate(tree, kBehavior, go_form(behavior, "").dump());
}

void status_from_stored(json& tree) {
  json* status = part(tree, "status");
  if (!status) return;
  std::vector<const json*> all;
  const json metrics = get_array(*status, "currentMetrics"), conditions = get_array(*status, "conditions");
  for (const json& metric : metrics) {
    all.push_back(&metric);
    if (is_cpu(metric, "resource.current.averageUtilization")) {
      (*status)["currentCPUUtilizationPercentage"] = *find(metric, "resource.current.averageUtilization");
    }
  }
  status->erase("currentMetrics");
  status->erase("conditions");
  // The cpu's entry, too: its raw value has no place in v1.
  if (!all.empty()) annotate(tree, kCurrentMetrics, flat_metrics(all, kStatusRows));
  if (conditions.empty()) return;
  ordered out = ordered::array();
  for (const json& condition : conditions) {
    ordered row = ordered::object();
    for (const char* field : {"type", "status", "lastTransitionTime", "reason", "message"}) {
      if (const json* value = find_key(condition, field)) row[field] = ordered::parse(value->dump());
    }
    out.push_back(std::move(row));
  }
  annotate(tree, kConditions, out.dump(-1, ' ', false, ordered::error_handler_t::replace));
}

}  // namespace

namespace conversions {

void autoscaler_to_stored(json& tree) {
  json* spec = part(tree, "spec");
  if (spec) {
    json metrics = json::array();
    if (const json* cpu = find_key(*spec, "targetCPUUtilizationPercentage")) metrics.push_back(cpu_metric("target", *cpu));
    spec->erase("targetCPUUtilizationPercentage");
    if (auto others = from_annotation(tree, kMetrics, kSpecType, "metrics", metrics_from(kSpecRows))) {
      for (json& metric : *others) metrics.push_back(std::move(metric));
    }
    if (!metrics.empty()) (*spec)["metrics"] = std::move(metrics);
    if (auto behavior = from_annotation(tree, kBehavior, kSpecType, "behavior", from_go_form)) (*spec)["behavior"] = std::move(*behavior);
  }
  json* status = part(tree, "status");
  if (status) {
    if (const json* cpu = find_key(*status, "currentCPUUtilizationPercentage")) (*status)["currentMetrics"] = json::array({cpu_metric("current", *cpu)});
    status->erase("currentCPUUtilizationPercentage");
    if (auto metrics = from_annotation(tree, kCurrentMetrics, kStatusType, "currentMetrics", metrics_from(kStatusRows))) {
      (*status)["currentMetrics"] = std::move(*metrics);
    }
    auto as_it_is = [](const json& value) { return value; };
    if (auto conditions = from_annotation(tree, kConditions, kStatusType, "conditions", as_it_is)) (*status)["conditions"] = std::move(*conditions);
  }
  drop_annotations(tree);
}

void autoscaler_from_stored(json& tree) {
  spec_from_stored(tree);
  status_from_stored(tree);
}

}  // namespace conversions
}  // namespace store
