// Where a pod may run: nodeSelector, affinity to nodes and pods, spreading, tolerations.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "store/object/label_syntax.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

void check_requirement(const json& requirement, const std::string& path, Causes& causes) {
  const std::string op = string_at(requirement, "operator");
  const json& values = array_at(requirement, "values");
  if (op == "In" || op == "NotIn") {
    if (values.empty()) causes.push_back(cause_required(path + ".values", "must be specified when `operator` is 'In' or 'NotIn'"));
  } else if (op == "Exists" || op == "DoesNotExist") {
    if (!values.empty())
      causes.push_back(cause_forbidden(path + ".values", "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
  } else if (op == "Gt" || op == "Lt") {
    if (values.size() != 1)
      causes.push_back(cause_required(path + ".values", "must be specified single value when `operator` is 'Lt' or 'Gt'"));
  } else {
    causes.push_back(cause_invalid(path + ".operator", op, "not a valid selector operator"));
  }
}

// Label values in a wish are not checked: it may hold none of the nodes.
enum class Strength { kRequired, kPreferred };

void check_expression(const json& expression, Strength strength, const std::string& path, Causes& causes) {
  check_requirement(expression, path, causes);
  add_problem(causes, path + ".key", string_at(expression, "key"), label_key_problem(string_at(expression, "key")));
  const json& values = array_at(expression, "values");
  for (size_t i = 0; strength == Strength::kRequired && i < values.size(); ++i) {
    if (values[i].is_string()) add_problem(causes, item(path, "values", i), values[i], label_value_problem(values[i].get_ref<const std::string&>()));
  }
}

void check_field(const json& field, const std::string& path, Causes& causes) {
  const std::string key = string_at(field, "key"), op = string_at(field, "operator");
  const json& values = array_at(field, "values");
  if (op != "In" && op != "NotIn") {
    causes.push_back(cause_invalid(path + ".operator", op, "not a valid selector operator"));
  } else if (values.size() != 1) {
    causes.push_back(cause_required(path + ".values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
  }
  if (key != "metadata.name") return causes.push_back(cause_invalid(path + ".key", key, "not a valid field selector key"));
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i].is_string()) add_problem(causes, item(path, "values", i), values[i], name_problem(values[i].get_ref<const std::string&>(), NameRule::kDnsSubdomain));
  }
}

void check_node_term(const json& term, Strength strength, const std::string& path, Causes& causes) {
  const json &expressions = array_at(term, "matchExpressions"), &fields = array_at(term, "matchFields");
  for (size_t i = 0; i < expressions.size(); ++i) check_expression(expressions[i], strength, item(path, "matchExpressions", i), causes);
  for (size_t i = 0; i < fields.size(); ++i) check_field(fields[i], item(path, "matchFields", i), causes);
}

constexpr const char* kRequiredTerms = "requiredDuringSchedulingIgnoredDuringExecution";
constexpr const char* kPreferredTerms = "preferredDuringSchedulingIgnoredDuringExecution";

void check_weight(const json& wish, const std::string& path, Causes& causes) {
  const int64_t weight = integer_at(wish, "weight");
  if (weight < 1 || weight > 100) causes.push_back(cause_invalid(path + ".weight", weight, "must be in the range 1-100"));
}

}  // namespace

void check_node_selector(const json& selector, const std::string& path, Causes& causes) {
  const json& terms = array_at(selector, "nodeSelectorTerms");
  if (terms.empty()) causes.push_back(cause_required(path + ".nodeSelectorTerms", "must have at least one node selector term"));
  for (size_t i = 0; i < terms.size(); ++i) check_node_term(terms[i], Strength::kRequired, item(path, "nodeSelectorTerms", i), causes);
}

