// Endpoints and EndpointSlice.
#include <nlohmann/json.hpp>
#include <set>

#include "store/object/label_syntax.h"
#include "store/schema/ip_syntax.h"
#include "store/schema/rules.h"

namespace store {
namespace {

constexpr std::string_view kAddressTypes[] = {"FQDN", "IPv4", "IPv6"};
constexpr size_t kMaxAddresses = 100;
constexpr size_t kMaxEndpoints = 1000;
constexpr size_t kMaxPorts = 20000;
constexpr size_t kMaxHints = 8;
constexpr size_t kMaxTopology = 16;

base::Cause too_many(const std::string& field, size_t count, size_t most) {
  return {"FieldValueTooMany", "Too many: " + std::to_string(count) + ": must have at most " + std::to_string(most) + " items", field};
}

// Of a pointer: "" is a value.
void check_name_at(const json& parent, const char* key, NameRule rule, const std::string& path, Causes& causes) {
  if (says(parent, key)) add_problem(causes, path + "." + key, string_at(parent, key), name_problem(string_at(parent, key), rule));
}

void check_app_protocol(const json& port, const std::string& path, Causes& causes) {
  if (says(port, "appProtocol")) add_problem(causes, path + ".appProtocol", string_at(port, "appProtocol"), label_key_problem(string_at(port, "appProtocol")));
}

// Addresses that no traffic can go to.
void check_reachable(const std::string& text, const std::string& field, Causes& causes) {
  const auto ip = parse_legacy_ip(text);
  add_problem(causes, field, text, ip ? special_ip_problem(*ip) : "must be a valid IP address");
}

void check_address(const json& address, const std::string& path, Causes& causes) {
  const std::string ip = string_at(address, "ip"), hostname = string_at(address, "hostname");
  if (!parse_legacy_ip(ip)) causes.push_back(cause_invalid(path + ".ip", ip, std::string(kBadIp)));
  if (!hostname.empty()) add_problem(causes, path + ".hostname", hostname, name_problem(hostname, NameRule::kDnsLabel));
  check_name_at(address, "nodeName", NameRule::kDnsSubdomain, path, causes);
  check_reachable(ip, path + ".ip", causes);
}

void check_port(const json& port, bool need_name, const std::string& path, Causes& causes) {
  const std::string name = string_at(port, "name"), protocol = string_at(port, "protocol");
  if (!name.empty()) add_problem(causes, path + ".name", name, name_problem(name, NameRule::kDnsLabel));
  else if (need_name) causes.push_back(cause_required(path + ".name"));
  const int64_t number = integer_at(port, "port");
  add_problem(causes, path + ".port", number, port_number_problem(number));
  if (protocol.empty()) causes.push_back(cause_required(path + ".protocol"));
  else if (!is_among(kProtocols, protocol)) causes.push_back(cause_not_supported(path + ".protocol", protocol, kProtocols));
  check_app_protocol(port, path, causes);
}

void check_subset(const json& subset, const std::string& path, Causes& causes) {
  if (array_at(subset, "addresses").empty() && array_at(subset, "notReadyAddresses").empty()) {
    causes.push_back(cause_required(path, "must specify `addresses` or `notReadyAddresses`"));
  }
  for (const char* list : {"addresses", "notReadyAddresses"}) {
    const json& addresses = array_at(subset, list);
    for (size_t i = 0; i < addresses.size(); ++i) check_address(addresses[i], item(path, list, i), causes);
  }
  const json& ports = array_at(subset, "ports");
  for (size_t i = 0; i < ports.size(); ++i) check_port(ports[i], ports.size() > 1, item(path, "ports", i), causes);
}

void check_slice_address(const std::string& type, const json& address, const std::string& list, const std::string& field, Causes& causes) {
  if (!address.is_string()) return;
  const std::string& text = address.get_ref<const std::string&>();
  if (type == "FQDN") return check_domain_name(text, field, causes);
  if (type != "IPv4" && type != "IPv6") return;
  // IPv6 came when parsers had become strict; IPv4 takes the old forms.
  const auto ip = parse_legacy_ip(text);
  const std::string problem = !ip ? std::string(kBadIp) : type == "IPv6" ? strict_ip_problem(text) : "";
  if (!problem.empty()) return add_problem(causes, field, address, problem);
  if (ip->is_v4() != (type == "IPv4")) causes.push_back(cause_invalid(list, address, "must be an " + type + " address"));
  check_reachable(text, field, causes);
}

void check_hint_list(const json& hints, const char* list, const std::string& path, Causes& causes) {
  const json& entries = array_at(hints, list);
  if (entries.size() > kMaxHints) return causes.push_back(too_many(path + "." + list, entries.size(), kMaxHints));
  std::set<std::string> seen;
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::string field = item(path, list, i) + ".name", name = string_at(entries[i], "name");
    if (!seen.insert(name).second) causes.push_back(cause_duplicate(field, name));
    const bool zone = std::string_view(list) == "forZones";
    add_problem(causes, field, name, zone ? label_value_problem(name) : name_problem(name, NameRule::kDnsSubdomain));
  }
}

void check_endpoint(const json& endpoint, const std::string& type, const std::string& path, Causes& causes) {
  const json &addresses = array_at(endpoint, "addresses"), &topology = object_at(endpoint, "deprecatedTopology");
  const std::string list = path + ".addresses";
  if (addresses.empty()) causes.push_back(cause_required(list, "must contain at least 1 address"));
  if (addresses.size() > kMaxAddresses) causes.push_back(too_many(list, addresses.size(), kMaxAddresses));
  for (size_t i = 0; i < addresses.size(); ++i) check_slice_address(type, addresses[i], list, item(path, "addresses", i), causes);
  check_name_at(endpoint, "nodeName", NameRule::kDnsSubdomain, path, causes);
  if (topology.size() > kMaxTopology) causes.push_back(too_many(path + ".deprecatedTopology", topology.size(), kMaxTopology));
  check_labels(topology, path + ".deprecatedTopology", causes);
  check_name_at(endpoint, "hostname", NameRule::kDnsLabel, path, causes);
  const json& hints = object_at(endpoint, "hints");
  check_hint_list(hints, "forZones", path + ".hints", causes);
  if (array_at(hints, "forZones").size() <= kMaxHints) check_hint_list(hints, "forNodes", path + ".hints", causes);
}

// Numbers may be anything here, and upstream lets them.
void check_slice_ports(const json& ports, Causes& causes) {
  if (ports.size() > kMaxPorts) return causes.push_back(too_many("ports", ports.size(), kMaxPorts));
  std::set<std::string> names;
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string path = item("", "ports", i), name = string_at(ports[i], "name"), protocol = string_at(ports[i], "protocol");
    if (!name.empty()) add_problem(causes, path + ".name", name, name_problem(name, NameRule::kDnsLabel));
    if (!names.insert(name).second) causes.push_back(cause_duplicate(path + ".name", name));
    if (!is_among(kProtocols, protocol)) causes.push_back(cause_not_supported(path + ".protocol", protocol, kProtocols));
    check_app_protocol(ports[i], path, causes);
  }
}

