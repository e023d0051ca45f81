// What an update of a pod may change.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/base/line_diff.h"
#include "store/schema/go_pod.h"
#include "store/schema/go_struct.h"
#include "store/schema/pod_parts.h"

namespace store {
namespace {

constexpr GoField kRequirement[] = {{"Key", "key", "\"\""}, {"Operator", "operator", "\"\""}, {"Values", "values"}};
constexpr GoField kTerm[] = {{"MatchExpressions", "matchExpressions", "null", kRequirement}, {"MatchFields", "matchFields", "null", kRequirement}};

const json& child_at(const json& object, std::string_view key) {
  static const json kNull;
  return has(object, key) ? object[std::string(key)] : kNull;
}

// True when nothing more is to be said.
bool check_deadline_change(const json& after, const json& before, Causes& causes) {
  const std::string field = "spec.activeDeadlineSeconds";
  const json &now = child_at(after, "activeDeadlineSeconds"), &then = child_at(before, "activeDeadlineSeconds");
  if (now.is_null()) {
    if (!then.is_null()) causes.push_back(cause_invalid(field, now, "must not update from a positive integer to nil value"));
    return false;
  }
  if (now < 0 || now > INT32_MAX) causes.push_back(cause_invalid(field, now, "must be between 0 and 2147483647, inclusive"));
  else if (!then.is_null() && then < now) causes.push_back(cause_invalid(field, now, "must be less than or equal to previous value"));
  else return false;
  return true;
}

json without_seconds(json toleration) {
  if (toleration.is_object()) toleration.erase("tolerationSeconds");
  return toleration;
}

void check_only_added_tolerations(const json& after, const json& before, Causes& causes) {
  for (const json& old : array_at(before, "tolerations")) {
    const json& now = array_at(after, "tolerations");
    const json wanted = without_seconds(old);
    if (std::any_of(now.begin(), now.end(), [&](const json& other) { return without_seconds(other) == wanted; })) continue;
    causes.push_back(cause_forbidden("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"));
    return;
  }
}

void check_only_removed_gates(const json& after, const json& before, Causes& causes) {
  const json &gates = array_at(after, "schedulingGates"), &old = array_at(before, "schedulingGates");
  for (size_t i = 0; i < gates.size(); ++i) {
    const std::string name = string_at(gates[i], "name");
    if (std::any_of(old.begin(), old.end(), [&](const json& gate) { return string_at(gate, "name") == name; })) continue;
    causes.push_back(cause_forbidden(item("spec", "schedulingGates", i) + ".name", "only deletion is allowed, but found new scheduling gate '" + name + "'"));
  }
}

bool starts_with(const json& list, const json& start) { return list.size() >= start.size() && std::equal(start.begin(), start.end(), list.begin()); }

// Requirements of a term may only become more; a term without any means "nothing matches" and must stay so.
bool only_narrowed(const json& term, const json& old) {
  const json &expressions = array_at(term, "matchExpressions"), &fields = array_at(term, "matchFields");
  const json &old_expressions = array_at(old, "matchExpressions"), &old_fields = array_at(old, "matchFields");
  if (old_expressions.empty() && old_fields.empty() && !(expressions.empty() && fields.empty())) return false;
  return starts_with(expressions, old_expressions) && starts_with(fields, old_fields);
}

const json& node_terms(const json& spec) {
  return array_at(object_at(object_at(object_at(spec, "affinity"), "nodeAffinity"), "requiredDuringSchedulingIgnoredDuringExecution"), "nodeSelectorTerms");
}

// A pod behind scheduling gates has no node yet, so the choice of nodes may still be narrowed.
void check_gated(const json& after, const json& before, Causes& causes) {
  const json &selector = object_at(after, "nodeSelector"), &old_selector = object_at(before, "nodeSelector");
  for (auto it = old_selector.begin(); it != old_selector.end(); ++it) {
    const auto now = selector.find(it.key());
    if (now != selector.end() && *now == it.value()) continue;
    causes.push_back(cause_invalid("spec.nodeSelector", selector, "only additions to spec.nodeSelector are allowed (no mutations or deletions)"));
    break;
  }
  const std::string field = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms";
  const json &terms = node_terms(after), &old_terms = node_terms(before);
  if (old_terms.empty()) return;
  if (terms.size() != old_terms.size()) {
    std::string shown_terms;
    for (const json& term : terms) shown_terms.append(shown_terms.empty() ? "" : ",").append(go_struct(term, kTerm));
    causes.push_back(cause_invalid_go(field, terms.empty() ? "null" : "[" + shown_terms + "]", "no additions/deletions to non-empty NodeSelectorTerms list are allowed"));
    return;
  }
  for (size_t i = 0; i < terms.size(); ++i) {
    if (only_narrowed(terms[i], old_terms[i])) continue;
    causes.push_back(cause_invalid_go(field + "[" + std::to_string(i) + "]", go_struct(terms[i], kTerm), "only additions are allowed (no mutations or deletions)"));
  }
}

// `after` with what an update may change, or what is judged by itself above, as it was.
json with_old_mutable(json after, const json& before, bool gated, bool placed) {
  auto restore = [](json& now, const json& then, const char* field) {
    if (has(then, field)) now[field] = then[field];
    else now.erase(field);
  };
  for (const char* list : {"containers", "initContainers"}) {
    const json& old = array_at(before, list);
    for (size_t i = 0; i < old.size(); ++i) {
      if (after[list][i].is_object()) restore(after[list][i], old[i], "image");
    }
  }
  for (const char* field : {"activeDeadlineSeconds", "tolerations", "ephemeralContainers", "schedulingGates"}) restore(after, before, field);
  if (!placed) restore(after, before, "nodeName");  // The binding subresource places a pod that has no node yet.
  if (!gated) return after;
  restore(after, before, "nodeSelector");
  json& affinity = after["affinity"];
  if (!affinity.is_object()) affinity = json::object();
  restore(affinity, object_at(before, "affinity"), "nodeAffinity");
  if (affinity.empty() && !has(before, "affinity")) after.erase("affinity");
  return after;
}

bool same_count(const json& after, const json& before, const char* list, Causes& causes) {
  if (array_at(after, list).size() == array_at(before, list).size()) return true;
  causes.push_back(cause_forbidden(std::string("spec.") + list, "pod updates may not add or remove containers"));
  return false;
}

}  // namespace

void check_pod_update(const json& tree, const json& old, Causes& causes) {
  const json &before = object_at(old, "spec"), &after = object_at(tree, "spec");
  if (!same_count(after, before, "containers", causes) || !same_count(after, before, "initContainers", causes)) return;
  if (check_deadline_change(after, before, causes)) return;
  check_only_added_tolerations(after, before, causes);
  check_only_removed_gates(after, before, causes);
  const bool gated = !array_at(before, "schedulingGates").empty(), placed = !string_at(before, "nodeName").empty();
  if (gated) check_gated(after, before, causes);
  json wanted = with_old_mutable(after, before, gated, placed);
  const char* grace = "terminationGracePeriodSeconds";
  if (integer_at(before, grace) < 0 && integer_at(after, grace) == 1) wanted[grace] = before[grace];
  if (wanted == before) return;
  causes.push_back(cause_forbidden(
      "spec",
      "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,"
      "`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
      "previously negative)\n" +
          base::line_diff(pod_spec_text(before), pod_spec_text(wanted))));
}

}  // namespace store