namespace {

void check_node_affinity(const json& affinity, const std::string& path, Causes& causes) {
  if (has(affinity, kRequiredTerms)) check_node_selector(affinity[kRequiredTerms], path + "." + kRequiredTerms, causes);
  const json& wishes = array_at(affinity, kPreferredTerms);
  for (size_t i = 0; i < wishes.size(); ++i) {
    const std::string here = item(path, kPreferredTerms, i);
    check_weight(wishes[i], here, causes);
    check_node_term(object_at(wishes[i], "preference"), Strength::kPreferred, here + ".preference", causes);
  }
}

// Keys whose values are taken from the pod itself.
void check_label_keys(const json& term, const char* list, const std::string& path, Causes& causes) {
  const json& keys = array_at(term, list);
  if (keys.empty()) return;
  if (!has(term, "labelSelector")) return causes.push_back(cause_forbidden(path + "." + list, "must not be specified when labelSelector is not set"));
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].is_string()) add_problem(causes, item(path, list, i), keys[i], label_key_problem(keys[i].get_ref<const std::string&>()));
  }
}

void check_selectors(const json& term, const std::string& path, Causes& causes) {
  for (const char* selector : {"labelSelector", "namespaceSelector"}) {
    if (has(term, selector)) check_label_selector(term[selector], path + "." + selector, causes);
  }
}

void check_pod_term(const json& term, const std::string& path, Causes& causes) {
  check_selectors(term, path, causes);
  for (const json& name : array_at(term, "namespaces")) {
    if (name.is_string()) add_problem(causes, path + ".namespace", name, name_problem(name.get_ref<const std::string&>(), NameRule::kDnsLabel));
  }
  check_label_keys(term, "matchLabelKeys", path, causes);
  check_label_keys(term, "mismatchLabelKeys", path, causes);
  const json &match = array_at(term, "matchLabelKeys"), &mismatch = array_at(term, "mismatchLabelKeys");
  for (size_t i = 0; i < match.size(); ++i) {
    if (std::find(mismatch.begin(), mismatch.end(), match[i]) == mismatch.end()) continue;
    causes.push_back(cause_invalid(item(path, "matchLabelKeys", i), match[i], "exists in both matchLabelKeys and mismatchLabelKeys"));
  }
  const std::string key = string_at(term, "topologyKey");
  if (key.empty()) causes.push_back(cause_required(path + ".topologyKey", "can not be empty"));
  add_problem(causes, path + ".topologyKey", key, label_key_problem(key));
}

void check_pod_affinity(const json& affinity, const std::string& path, Causes& causes) {
  const json &terms = array_at(affinity, kRequiredTerms), &wishes = array_at(affinity, kPreferredTerms);
  for (size_t i = 0; i < terms.size(); ++i) check_pod_term(terms[i], item(path, kRequiredTerms, i), causes);
  for (size_t i = 0; i < wishes.size(); ++i) {
    const std::string here = item(path, kPreferredTerms, i);
    check_weight(wishes[i], here, causes);
    check_pod_term(object_at(wishes[i], "podAffinityTerm"), here + ".podAffinityTerm", causes);
  }
}

bool selects_by(const json& selector, const json& key) {
  const json& expressions = array_at(selector, "matchExpressions");
  return (key.is_string() && object_at(selector, "matchLabels").contains(key.get_ref<const std::string&>())) ||
         std::any_of(expressions.begin(), expressions.end(), [&](const json& expression) { return expression.is_object() && expression.value("key", json()) == key; });
}

void check_spread_keys(const json& constraint, const std::string& path, Causes& causes) {
  const json& keys = array_at(constraint, "matchLabelKeys");
  if (keys.empty()) return;
  if (!has(constraint, "labelSelector")) causes.push_back(cause_forbidden(path + ".matchLabelKeys", "must not be specified when labelSelector is not set"));
  for (size_t i = 0; i < keys.size(); ++i) {
    const std::string here = item(path, "matchLabelKeys", i);
    if (keys[i].is_string()) add_problem(causes, here, keys[i], label_key_problem(keys[i].get_ref<const std::string&>()));
    if (selects_by(object_at(constraint, "labelSelector"), keys[i])) {
      causes.push_back(cause_invalid(here, keys[i], "exists in both matchLabelKeys and labelSelector"));
    }
  }
}

}  // namespace

void check_affinity(const json& spec, const std::string& path, Causes& causes) {
  const json& affinity = object_at(spec, "affinity");
  check_node_affinity(object_at(affinity, "nodeAffinity"), path + ".affinity.nodeAffinity", causes);
  check_pod_affinity(object_at(affinity, "podAffinity"), path + ".affinity.podAffinity", causes);
  check_pod_affinity(object_at(affinity, "podAntiAffinity"), path + ".affinity.podAntiAffinity", causes);
}

