// Service, Endpoints and EndpointSlice.
#include <nlohmann/json.hpp>
#include <set>

#include "store/base/ip.h"
#include "store/schema/rules.h"

namespace store {
namespace {

bool is_external(const std::string& type) { return type == "NodePort" || type == "LoadBalancer"; }

void default_ports(json& spec) {
  if (array_at(spec, "ports").empty()) return;
  for (json& port : spec["ports"]) {
    if (!port.is_object()) continue;
    const json target = port.value("targetPort", json());
    if (target.is_null() || target == 0 || target == "") port["targetPort"] = port.value("port", json(0));
  }
}

// The families follow the addresses that are asked for; without any, IPv4.
void default_families(json& spec) {
  if (!spec.contains("ipFamilyPolicy")) spec["ipFamilyPolicy"] = "SingleStack";
  if (!array_at(spec, "ipFamilies").empty()) return;
  const std::string address = string_at(spec, "clusterIP");
  spec["ipFamilies"] = json::array({address.find(':') == std::string::npos ? "IPv4" : "IPv6"});
}

void check_service_ports(const json& spec, const std::string& type, Causes& causes) {
  const json& ports = array_at(spec, "ports");
  const bool headless = string_at(spec, "clusterIP") == "None";
  if (ports.empty() && !headless && type != "ExternalName") causes.push_back(cause_required("spec.ports"));
  std::set<std::string> names;
  std::set<std::pair<std::string, int64_t>> seen;
  for (size_t i = 0; i < ports.size(); ++i) {
    if (!ports[i].is_object()) continue;
    const std::string here = item("spec", "ports", i);
    const std::string name = string_at(ports[i], "name");
    if (name.empty() && ports.size() > 1) causes.push_back(cause_required(here + ".name"));
    if (!name.empty()) {
      const std::string problem = name_problem(name, NameRule::kDnsLabel);
      add_problem(causes, here + ".name", name, problem);
      if (problem.empty() && !names.insert(name).second) causes.push_back(cause_duplicate(here + ".name", name));
    }
    const json number = ports[i].value("port", json());
    if (!number.is_number_integer()) causes.push_back(cause_invalid(here + ".port", 0, port_number_problem(0)));
    const json target = ports[i].value("targetPort", json());
    if (target.is_number_integer()) add_problem(causes, here + ".targetPort", target, port_number_problem(target.get<int64_t>()));
    if (target.is_string()) add_problem(causes, here + ".targetPort", target, port_name_problem(target.get_ref<const std::string&>()));
    if (type == "ClusterIP" && ports[i].contains("nodePort") && ports[i]["nodePort"] != 0) {
      causes.push_back(cause_forbidden(here + ".nodePort", "may not be used when `type` is 'ClusterIP'"));
    }
    const std::string protocol = string_at(ports[i], "protocol");
    if (number.is_number_integer() && !seen.emplace(protocol, number.get<int64_t>()).second) {
      causes.push_back(cause_duplicate(here, json{{"port", number}, {"protocol", protocol}}));
    }
  }
}

void check_addresses(const json& spec, const std::string& type, const json* old, Causes& causes) {
  const std::string address = string_at(spec, "clusterIP");
  const json shown_list = spec.contains("clusterIPs") ? spec["clusterIPs"] : json::array({address});
  if (type == "ExternalName") {
    if (!address.empty() && address != "None")
      causes.push_back(cause_forbidden("spec.clusterIPs[0]", "may not be set when `type` is 'ExternalName'"));
    const std::string name = string_at(spec, "externalName");
    if (name.empty())
      causes.push_back(cause_required("spec.externalName"));
    else
      add_problem(causes, "spec.externalName", name,
                  name_problem(name.back() == '.' ? name.substr(0, name.size() - 1) : name, NameRule::kDnsSubdomain));
    return;
  }
  if (address == "None") {
    if (is_external(type))
      causes.push_back(cause_invalid("spec.clusterIPs[0]", "None", "may not be set to 'None' for " + type + " services"));
  } else if (!address.empty() && !base::Ip::parse(address).ok()) {
    causes.push_back(cause_invalid("spec.clusterIPs[0]", address, std::string(kBadIp)));
  }
  const json& list = array_at(spec, "clusterIPs");
  if (!list.empty() && list[0] != address) {
    causes.push_back(cause_invalid("spec.clusterIPs", list, "first value must match `clusterIP`"));
  }
  if (!old) return;
  const json& before = object_at(*old, "spec");
  const std::string previous = string_at(before, "clusterIP");
  if (!previous.empty() && string_at(before, "type") != "ExternalName" && previous != address) {
    causes.push_back(cause_invalid("spec.clusterIPs[0]", shown_list, "may not change once set"));
  }
}

}  // namespace

void prepare_service(json& tree) {
  if (!tree.is_object() || object_at(tree, "spec").empty()) return;
  json& spec = tree["spec"];
  const std::string type = string_at(spec, "type");
  default_ports(spec);
  if (string_at(spec, "sessionAffinity") == "ClientIP" && object_at(object_at(spec, "sessionAffinityConfig"), "clientIP").empty()) {
    spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"] = 10800;
  }
  if (type != "ExternalName") {
    default_families(spec);
    if (string_at(spec, "internalTrafficPolicy").empty()) spec["internalTrafficPolicy"] = "Cluster";
  }
  if (is_external(type) && string_at(spec, "externalTrafficPolicy").empty()) spec["externalTrafficPolicy"] = "Cluster";
  if (type == "LoadBalancer" && !spec.contains("allocateLoadBalancerNodePorts")) spec["allocateLoadBalancerNodePorts"] = true;
}

std::vector<base::Cause> validate_service(const json& tree, const json* old) {
  Causes causes;
  const json& spec = object_at(tree, "spec");
  const std::string type = string_at(spec, "type");
  check_service_ports(spec, type, causes);
  check_labels(object_at(spec, "selector"), "spec.selector", causes);
  check_addresses(spec, type, old, causes);
  const std::string policy = string_at(spec, "externalTrafficPolicy");
  if (!policy.empty() && !is_external(type) && array_at(spec, "externalIPs").empty()) {
    causes.push_back(cause_invalid("spec.externalTrafficPolicy", policy, "may only be set for externally-accessible services"));
  }
  return causes;
}

std::vector<base::Cause> validate_endpoints(const json& tree, const json*) {
  Causes causes;
  const json& subsets = array_at(tree, "subsets");
  for (size_t i = 0; i < subsets.size(); ++i) {
    const std::string here = item("", "subsets", i);
    if (array_at(subsets[i], "addresses").empty() && array_at(subsets[i], "notReadyAddresses").empty()) {
      causes.push_back(cause_required(here, "must specify `addresses` or `notReadyAddresses`"));
    }
    for (const char* list : {"addresses", "notReadyAddresses"}) {
      const json& addresses = array_at(subsets[i], list);
      for (size_t a = 0; a < addresses.size(); ++a) {
        const std::string ip = string_at(addresses[a], "ip");
        if (!ip.empty() && !base::Ip::parse(ip).ok()) causes.push_back(cause_invalid(item(here, list, a) + ".ip", ip, std::string(kBadIp)));
      }
    }
    const json& ports = array_at(subsets[i], "ports");
    for (size_t p = 0; p < ports.size(); ++p) {
      const std::string name = string_at(ports[p], "name");
      if (name.empty() && ports.size() > 1)
        causes.push_back(cause_required(item(here, "ports", p) + ".name"));
      else if (!name.empty())
        add_problem(causes, item(here, "ports", p) + ".name", name, name_problem(name, NameRule::kDnsLabel));
    }
  }
  return causes;
}

std::vector<base::Cause> validate_endpointslice(const json& tree, const json*) {
  Causes causes;
  const std::string type = string_at(tree, "addressType");
  const json& endpoints = array_at(tree, "endpoints");
  for (size_t i = 0; i < endpoints.size(); ++i) {
    const json& addresses = array_at(endpoints[i], "addresses");
    const std::string here = item("", "endpoints", i);
    if (addresses.empty()) causes.push_back(cause_required(here + ".addresses", "must contain at least 1 address"));
    for (size_t a = 0; a < addresses.size(); ++a) {
      if (!addresses[a].is_string() || (type != "IPv4" && type != "IPv6")) continue;
      const bool v4 = type == "IPv4";
      const auto ip = base::Ip::parse(addresses[a].get_ref<const std::string&>());
      if (!ip.ok() || ip->is_v4() != v4)
        causes.push_back(cause_invalid(item(here, "addresses", a), addresses[a], std::string(kIpWithFamily[v4 ? 0 : 1])));
    }
  }
  const json& ports = array_at(tree, "ports");
  std::set<std::string> names;
  for (size_t p = 0; p < ports.size(); ++p) {
    const std::string name = string_at(ports[p], "name"), field = item("", "ports", p) + ".name";
    if (!name.empty()) add_problem(causes, field, name, name_problem(name, NameRule::kDnsLabel));
    if (!names.insert(name).second) causes.push_back(cause_duplicate(field, name));
  }
  return causes;
}

}  // namespace store
