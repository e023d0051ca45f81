#include "server/proxy/compile.h"

#include <algorithm>
#include <map>

namespace server::proxy {
namespace {

constexpr const char* kRuleset =
#include "server/proxy/ruleset.nft.inc"
    ;

constexpr uint16_t kDnsPort = 53;

struct Candidates {
  std::set<Backend> ready;
  std::set<Backend> serving;  // Terminating but still answering.
};

Candidates find_candidates(const model::ServicePort& port, const std::vector<const model::EndpointSlice*>& slices, base::Family family) {
  Candidates out;
  for (const model::EndpointSlice* slice : slices) {
    if (slice->family != family) continue;
    for (const model::EndpointPort& slice_port : slice->ports) {
      if (slice_port.name != port.name || slice_port.protocol != port.protocol || !slice_port.port) continue;
      for (const model::Endpoint& endpoint : slice->endpoints) {
        if (endpoint.ready) {
          out.ready.insert({endpoint.addresses.front(), *slice_port.port});
        } else if (endpoint.serving && endpoint.terminating) {
          out.serving.insert({endpoint.addresses.front(), *slice_port.port});
        }
      }
    }
  }
  return out;
}

std::string target_name(const model::ServicePort& port) {
  if (!port.name.empty()) return port.name;
  return std::to_string(port.port) + "/" + model::protocol_text(port.protocol);
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

}  // namespace

ServicePlan compile_service(const model::Service& service, const std::vector<const model::EndpointSlice*>& slices, const NodeView& node,
                            const ProxyOptions& options) {
  ServicePlan plan;
  for (const base::Ip& ip : service.cluster_ips) {
    if (ip.family() == node.family && !options.local_services.contains(ip)) plan.cluster_ips.push_back(ip);
  }
  if (plan.cluster_ips.empty()) return plan;
  std::set<base::Ip> hairpins;
  for (const model::ServicePort& port : service.ports) {
    Candidates candidates = find_candidates(port, slices, node.family);
    const std::set<Backend>& chosen = candidates.ready.empty() ? candidates.serving : candidates.ready;
    Target target;
    target.name = target_name(port);
    target.protocol = port.protocol;
    target.spread = options.balancing == Balancing::kRandom ? Spread::kRandom : Spread::kRoundRobin;
    target.backends.assign(chosen.begin(), chosen.end());
    for (const Backend& backend : target.backends) {
      if (node.pod_cidr.contains(backend.ip)) hairpins.insert(backend.ip);
    }
    plan.targets.push_back(std::move(target));
    for (const base::Ip& ip : plan.cluster_ips) {
      plan.frontends.push_back({{ip, port.protocol, port.port}, plan.targets.size() - 1});
    }
  }
  plan.hairpins.assign(hairpins.begin(), hairpins.end());
  return plan;
}

std::string compile_ruleset(const base::Ip& node_address, const ProxyOptions& options) {
  const bool v4 = node_address.is_v4();
  std::string local;
  for (const base::Ip& ip : options.local_services) {
    if (ip.family() != node_address.family()) continue;
    for (const char* protocol : {"udp", "tcp"}) {
      local += (local.empty() ? "" : ", ") + ip.text() + " . " + protocol + " . " + std::to_string(kDnsPort);
    }
  }
  if (!local.empty()) local = "elements = { " + local + " };";
  const std::map<std::string, std::string> values = {
      {"{{ip}}", v4 ? "ip" : "ip6"},
      {"{{addr}}", v4 ? "ipv4_addr" : "ipv6_addr"},
      {"{{service_cidr}}", options.service_cidr.text()},
      {"{{pod_cidr}}", options.pod_cidr.text()},
      {"{{local_services}}", local},
      {"{{node}}", node_address.text()},
  };
  std::string text = kRuleset;
  for (const auto& [name, value] : values) replace_all(text, name, value);
  // Adding before deleting makes the delete succeed when there was no table.
  const std::string table = std::string(v4 ? "ip" : "ip6") + " kubelan";
  text = "add table " + table + "\ndelete table " + table + "\n" + text;
  for (const base::Ip& ip : options.local_services) {
    if (ip.family() == node_address.family()) text += "add element " + table + " cluster_ips { " + ip.text() + " }\n";
  }
  return text;
}

}  // namespace server::proxy
