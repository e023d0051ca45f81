// Node.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/object/label_syntax.h"
#include "store/schema/go_form.h"
#include "store/schema/ip_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

void check_prefixes(const json& spec, Causes& causes) {
  const json& list = array_at(spec, "podCIDRs");
  std::set<bool> families;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string text = list[i].is_string() ? list[i].get<std::string>() : "";
    add_problem(causes, item("spec", "podCIDRs", i), text, legacy_cidr_problem(text));
    if (const auto cidr = parse_legacy_cidr(text)) families.insert(cidr->address().is_v4());
  }
  if (list.size() > 2 || (list.size() == 2 && families.size() < 2)) {
    causes.push_back(cause_invalid("spec.podCIDRs", list, "may specify no more than one CIDR for each IP family"));
  }
}

// Upstream names them as if they were metadata.
void check_taints(const json& spec, Causes& causes) {
  static constexpr std::string_view kEffects[] = {"NoSchedule", "PreferNoSchedule", "NoExecute"};
  const json& taints = array_at(spec, "taints");
  std::set<std::pair<std::string, std::string>> seen;
  for (size_t i = 0; i < taints.size(); ++i) {
    const std::string here = item("metadata", "taints", i), key = string_at(taints[i], "key"), value = string_at(taints[i], "value");
    const std::string effect = string_at(taints[i], "effect");
    add_problem(causes, here + ".key", key, label_key_problem(key));
    if (const std::string problem = label_value_problem(value); !problem.empty()) causes.push_back(cause_invalid(here + ".value", value, problem));
    if (effect.empty()) causes.push_back(cause_required(here + ".effect"));
    else if (std::find(std::begin(kEffects), std::end(kEffects), effect) == std::end(kEffects)) causes.push_back(cause_not_supported(here + ".effect", effect, kEffects));
    const Type* type = find_type("io.k8s.api.core.v1.Taint");
    if (seen.emplace(key, effect).second || !type) continue;
    causes.push_back({"FieldValueDuplicate", "Duplicate value: " + go_form(taints[i], *type) + ": taints must be unique by key and effect pair", here});
  }
}

void check_node_amounts(const json& status, Causes& causes) {
  for (const char* list : {"capacity", "allocatable"}) {
    for (const auto& [resource, amount] : object_at(status, list).items()) {
      check_resource_amount(resource, amount, std::string("status.") + list + "." + resource, causes);
    }
  }
}

void check_node_change(const json& tree, const json& old, Causes& causes) {
  const json &spec = object_at(tree, "spec"), &before = object_at(old, "spec");
  const json &now = array_at(spec, "podCIDRs"), &had = array_at(before, "podCIDRs");
  const std::string detail = "node updates may not change podCIDR except from \"\" to valid";
  if (!had.empty() && now != had) causes.push_back(cause_forbidden("spec.podCIDRs", detail));
  const std::string provider = string_at(before, "providerID");
  if (!provider.empty() && provider != string_at(spec, "providerID")) {
    causes.push_back(cause_forbidden("spec.providerID", "node updates may not change providerID except from \"\" to valid"));
  }
  if (string_at(spec, "externalID") != string_at(before, "externalID")) causes.push_back(cause_forbidden("spec.externalID", "may not be updated"));
}

void check_addresses(const json& status, Causes& causes) {
  const json& addresses = array_at(status, "addresses");
  const Type* type = find_type("io.k8s.api.core.v1.NodeAddress");
  std::set<json> seen;
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (seen.insert(addresses[i]).second || !type) continue;
    causes.push_back({"FieldValueDuplicate", "Duplicate value: " + go_form(addresses[i], *type), item("status", "addresses", i)});
  }
}

}  // namespace

// podCIDR is the first of podCIDRs; where they differ it wins, alone. Settings from the API are no more. All that a node has may be
// used, unless it says otherwise.
void prepare_node(json& tree) {
  if (!tree.is_object()) return;
  const json& status = object_at(tree, "status");
  if (!status.contains("allocatable") && !object_at(status, "capacity").empty()) tree["status"]["allocatable"] = json(status["capacity"]);
  if (!tree.contains("spec") || !tree["spec"].is_object()) return;
  json& spec = tree["spec"];
  spec.erase("configSource");
  const std::string cidr = string_at(spec, "podCIDR");
  const json& list = array_at(spec, "podCIDRs");
  if (!cidr.empty() && (list.empty() || list[0] != cidr)) spec["podCIDRs"] = json::array({cidr});
  else if (!list.empty()) spec["podCIDR"] = list[0];
}

std::vector<base::Cause> validate_node(const json& tree, const json* old) {
  Causes causes;
  const json &spec = object_at(tree, "spec"), &status = object_at(tree, "status");
  check_taints(spec, causes);
  check_node_amounts(status, causes);
  check_prefixes(spec, causes);
  if (!old) return causes;
  check_addresses(status, causes);
  check_node_change(tree, *old, causes);
  return causes;
}

}  // namespace store
