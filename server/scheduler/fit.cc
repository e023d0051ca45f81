#include "server/scheduler/fit.h"

#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {
namespace {

using store::get_array;
using store::get_string;
using store::SelectorOp;

std::vector<store::Requirement> project_requirements(const json& expressions) {
  static const std::pair<const char*, SelectorOp> kOps[] = {{"In", SelectorOp::kIn},         {"NotIn", SelectorOp::kNotIn}, {"Exists", SelectorOp::kExists},
                                                            {"DoesNotExist", SelectorOp::kNotExists}, {"Gt", SelectorOp::kGreater},  {"Lt", SelectorOp::kLess}};
  std::vector<store::Requirement> out;
  for (const json& e : expressions) {
    store::Requirement r;
    r.key = get_string(e, "key");
    for (const auto& [name, op] : kOps) {
      if (get_string(e, "operator") == name) r.op = op;
    }
    for (const json& v : get_array(e, "values")) r.values.push_back(v.get<std::string>());
    out.push_back(std::move(r));
  }
  return out;
}

bool matches_term(const NodeTerm& term, const NodeView& node) {
  if (term.labels.empty() && term.fields.empty()) return false;  // An empty term matches no node (API contract).
  store::LabelSelector labels, fields;
  labels.requirements = term.labels;
  fields.requirements = term.fields;
  return labels.matches(node.meta.labels) && fields.matches({{"metadata.name", node.meta.name}});
}

bool tolerates(const Toleration& t, const Taint& taint) {
  if (!t.effect.empty() && t.effect != taint.effect) return false;
  if (t.op == "Exists") return t.key.empty() || t.key == taint.key;
  return t.key == taint.key && t.value == taint.value;
}

std::string untolerated(const Placement& placement, const NodeView& node) {
  std::vector<Taint> taints = node.taints;
  if (node.unschedulable) taints.push_back({"node.kubernetes.io/unschedulable", "", "NoSchedule"});
  for (const Taint& taint : taints) {
    if (taint.effect == "PreferNoSchedule") continue;
    bool tolerated = false;
    for (const Toleration& t : placement.tolerations) tolerated = tolerated || tolerates(t, taint);
    if (tolerated) continue;
    if (taint.key == "node.kubernetes.io/unschedulable") return "node(s) were unschedulable";
    return "node(s) had untolerated taint(s)";
  }
  return "";
}

}  // namespace

Placement project_placement(const json& pod) {
  Placement out;
  out.node_selector = store::get_string_map(pod, "spec.nodeSelector");
  if (const json* required = store::find(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution")) {
    out.has_affinity = required->is_object();
    for (const json& term : get_array(*required, "nodeSelectorTerms")) {
      out.terms.push_back({project_requirements(get_array(term, "matchExpressions")), project_requirements(get_array(term, "matchFields"))});
    }
  }
  for (const json& t : get_array(pod, "spec.tolerations")) {
    out.tolerations.push_back({get_string(t, "key"), get_string(t, "operator", "Equal"), get_string(t, "value"), get_string(t, "effect")});
  }
  return out;
}

std::string why_not(const Placement& placement, const NodeView& node) {
  if (!node.ready) return "node(s) were not ready";
  std::string taint = untolerated(placement, node);
  if (!taint.empty()) return taint;
  constexpr const char* kMismatch = "node(s) didn't match Pod's node affinity/selector";
  for (const auto& [key, value] : placement.node_selector) {
    auto have = node.meta.labels.find(key);
    if (have == node.meta.labels.end() || have->second != value) return kMismatch;
  }
  if (!placement.has_affinity) return "";
  for (const NodeTerm& term : placement.terms) {
    if (matches_term(term, node)) return "";
  }
  return kMismatch;
}

}  // namespace server
