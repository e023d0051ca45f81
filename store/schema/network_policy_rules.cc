// NetworkPolicy.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "store/schema/ip_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

void check_policy_port(const json& port, const std::string& path, Causes& causes) {
  static constexpr std::string_view kPolicyProtocols[] = {"TCP", "UDP", "SCTP"};
  const std::string protocol = string_at(port, "protocol");
  if (port.is_object() && port.contains("protocol") && std::find(std::begin(kPolicyProtocols), std::end(kPolicyProtocols), protocol) == std::end(kPolicyProtocols)) {
    causes.push_back(cause_not_supported(path + ".protocol", protocol, kPolicyProtocols));
  }
  const json number = port.is_object() && port.contains("port") ? port["port"] : json();
  const json last = port.is_object() && port.contains("endPort") ? port["endPort"] : json();
  const std::string end = path + ".endPort";
  if (number.is_number_integer()) {
    add_problem(causes, path + ".port", number, port_number_problem(number.get<int64_t>()));
    if (last.is_null()) return;
    if (last.get<int64_t>() < number.get<int64_t>()) causes.push_back(cause_invalid(end, number, "must be greater than or equal to `port`"));
    add_problem(causes, end, last, port_number_problem(last.get<int64_t>()));
  } else if (number.is_string()) {
    if (!last.is_null()) causes.push_back(cause_invalid(end, last, "may not be specified when `port` is non-numeric"));
    add_problem(causes, path + ".port", number, port_name_problem(number.get_ref<const std::string&>()));
  } else if (!last.is_null()) {
    causes.push_back(cause_invalid(end, last, "may not be specified when `port` is not specified"));
  }
}

using Prefixes = std::set<std::string>;  // As they are stored already, which they may stay.

std::string prefix_problem(const std::string& text, const Prefixes& before) { return before.count(text) ? "" : legacy_cidr_problem(text); }

void check_block(const json& block, const Prefixes& before, const std::string& path, Causes& causes) {
  const std::string text = string_at(block, "cidr");
  if (text.empty()) return causes.push_back(cause_required(path + ".cidr"));
  add_problem(causes, path + ".cidr", text, prefix_problem(text, before));
  const auto outer = parse_legacy_cidr(text);
  if (!outer) return;
  const json& except = array_at(block, "except");
  for (size_t i = 0; i < except.size(); ++i) {
    const std::string here = item(path, "except", i);
    const std::string part = except[i].is_string() ? except[i].get<std::string>() : "";
    add_problem(causes, here, part, prefix_problem(part, before));
    const auto inner = parse_legacy_cidr(part);
    if (!inner) continue;
    if (!outer->contains(inner->address()) || outer->prefix_length() >= inner->prefix_length()) {
      causes.push_back(cause_invalid(here, except[i], "must be a strict subset of `cidr`"));
    }
  }
}

void check_peer(const json& peer, const Prefixes& before, const std::string& path, Causes& causes) {
  int count = 0;
  for (const char* selector : {"podSelector", "namespaceSelector"}) {
    if (!peer.is_object() || !peer.contains(selector)) continue;
    ++count;
    check_label_selector(peer[selector], path + "." + selector, causes);
  }
  const bool block = peer.is_object() && peer.contains("ipBlock");
  if (block) check_block(peer["ipBlock"], before, path + ".ipBlock", causes);
  if (!block && count == 0) causes.push_back(cause_required(path, "must specify a peer"));
  if (block && count > 0) causes.push_back(cause_forbidden(path, "may not specify both ipBlock and another peer"));
}

void check_policy_rules(const json& spec, const char* direction, const char* peers, const Prefixes& before, Causes& causes) {
  const json& rules = array_at(spec, direction);
  for (size_t i = 0; i < rules.size(); ++i) {
    const std::string here = item("spec", direction, i);
    const json &ports = array_at(rules[i], "ports"), &others = array_at(rules[i], peers);
    for (size_t p = 0; p < ports.size(); ++p) check_policy_port(ports[p], item(here, "ports", p), causes);
    for (size_t p = 0; p < others.size(); ++p) check_peer(others[p], before, item(here, peers, p), causes);
  }
}

Prefixes prefixes_of(const json& spec) {
  Prefixes out;
  for (const auto& [direction, peers] : {std::pair("ingress", "from"), std::pair("egress", "to")}) {
    for (const json& rule : array_at(spec, direction)) {
      for (const json& peer : array_at(rule, peers)) {
        const json& block = object_at(peer, "ipBlock");
        out.insert(string_at(block, "cidr"));
        for (const json& part : array_at(block, "except")) out.insert(part.is_string() ? part.get<std::string>() : "");
      }
    }
  }
  return out;
}

}  // namespace

void prepare_networkpolicy(json& tree) {
  if (!tree.is_object()) return;
  json& spec = tree["spec"];
  if (!spec.is_object()) spec = json::object();
  if (!spec.contains("podSelector")) spec["podSelector"] = json::object();
  if (!array_at(spec, "policyTypes").empty()) return;
  spec["policyTypes"] = json::array({"Ingress"});
  if (!array_at(spec, "egress").empty()) spec["policyTypes"].push_back("Egress");
}

std::vector<base::Cause> validate_networkpolicy(const json& tree, const json* old) {
  static constexpr std::string_view kTypes[] = {"Ingress", "Egress"};
  Causes causes;
  const Prefixes before = old ? prefixes_of(object_at(*old, "spec")) : Prefixes();
  const json& spec = object_at(tree, "spec");
  check_label_selector(object_at(spec, "podSelector"), "spec.podSelector", causes);
  check_policy_rules(spec, "ingress", "from", before, causes);
  check_policy_rules(spec, "egress", "to", before, causes);
  const json& types = array_at(spec, "policyTypes");
  if (types.size() > 2) {
    causes.push_back(cause_invalid("spec.policyTypes", types, "may not specify more than two policyTypes"));
    return causes;
  }
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i] != "Ingress" && types[i] != "Egress") causes.push_back(cause_not_supported(item("spec", "policyTypes", i), types[i], kTypes));
  }
  return causes;
}

}  // namespace store