void check_spreading(const json& spec, const std::string& path, Causes& causes) {
  static constexpr std::string_view kActions[] = {"DoNotSchedule", "ScheduleAnyway"}, kPolicies[] = {"Honor", "Ignore"};
  const json& constraints = array_at(spec, "topologySpreadConstraints");
  for (size_t i = 0; i < constraints.size(); ++i) {
    const json& constraint = constraints[i];
    const std::string here = item(path, "topologySpreadConstraints", i);
    const std::string key = string_at(constraint, "topologyKey"), action = string_at(constraint, "whenUnsatisfiable");
    const int64_t skew = integer_at(constraint, "maxSkew"), domains = integer_at(constraint, "minDomains");
    if (skew <= 0) causes.push_back(cause_invalid(here + ".maxSkew", skew, "must be greater than zero"));
    if (key.empty()) causes.push_back(cause_required(here + ".topologyKey", "can not be empty"));
    if (!is_among(kActions, action)) causes.push_back(cause_not_supported(here + ".whenUnsatisfiable", action, kActions));
    const bool repeated = std::any_of(constraints.begin() + static_cast<std::ptrdiff_t>(i) + 1, constraints.end(), [&](const json& other) {
      return string_at(other, "topologyKey") == key && string_at(other, "whenUnsatisfiable") == action;
    });
    if (repeated) causes.push_back(cause_duplicate(here + ".{topologyKey, whenUnsatisfiable}", "{" + key + ", " + action + "}"));
    if (has(constraint, "minDomains")) {
      if (domains <= 0) causes.push_back(cause_invalid(here + ".minDomains", domains, "must be greater than zero"));
      if (action != "DoNotSchedule") {
        causes.push_back(cause_invalid(here + ".minDomains", domains, "can only use minDomains if whenUnsatisfiable=DoNotSchedule, not " + action));
      }
    }
    for (const char* policy : {"nodeAffinityPolicy", "nodeTaintsPolicy"}) check_supported(constraint, policy, kPolicies, here, causes);
    check_spread_keys(constraint, here, causes);
    check_selectors(constraint, here, causes);
  }
}

void check_tolerations(const json& spec, const std::string& path, Causes& causes) {
  static constexpr std::string_view kOperators[] = {"Equal", "Exists", "Lt", "Gt"}, kEffects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
  const json& tolerations = array_at(spec, "tolerations");
  for (size_t i = 0; i < tolerations.size(); ++i) {
    const std::string here = item(path, "tolerations", i);
    const std::string key = string_at(tolerations[i], "key"), op = string_at(tolerations[i], "operator"), value = string_at(tolerations[i], "value");
    if (!key.empty()) add_problem(causes, here + ".key", key, label_key_problem(key));
    if (key.empty() && op != "Exists") {
      causes.push_back(cause_invalid(here + ".operator", op,
                                     "operator must be Exists when `key` is empty, which means \"match all values and all keys\""));
    }
    if (has(tolerations[i], "tolerationSeconds") && string_at(tolerations[i], "effect") != "NoExecute") {
      causes.push_back(cause_invalid(here + ".effect", string_at(tolerations[i], "effect"),
                                     "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (op == "Exists" && !value.empty()) {
      causes.push_back(cause_invalid(here + ".operator", value, "value must be empty when `operator` is 'Exists'"));
    } else if (op.empty() || op == "Equal") {
      if (const std::string problem = label_value_problem(value); !problem.empty()) causes.push_back(cause_invalid(here + ".operator", value, problem));
    } else if (op != "Exists") {
      // The two that compare numbers wait for a feature that is off by default; whoever writes them is told of all four.
      const bool compares = op == "Lt" || op == "Gt";
      causes.push_back(cause_not_supported(here + ".operator", op, std::span(kOperators).first(compares ? 4 : 2)));
    }
    if (const std::string effect = string_at(tolerations[i], "effect"); !effect.empty()) check_supported(tolerations[i], "effect", kEffects, here, causes);
  }
}

}  // namespace store
