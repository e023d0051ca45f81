#include "server/model/fit.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/object/access.h"

namespace server {
namespace {

using store::get_array;
using store::get_string;
using store::SelectorOp;

std::vector<store::Requirement> project_requirements(const json& expressions) {
  static const std::pair<const char*, SelectorOp> kOps[] = {{"In", SelectorOp::kIn},         {"NotIn", SelectorOp::kNotIn},
                                                            {"Exists", SelectorOp::kExists}, {"DoesNotExist", SelectorOp::kNotExists},
                                                            {"Gt", SelectorOp::kGreater},    {"Lt", SelectorOp::kLess}};
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

bool tolerated(const Placement& placement, const Taint& taint) {
  return std::any_of(placement.tolerations.begin(), placement.tolerations.end(), [&](const Toleration& t) { return tolerates(t, taint); });
}

bool matches_nodes(const Placement& placement, const NodeView& node) {
  for (const auto& [key, value] : placement.node_selector) {
    auto have = node.meta.labels.find(key);
    if (have == node.meta.labels.end() || have->second != value) return false;
  }
  if (!placement.has_affinity) return true;
  return std::any_of(placement.terms.begin(), placement.terms.end(), [&](const NodeTerm& term) { return matches_term(term, node); });
}

}  // namespace

Placement project_placement(const json& pod) {
  Placement out;
  out.node_selector = store::get_string_map(pod, "spec.nodeSelector");
  if (const json* required = store::find(pod, "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution")) {
    out.has_affinity = required->is_object();
    for (const json& term : get_array(*required, "nodeSelectorTerms")) {
      out.terms.push_back(
          {project_requirements(get_array(term, "matchExpressions")), project_requirements(get_array(term, "matchFields"))});
    }
  }
  for (const json& t : get_array(pod, "spec.tolerations")) {
    out.tolerations.push_back({get_string(t, "key"), get_string(t, "operator", "Equal"), get_string(t, "value"), get_string(t, "effect")});
  }
  return out;
}

// The order is upstream's, and the first reason counts.
std::string why_not(const Placement& placement, const NodeView& node) {
  static const Taint kCordoned{"node.kubernetes.io/unschedulable", "", "NoSchedule"};
  static const Taint kNotReady{"node.kubernetes.io/not-ready", "", "NoSchedule"};  // Upstream's node lifecycle controller sets it.
  constexpr const char* kTainted = "node(s) had untolerated taint(s)";
  if (node.unschedulable && !tolerated(placement, kCordoned)) return "node(s) were unschedulable";
  for (const Taint& taint : node.taints) {
    if (taint.effect != "PreferNoSchedule" && !tolerated(placement, taint)) return kTainted;
  }
  if (!node.ready && !tolerated(placement, kNotReady)) return kTainted;
  return matches_nodes(placement, node) ? "" : "node(s) didn't match Pod's node affinity/selector";
}

bool may_stay(const Placement& placement, const NodeView& node) {
  const bool evicted = std::any_of(node.taints.begin(), node.taints.end(), [&](const Taint& taint) { return taint.effect == "NoExecute" && !tolerated(placement, taint); });
  return !evicted && matches_nodes(placement, node);
}

int count_unwelcome(const Placement& placement, const NodeView& node) {
  return static_cast<int>(std::count_if(node.taints.begin(), node.taints.end(), [&](const Taint& taint) {
    return taint.effect == "PreferNoSchedule" && !tolerated(placement, taint);
  }));
}

}  // namespace server
