// LimitRange and ResourceQuota.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/object/label_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

std::string text_of(const json& quantity) { return quantity.is_string() ? quantity.get<std::string>() : quantity.dump(); }
bool above(const json& a, const json& b) { return quantity_nanos(a).value_or(0) > quantity_nanos(b).value_or(0); }

// Two columns of an entry of which the first may not be above the second, and how upstream says so.
struct OrderRow {
  const char* low;
  const char* high;
  const char* field;  // Whose key the cause names.
  const char* low_word;
  const char* high_word;
};
constexpr OrderRow kOrder[] = {
    {"min", "max", "min", "min value ", " is greater than max value "},
    {"min", "defaultRequest", "defaultRequest", "min value ", " is greater than default request value "},
    {"defaultRequest", "max", "defaultRequest", "default request value ", " is greater than max value "},
    {"defaultRequest", "default", "defaultRequest", "default request value ", " is greater than default limit value "},
    {"min", "default", "default", "min value ", " is greater than default value "},
    {"default", "max", "default", "default value ", " is greater than max value "},
};

void check_entry(const json& entry, const std::string& path, Causes& causes) {
  const std::string type = string_at(entry, "type");
  if (type == "Pod") {
    for (const char* field : {"default", "defaultRequest"}) {
      if (!object_at(entry, field).empty()) causes.push_back(cause_forbidden(path + "." + field, "may not be specified when `type` is 'Pod'"));
    }
  }
  if (type == "PersistentVolumeClaim" && !object_at(entry, "min").contains("storage") && !object_at(entry, "max").contains("storage")) {
    causes.push_back(cause_required(path + ".limits", "either minimum or maximum storage value is required, but neither was provided"));
  }
  std::set<std::string> resources;
  for (const char* field : {"max", "min", "default", "defaultRequest", "maxLimitRequestRatio"}) {
    for (const auto& [resource, amount] : object_at(entry, field).items()) resources.insert(resource);
  }
  for (const std::string& resource : resources) {
    for (const OrderRow& row : kOrder) {
      const json &low = object_at(entry, row.low), &high = object_at(entry, row.high);
      if (!low.contains(resource) || !high.contains(resource) || !above(low[resource], high[resource])) continue;
      const json& shown_value = object_at(entry, row.field)[resource];
      causes.push_back(cause_invalid(path + "." + row.field + "[" + resource + "]", shown_value,
                                     row.low_word + text_of(low[resource]) + row.high_word + text_of(high[resource])));
    }
    const json& ratio = object_at(entry, "maxLimitRequestRatio");
    if (ratio.contains(resource) && quantity_nanos(ratio[resource]).value_or(0) < 1e9L) {
      causes.push_back(cause_invalid(path + ".maxLimitRequestRatio[" + resource + "]", ratio[resource], "ratio " + text_of(ratio[resource]) + " is less than 1"));
    }
  }
}

// What may be counted without a domain in its name.
constexpr std::string_view kStandard[] = {
    "configmaps", "cpu", "ephemeral-storage", "limits.cpu", "limits.ephemeral-storage", "limits.memory", "memory", "persistentvolumeclaims", "pods",
    "replicationcontrollers", "requests.cpu", "requests.ephemeral-storage", "requests.memory", "requests.storage", "resourcequotas", "secrets", "services",
    "services.loadbalancers", "services.nodeports",
};
constexpr std::string_view kScopes[] = {"BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating", "VolumeAttributesClass"};

template <size_t N>
bool among(const std::string_view (&list)[N], std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

void check_amounts(const json& amounts, const std::string& path, Causes& causes) {
  for (const auto& [resource, amount] : amounts.items()) {
    const std::string here = path + "[" + resource + "]";
    const bool plain = resource.find('/') == std::string::npos && !resource.starts_with("requests.hugepages-") && !resource.starts_with("hugepages-");
    if (const std::string problem = label_key_problem(resource); !problem.empty()) causes.push_back(cause_invalid(here, resource, problem));
    else if (plain && !among(kStandard, resource)) causes.push_back(cause_invalid(here, resource, "must be a standard resource for quota"));
    const auto value = quantity_nanos(amount);
    if (value && *value < 0) causes.push_back(cause_invalid(here, amount, "must be greater than or equal to 0"));
  }
}

void check_scopes(const json& spec, Causes& causes) {
  const json& scopes = array_at(spec, "scopes");
  for (const json& scope : scopes) {
    if (!scope.is_string() || !among(kScopes, scope.get_ref<const std::string&>())) {
      causes.push_back(cause_invalid("spec.scopes", scopes, "unsupported scope"));
    }
  }
  for (const auto& [one, other] : {std::pair("BestEffort", "NotBestEffort"), std::pair("Terminating", "NotTerminating")}) {
    const bool both = std::find(scopes.begin(), scopes.end(), one) != scopes.end() && std::find(scopes.begin(), scopes.end(), other) != scopes.end();
    if (both) causes.push_back(cause_invalid("spec.scopes", scopes, "conflicting scopes"));
  }
}

}  // namespace

// Containers: what is not said follows from what is, from the upper bound down to the request.
void prepare_limitrange(json& tree) {
  if (object_at(tree, "spec").empty()) return;
  json& spec = tree["spec"];
  if (array_at(spec, "limits").empty()) return;
  for (json& entry : spec["limits"]) {
    if (string_at(entry, "type") != "Container") continue;
    auto fill = [&](const char* into, const char* from) {
      const json source = object_at(entry, from);
      for (const auto& [resource, amount] : source.items()) {
        if (!object_at(entry, into).contains(resource)) entry[into][resource] = amount;
      }
    };
    fill("default", "max");
    fill("defaultRequest", "default");
    fill("defaultRequest", "min");
  }
}

std::vector<base::Cause> validate_limitrange(const json& tree, const json*) {
  Causes causes;
  const json& limits = array_at(object_at(tree, "spec"), "limits");
  std::set<std::string> seen;
  for (size_t i = 0; i < limits.size(); ++i) {
    const std::string here = item("spec", "limits", i), type = string_at(limits[i], "type");
    add_problem(causes, here + ".type", type, label_key_problem(type));
    if (!seen.insert(type).second) causes.push_back(cause_duplicate(here + ".type", type));
    check_entry(limits[i], here, causes);
  }
  return causes;
}

std::vector<base::Cause> validate_resourcequota(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  check_amounts(object_at(spec, "hard"), "spec.hard", causes);
  check_scopes(spec, causes);
  check_amounts(object_at(object_at(tree, "status"), "hard"), "status.hard", causes);
  check_amounts(object_at(object_at(tree, "status"), "used"), "status.used", causes);
  if (old && array_at(object_at(*old, "spec"), "scopes") != array_at(spec, "scopes")) {
    causes.push_back(cause_invalid("spec.scopes", array_at(spec, "scopes"), "field is immutable"));
  }
  return causes;
}

}  // namespace store
