// Endpoints and EndpointSlice.
#include <nlohmann/json.hpp>
#include <set>

#include "store/base/ip.h"
#include "store/schema/rules.h"

namespace store {
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
