// Node selection of a pod spec: nodeSelector, required node affinity, tolerations.
#include <nlohmann/json.hpp>

#include "store/object/label_syntax.h"
#include "store/schema/rules.h"

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

void check_node_affinity(const json& spec, const std::string& path, Causes& causes) {
  const json& required =
      object_at(object_at(object_at(spec, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution");
  const json& terms = array_at(required, "nodeSelectorTerms");
  const std::string here = path + ".affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution";
  for (size_t i = 0; i < terms.size(); ++i) {
    const json& expressions = array_at(terms[i], "matchExpressions");
    for (size_t e = 0; e < expressions.size(); ++e) {
      const std::string place = item(item(here, "nodeSelectorTerms", i), "matchExpressions", e);
      add_problem(causes, place + ".key", string_at(expressions[e], "key"), label_key_problem(string_at(expressions[e], "key")));
      check_requirement(expressions[e], place, causes);
    }
    const json& fields = array_at(terms[i], "matchFields");
    for (size_t f = 0; f < fields.size(); ++f) {
      const std::string place = item(item(here, "nodeSelectorTerms", i), "matchFields", f);
      const std::string key = string_at(fields[f], "key"), op = string_at(fields[f], "operator");
      if (key != "metadata.name") causes.push_back(cause_invalid(place + ".key", key, "not a valid field selector key"));
      if (op != "In" && op != "NotIn")
        causes.push_back(cause_invalid(place + ".operator", op, "not a valid selector operator"));
      else if (array_at(fields[f], "values").size() != 1)
        causes.push_back(
            cause_required(place + ".values", "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"));
    }
  }
}

void check_tolerations(const json& spec, const std::string& path, Causes& causes) {
  const json& tolerations = array_at(spec, "tolerations");
  for (size_t i = 0; i < tolerations.size(); ++i) {
    const std::string here = item(path, "tolerations", i);
    const std::string key = string_at(tolerations[i], "key"), op = string_at(tolerations[i], "operator");
    if (!key.empty()) add_problem(causes, here + ".key", key, label_key_problem(key));
    if (key.empty() && op != "Exists") {
      causes.push_back(cause_invalid(here + ".operator", op,
                                     "operator must be Exists when `key` is empty, which means \"match all values and all keys\""));
    }
    if (tolerations[i].is_object() && tolerations[i].contains("tolerationSeconds") && string_at(tolerations[i], "effect") != "NoExecute") {
      causes.push_back(cause_invalid(here + ".effect", string_at(tolerations[i], "effect"),
                                     "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    if (op == "Exists" && !string_at(tolerations[i], "value").empty()) {
      causes.push_back(cause_invalid(here + ".operator", tolerations[i], "value must be empty when `operator` is 'Exists'"));
    }
  }
}

}  // namespace

void check_scheduling(const json& spec, const std::string& path, Causes& causes) {
  check_labels(object_at(spec, "nodeSelector"), path + ".nodeSelector", causes);
  check_node_affinity(spec, path, causes);
  check_tolerations(spec, path, causes);
}

}  // namespace store