Causes check_endpoints_of_slice(const json& tree) {
  Causes causes;
  const json& endpoints = array_at(tree, "endpoints");
  if (endpoints.size() > kMaxEndpoints) causes.push_back(too_many("endpoints", endpoints.size(), kMaxEndpoints));
  for (size_t i = 0; causes.empty() || i < endpoints.size(); ++i) {
    if (i >= endpoints.size() || endpoints.size() > kMaxEndpoints) break;
    check_endpoint(endpoints[i], string_at(tree, "addressType"), item("", "endpoints", i), causes);
  }
  return causes;
}

}  // namespace

void check_domain_name(const std::string& name, const std::string& field, Causes& causes) {
  if (name.empty()) return causes.push_back(cause_required(field));
  const std::string domain = name.back() == '.' ? name.substr(0, name.size() - 1) : name;
  const std::string problem = name_problem(domain, NameRule::kDnsSubdomain);
  if (!problem.empty()) return causes.push_back(cause_invalid(field, domain, problem));
  if (domain.find('.') == std::string::npos) {
    return causes.push_back(cause_invalid(field, domain, "should be a domain with at least two segments separated by dots"));
  }
  for (size_t start = 0; start <= domain.size();) {
    const size_t end = std::min(domain.find('.', start), domain.size());
    const std::string label = domain.substr(start, end - start), wrong = name_problem(label, NameRule::kDnsLabel);
    if (!wrong.empty()) return causes.push_back(cause_invalid(field, label, wrong));
    start = end + 1;
  }
}

namespace {

}  // namespace

// What was accepted once may stay as it is.
std::vector<base::Cause> validate_endpoints(const json& tree, const json* old) {
  Causes causes;
  const json& subsets = array_at(tree, "subsets");
  if (old && array_at(*old, "subsets") == subsets) return causes;
  for (size_t i = 0; i < subsets.size(); ++i) check_subset(subsets[i], item("", "subsets", i), causes);
  return causes;
}

std::vector<base::Cause> validate_endpointslice(const json& tree, const json* old) {
  Causes causes;
  const std::string type = string_at(tree, "addressType");
  if (type.empty()) causes.push_back(cause_required("addressType"));
  else if (!is_among(kAddressTypes, type)) causes.push_back(cause_not_supported("addressType", type, kAddressTypes));
  check_slice_ports(array_at(tree, "ports"), causes);
  if (!old || array_at(*old, "endpoints") != array_at(tree, "endpoints")) append(causes, check_endpoints_of_slice(tree));
  if (old && string_at(*old, "addressType") != type) causes.push_back(cause_invalid("addressType", type, "field is immutable"));
  return causes;
}

}  // namespace store
