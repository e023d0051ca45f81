// Services and what stands behind and before them.
#include <nlohmann/json.hpp>
#include <set>

#include "kubectl-compat/table/cells.h"
#include "store/object/access.h"

namespace compat {
namespace {

using store::find;
using store::get_array;
using store::get_int;
using store::get_object;
using store::get_string;

// IPs, or host names where there is no IP, sorted and without repeats. kubectl clips nothing: tables are always made wide.
std::string load_balancer_addresses(const json& tree) {
  std::set<std::string> found;
  for (const json& ingress : get_array(tree, "status.loadBalancer.ingress")) {
    std::string ip = get_string(ingress, "ip");
    std::string address = ip.empty() ? get_string(ingress, "hostname") : ip;
    if (!address.empty()) found.insert(address);
  }
  return join({found.begin(), found.end()}, ",");
}

json service_cluster_ip(const CellInput& in) {
  std::vector<std::string> ips = string_items(get_array(in.tree, "spec.clusterIPs"));
  return or_none(ips.empty() ? get_string(in.tree, "spec.clusterIP") : ips[0]);
}

json service_external_ip(const CellInput& in) {
  std::string type = get_string(in.tree, "spec.type", "ClusterIP");
  std::string external = join(string_items(get_array(in.tree, "spec.externalIPs")), ",");
  if (type == "ClusterIP" || type == "NodePort") return or_none(external);
  if (type == "ExternalName") return get_string(in.tree, "spec.externalName");
  if (type != "LoadBalancer") return "<unknown>";
  std::string balanced = load_balancer_addresses(in.tree);
  if (!balanced.empty() && !external.empty()) balanced += ",";
  balanced += external;
  return balanced.empty() ? "<pending>" : balanced;
}

json service_ports(const CellInput& in) {
  std::vector<std::string> ports;
  for (const json& port : get_array(in.tree, "spec.ports")) {
    std::string text = std::to_string(get_int(port, "port"));
    int64_t node_port = get_int(port, "nodePort");
    if (node_port > 0) text += ":" + std::to_string(node_port);
    ports.push_back(text + "/" + get_string(port, "protocol", "TCP"));
  }
  return or_none(join(ports, ","));
}

json service_selector(const CellInput& in) { return format_labels(get_object(in.tree, "spec.selector")); }

std::string host_port(const std::string& host, int64_t port) {
  bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

json endpoints_list(const CellInput& in) {
  const json& subsets = get_array(in.tree, "subsets");
  if (subsets.empty()) return "<none>";
  std::vector<std::string> list;
  for (const json& subset : subsets) {
    const json& ports = get_array(subset, "ports");
    const json& addresses = get_array(subset, "addresses");
    if (ports.empty()) {  // A headless service may have no ports.
      for (const json& address : addresses) list.push_back(get_string(address, "ip"));
    }
    for (const json& port : ports) {
      for (const json& address : addresses) list.push_back(host_port(get_string(address, "ip"), get_int(port, "port")));
    }
  }
  return join_some(list);
}

json or_unset(std::string text) { return text.empty() ? "<unset>" : std::move(text); }

json endpointslice_ports(const CellInput& in) {
  std::vector<std::string> list;
  for (const json& port : get_array(in.tree, "ports")) {
    const json* number = find(port, "port");
    const json* name = find(port, "name");
    if (number != nullptr && number->is_number_integer()) {
      list.push_back(std::to_string(get_int(port, "port")));
    } else {
      list.push_back(name != nullptr && name->is_string() ? get_string(port, "name") : "*");
    }
  }
  return or_unset(join_some(list));
}

json endpointslice_endpoints(const CellInput& in) {
  std::vector<std::string> list;
  for (const json& endpoint : get_array(in.tree, "endpoints")) {
    for (std::string& address : string_items(get_array(endpoint, "addresses"))) list.push_back(std::move(address));
  }
  return or_unset(join_some(list));
}

json ingress_class(const CellInput& in) { return get_string(in.tree, "spec.ingressClassName", "<none>"); }

// Rules without a host take no place in the text but count among the hidden ones, as upstream counts.
json ingress_hosts(const CellInput& in) {
  constexpr size_t kShown = 3;
  std::vector<std::string> list;
  bool more = false;
  const json& rules = get_array(in.tree, "spec.rules");
  for (const json& rule : rules) {
    std::string host = get_string(rule, "host");
    if (list.size() == kShown) more = true;
    if (!more && !host.empty()) list.push_back(host);
  }
  if (list.empty()) return "*";
  std::string out = join(list, ",");
  if (more) out += " + " + std::to_string(rules.size() - kShown) + " more...";
  return out;
}

json ingress_address(const CellInput& in) { return load_balancer_addresses(in.tree); }

json ingress_ports(const CellInput& in) { return get_array(in.tree, "spec.tls").empty() ? "80" : "80, 443"; }

json ingressclass_name(const CellInput& in) {
  const std::string* value = store::find_annotation(in.tree, "ingressclass.kubernetes.io/is-default-class");
  return get_string(in.tree, "metadata.name") + (value != nullptr && *value == "true" ? " (default)" : "");
}

json ingressclass_parameters(const CellInput& in) {
  const json* parameters = find(in.tree, "spec.parameters");
  if (parameters == nullptr || !parameters->is_object()) return "<none>";
  std::string group = get_string(*parameters, "apiGroup");
  return get_string(*parameters, "kind") + (group.empty() ? "" : "." + group) + "/" + get_string(*parameters, "name");
}

json networkpolicy_selector(const CellInput& in) { return format_label_selector(find(in.tree, "spec.podSelector")); }

json ipaddress_parent(const CellInput& in) {
  const json& parent = get_object(in.tree, "spec.parentRef");
  if (parent.empty()) return "<none>";
  std::string group = get_string(parent, "group"), ns = get_string(parent, "namespace");
  std::string out = get_string(parent, "resource") + (group.empty() ? "" : "." + group) + "/";
  return out + (ns.empty() ? "" : ns + "/") + get_string(parent, "name");
}

json servicecidr_cidrs(const CellInput& in) { return join(string_items(get_array(in.tree, "spec.cidrs")), ","); }

constexpr CellRow kNetworkCells[] = {
    {"service_cluster_ip", service_cluster_ip},
    {"service_external_ip", service_external_ip},
    {"service_ports", service_ports},
    {"service_selector", service_selector},
    {"endpoints_list", endpoints_list},
    {"endpointslice_ports", endpointslice_ports},
    {"endpointslice_endpoints", endpointslice_endpoints},
    {"ingress_class", ingress_class},
    {"ingress_hosts", ingress_hosts},
    {"ingress_address", ingress_address},
    {"ingress_ports", ingress_ports},
    {"ingressclass_name", ingressclass_name},
    {"ingressclass_parameters", ingressclass_parameters},
    {"networkpolicy_selector", networkpolicy_selector},
    {"ipaddress_parent", ipaddress_parent},
    {"servicecidr_cidrs", servicecidr_cidrs},
};

}  // namespace

std::span<const CellRow> network_cells() { return kNetworkCells; }

}  // namespace compat
