#include "server/gateway/status_addresses.h"

#include <nlohmann/json.hpp>

#include "store/base/ip.h"
#include "store/object/access.h"

namespace server {
namespace {

using store::get_array;
using store::get_string;

void add(json& out, const std::string& address) {
  if (address.empty() || address == "None") return;
  const json entry = {{base::Ip::parse(address).ok() ? "ip" : "hostname", address}};
  for (const json& other : out) {
    if (other == entry) return;
  }
  out.push_back(entry);
}

}  // namespace

json status_addresses(const std::vector<std::string>& publish, const json* service) {
  json out = json::array();
  for (const std::string& address : publish) add(out, address);
  if (!publish.empty() || service == nullptr) return out;
  const std::string type = get_string(*service, "spec.type");
  if (type == "ExternalName") add(out, get_string(*service, "spec.externalName"));
  for (const json& ingress : get_array(*service, "status.loadBalancer.ingress")) {
    const std::string ip = get_string(ingress, "ip");
    add(out, ip.empty() ? get_string(ingress, "hostname") : ip);
  }
  if (type != "LoadBalancer") add(out, get_string(*service, "spec.clusterIP"));
  for (const json& ip : get_array(*service, "spec.externalIPs")) {
    if (ip.is_string()) add(out, ip.get<std::string>());
  }
  return out;
}

}  // namespace server
