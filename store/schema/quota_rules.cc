// LimitRange and ResourceQuota.
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "store/object/label_syntax.h"
#include "store/schema/go_form.h"
#include "store/schema/rules.h"

namespace store {
namespace {

bool above(const json& a, const json& b) { return quantity_nanos(a).value_or(0) > quantity_nanos(b).value_or(0); }

// Two columns of an entry of which the first may not be above the second, and how upstream says so.
struct OrderRow {
  const char* low;
  const char* high;
  const char* field;  // Whose key the cause names.
  const char* shown;  // Whose value it shows.
  const char* low_word;
  const char* high_word;
};
constexpr OrderRow kOrder[] = {
    {"min", "max", "min", "min", "min value ", " is greater than max value "},
    {"min", "defaultRequest", "defaultRequest", "defaultRequest", "min value ", " is greater than default request value "},
    {"defaultRequest", "max", "defaultRequest", "defaultRequest", "default request value ", " is greater than max value "},
    {"defaultRequest", "default", "defaultRequest", "defaultRequest", "default request value ", " is greater than default limit value "},
    {"min", "default", "default", "min", "min value ", " is greater than default value "},
    {"default", "max", "default", "max", "default value ", " is greater than max value "},
};

std::string ratio_text(long double ratio) {
  char text[64];
  snprintf(text, sizeof text, "%f", static_cast<double>(ratio));
  return text;
}

void check_ratio(const json& entry, const std::string& resource, const std::string& path, Causes& causes) {
  const json &ratios = object_at(entry, "maxLimitRequestRatio"), &least = object_at(entry, "min"), &most = object_at(entry, "max");
  if (!ratios.contains(resource)) return;
  const json& ratio = ratios[resource];
  const std::string field = path + ".maxLimitRequestRatio[" + resource + "]";
  const long double value = quantity_nanos(ratio).value_or(0) / 1e9L;
  if (value < 1) causes.push_back(cause_invalid(field, ratio, "ratio " + quantity_text(ratio) + " is less than 1"));
  if (!least.contains(resource) || !most.contains(resource)) return;
  const long double low = quantity_nanos(least[resource]).value_or(0), high = quantity_nanos(most[resource]).value_or(0);
  if (low == 0) return;  // Infinite, or nothing at all.
  if (value > high / low) causes.push_back(cause_invalid(field, ratio, "ratio " + quantity_text(ratio) + " is greater than max/min = " + ratio_text(high / low)));
}

void check_values(const json& entry, const std::string& resource, const std::string& path, Causes& causes) {
  for (const OrderRow& row : kOrder) {
    const json &low = object_at(entry, row.low), &high = object_at(entry, row.high);
    if (!low.contains(resource) || !high.contains(resource) || !above(low[resource], high[resource])) continue;
    const json& shown_value = object_at(entry, row.shown)[resource];
    causes.push_back(cause_invalid(path + "." + row.field + "[" + resource + "]", shown_value,
                                   row.low_word + quantity_text(low[resource]) + row.high_word + quantity_text(high[resource])));
  }
  check_ratio(entry, resource, path, causes);
  const json &limits = object_at(entry, "default"), &requests = object_at(entry, "defaultRequest");
  if (may_overcommit(resource) || !limits.contains(resource) || !requests.contains(resource)) return;
  if (quantity_nanos(limits[resource]) == quantity_nanos(requests[resource])) return;
  causes.push_back(cause_invalid(path + ".defaultRequest[" + resource + "]", requests[resource],
                                 "default value " + quantity_text(limits[resource]) + " must equal to defaultRequest value " + quantity_text(requests[resource]) + " in " + resource));
}

void check_type(const std::string& type, const std::string& field, Causes& causes) {
  const std::string problem = label_key_problem(type);
  add_problem(causes, field, type, problem);
  const bool known = type == "Pod" || type == "Container" || type == "PersistentVolumeClaim" || type.find('/') != std::string::npos;
  if (problem.empty() && !known) causes.push_back(cause_invalid(field, type, "must be a standard limit type or fully qualified"));
}

void check_entry(const json& entry, const std::string& path, Causes& causes) {
  const std::string type = string_at(entry, "type");
  const NamedIn where = type == "Pod" || type == "Container" ? NamedIn::kContainer : NamedIn::kAnywhere;
  std::set<std::string> resources;
  auto names = [&](const char* field) {
    for (const auto& [resource, amount] : object_at(entry, field).items()) {
      check_resource_name(resource, where, path + "." + field + "[" + resource + "]", causes);
      resources.insert(resource);
    }
  };
  names("max");
  names("min");
  for (const char* field : {"default", "defaultRequest"}) {
    if (type != "Pod") names(field);
    else if (!object_at(entry, field).empty()) causes.push_back(cause_forbidden(path + "." + field, "may not be specified when `type` is 'Pod'"));
  }
  if (type == "PersistentVolumeClaim" && !object_at(entry, "min").contains("storage") && !object_at(entry, "max").contains("storage")) {
    causes.push_back(cause_required(path + ".limits", "either minimum or maximum storage value is required, but neither was provided"));
  }
  names("maxLimitRequestRatio");
  for (const std::string& resource : resources) check_values(entry, resource, path, causes);
}

constexpr std::string_view kScopes[] = {"BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass", "Terminating", "VolumeAttributesClass"};
constexpr std::pair<std::string_view, std::string_view> kOpposites[] = {{"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"}};

void check_amounts(const json& amounts, const std::string& path, Causes& causes) {
  for (const auto& [resource, amount] : amounts.items()) {
    const std::string here = path + "[" + resource + "]";
    check_resource_name(resource, NamedIn::kQuota, here, causes);
    check_resource_amount(resource, amount, here, causes);
  }
}

// Scopes say which pods or claims are counted, and so only fit what counts those.
bool fits(std::string_view scope, std::string_view resource) {
  static constexpr std::string_view kCompute[] = {"cpu", "limits.cpu", "limits.memory", "memory", "pods", "requests.cpu", "requests.memory"};
  if (!is_among(kScopes, scope)) return true;
  if (scope == "BestEffort") return resource == "pods";
  if (scope == "VolumeAttributesClass") return resource == "persistentvolumeclaims" || resource == "requests.storage";
  return is_among(kCompute, resource);
}

// How many of the bounds do not fit the scope.
size_t misfits(const json& spec, const std::string& scope) {
  size_t out = 0;
  for (const auto& [resource, amount] : object_at(spec, "hard").items()) out += is_quota_resource(resource) && !fits(scope, resource);
  return out;
}

void check_scopes(const json& spec, Causes& causes) {
  const json& scopes = array_at(spec, "scopes");
  for (const json& value : scopes) {
    const std::string scope = value.is_string() ? value.get<std::string>() : "";
    if (!is_among(kScopes, scope)) causes.push_back(cause_invalid("spec.scopes", scopes, "unsupported scope"));
    for (size_t i = misfits(spec, scope); i > 0; --i) causes.push_back(cause_invalid("spec.scopes", scopes, "unsupported scope applied to resource"));
  }
  for (const auto& [one, other] : kOpposites) {
    const bool both = std::find(scopes.begin(), scopes.end(), one) != scopes.end() && std::find(scopes.begin(), scopes.end(), other) != scopes.end();
    if (both) causes.push_back(cause_invalid("spec.scopes", scopes, "conflicting scopes"));
  }
}

void check_scope_requirement(const json& spec, const json& requirement, const std::string& path, Causes& causes) {
  const std::string scope = string_at(requirement, "scopeName"), op = string_at(requirement, "operator");
  const json& values = array_at(requirement, "values");
  if (!is_among(kScopes, scope)) causes.push_back(cause_invalid(path + ".scopeName", scope, "unsupported scope"));
  const Type* selector = find_type("io.k8s.api.core.v1.ScopeSelector");
  for (size_t i = misfits(spec, scope); i > 0 && selector; --i) {
    causes.push_back(cause_invalid_struct(path, object_at(spec, "scopeSelector"), *selector, "unsupported scope applied to resource"));
  }
  const bool plain = is_among(kScopes, scope) && scope != "PriorityClass" && scope != "VolumeAttributesClass";
  if (plain && op != "Exists") {
    causes.push_back(cause_invalid(path + ".operator", op,
                                   "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, "
                                   "ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"));
  }
  if (op == "In" || op == "NotIn") {
    if (values.empty()) causes.push_back(cause_required(path + ".values", "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"));
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!values.empty()) causes.push_back(cause_invalid(path + ".values", values, "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"));
  } else {
    causes.push_back(cause_invalid(path + ".operator", op, "not a valid selector operator"));
  }
}

void check_scope_selector(const json& spec, Causes& causes) {
  const json& requirements = array_at(object_at(spec, "scopeSelector"), "matchExpressions");
  const std::string path = "spec.scopeSelector.matchExpressions";
  std::set<std::string> scopes;
  for (const json& requirement : requirements) {
    check_scope_requirement(spec, requirement, path, causes);
    scopes.insert(string_at(requirement, "scopeName"));
  }
  for (const auto& [one, other] : kOpposites) {
    if (!scopes.count(std::string(one)) || !scopes.count(std::string(other))) continue;
    causes.push_back(cause_invalid(path, spec.contains("scopes") ? spec["scopes"] : json(), "conflicting scopes"));
  }
}

std::set<json> scopes_of(const json& tree) {
  const json& scopes = array_at(object_at(tree, "spec"), "scopes");
  return {scopes.begin(), scopes.end()};
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
    check_type(type, here + ".type", causes);
    if (!seen.insert(type).second) causes.push_back(cause_duplicate(here + ".type", type));
    check_entry(limits[i], here, causes);
  }
  return causes;
}

std::vector<base::Cause> validate_resourcequota(const json& tree, const json* old) {
  Causes causes;
  const json &spec = object_at(tree, "spec"), &status = object_at(tree, "status");
  check_amounts(object_at(spec, "hard"), "spec.hard", causes);
  check_scopes(spec, causes);
  check_scope_selector(spec, causes);
  check_amounts(object_at(status, "hard"), "status.hard", causes);
  check_amounts(object_at(status, "used"), "status.used", causes);
  if (old && scopes_of(*old) != scopes_of(tree)) {
    causes.push_back(cause_invalid("spec.scopes", spec.contains("scopes") ? spec["scopes"] : json(), "field is immutable"));
  }
  return causes;
}

}  // namespace store
