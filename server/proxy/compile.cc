#include "server/proxy/compile.h"

#include <algorithm>
#include <map>

#include "server/proxy/elements.h"

namespace server::proxy {
namespace {

constexpr const char* kRuleset =
#include "server/proxy/ruleset.nft.inc"
    ;

constexpr uint16_t kDnsPort = 53;

// What hints ask of this node.
enum class Nearness { kAnywhere, kSameNode, kSameZone };

bool holds(const std::vector<std::string>& list, const std::string& what) { return std::find(list.begin(), list.end(), what) != list.end(); }

// A port's endpoints by what may be done with them.
struct Endpoints {
  std::set<Backend> cluster;           // To be used under policy Cluster.
  std::set<Backend> local;             // To be used under policy Local.
  std::set<Backend> serving;           // Ready, or terminating and still serving: whatever may have clients.
  bool any = false;                    // There is one that could be used somewhere.
};

class PortEndpoints {
 public:
  PortEndpoints(const model::ServicePort& port, const std::vector<const model::EndpointSlice*>& slices, const NodeView& node) : node_(node) {
    for (const model::EndpointSlice* slice : slices) {
      if (slice->family != node.family) continue;
      for (const model::EndpointPort& slice_port : slice->ports) {
        if (slice_port.name != port.name || slice_port.protocol != port.protocol || !slice_port.port) continue;
        for (const model::Endpoint& endpoint : slice->endpoints) found_.push_back({{endpoint.addresses.front(), *slice_port.port}, &endpoint});
      }
    }
  }

  Endpoints sort() const {
    Endpoints out;
    const Nearness nearness = find_nearness();
    std::set<Backend> leaving, leaving_here;
    for (const Found& found : found_) {
      const model::Endpoint& endpoint = *found.endpoint;
      const bool here = endpoint.node_name == node_.name && !node_.name.empty();
      if (endpoint.ready || endpoint.serving) out.serving.insert(found.backend);
      if (endpoint.ready) {
        if (is_near(endpoint, nearness)) out.cluster.insert(found.backend);
        if (here) out.local.insert(found.backend);
      } else if (endpoint.serving && endpoint.terminating) {
        leaving.insert(found.backend);
        if (here) leaving_here.insert(found.backend);
      }
    }
    // The two policies fall back each for itself.
    if (out.cluster.empty()) out.cluster = leaving;
    if (out.local.empty()) out.local = leaving_here;
    out.any = !out.cluster.empty() || !out.local.empty();
    return out;
  }

 private:
  struct Found {
    Backend backend;
    const model::Endpoint* endpoint;
  };

  // Hints count only if every ready endpoint has one, and one of them is for us.
  Nearness find_nearness() const {
    bool all_name_nodes = true, all_name_zones = true, for_node = false, for_zone = false;
    for (const Found& found : found_) {
      const model::Endpoint& endpoint = *found.endpoint;
      if (!endpoint.ready) continue;
      all_name_nodes = all_name_nodes && !endpoint.hint_nodes.empty();
      all_name_zones = all_name_zones && !endpoint.hint_zones.empty();
      for_node = for_node || holds(endpoint.hint_nodes, node_.name);
      for_zone = for_zone || holds(endpoint.hint_zones, node_.zone);
    }
    if (all_name_nodes && for_node) return Nearness::kSameNode;
    return all_name_zones && for_zone && !node_.zone.empty() ? Nearness::kSameZone : Nearness::kAnywhere;
  }
  bool is_near(const model::Endpoint& endpoint, Nearness nearness) const {
    if (nearness == Nearness::kSameNode) return holds(endpoint.hint_nodes, node_.name);
    return nearness == Nearness::kAnywhere || holds(endpoint.hint_zones, node_.zone);
  }

  const NodeView& node_;
  std::vector<Found> found_;
};

std::string target_name(const model::ServicePort& port) {
  if (!port.name.empty()) return port.name;
  return std::to_string(port.port) + "/" + model::protocol_text(port.protocol);
}

// The kernel's set of ranges refuses one that begins inside another. Prefixes never overlap otherwise than one within the other.
std::vector<base::Cidr> without_contained(std::vector<base::Cidr> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const base::Cidr& a, const base::Cidr& b) { return a.prefix_length() < b.prefix_length(); });
  std::vector<base::Cidr> out;
  for (const base::Cidr& range : ranges) {
    const bool contained = std::any_of(out.begin(), out.end(), [&](const base::Cidr& wider) { return wider.contains(range); });
    if (!contained) out.push_back(range);
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Collects the plan of one service.
class Builder {
 public:
  Builder(const model::Service& service, const NodeView& node, const ProxyOptions& options) : service_(service), node_(node), options_(options) {
    for (const base::Ip& ip : service.cluster_ips) {
      if (ip.family() == node.family && !options.local_services.contains(ip)) plan_.cluster_ips.push_back(ip);
    }
    for (const base::Ip& ip : service.external_ips) add_external(ip);
    for (const base::Ip& ip : service.load_balancer_ips) add_external(ip);
    compile_source_ranges();
  }

  void add_port(const model::ServicePort& port, const Endpoints& endpoints) {
    const std::string name = target_name(port);
    const bool outward = !external_.empty() || (port.node_port != 0 && !node_.node_port_ips.empty());
    const bool wants_local = service_.internal_local || (outward && service_.external_local);
    std::optional<size_t> cluster, local;
    if (!service_.internal_local || outward) cluster = add_target(port, name, false, endpoints.cluster, OnEmpty::kRefuse);
    if (wants_local) local = add_target(port, name, true, endpoints.local, endpoints.any ? OnEmpty::kDrop : OnEmpty::kRefuse);
    UdpPort udp;
    auto add = [&](FrontendPlan entry) {
      if (port.protocol == Protocol::kUdp) udp.frontends.push_back(entry.frontend);
      plan_.frontends.push_back(std::move(entry));
    };
    for (const base::Ip& ip : plan_.cluster_ips) add(cluster_frontend({ip, port.protocol, port.port}, service_.internal_local ? *local : *cluster));
    if (!outward) {
      finish(udp, endpoints);
      return;
    }
    for (const base::Ip& ip : external_) {
      FrontendPlan entry = outward_frontend({ip, port.protocol, port.port}, FrontendKind::kExternal, *cluster, local);
      if (holds_ip(service_.load_balancer_ips, ip)) entry.source_ranges = ranges_for(ip);
      add(std::move(entry));
    }
    if (port.node_port != 0 && !node_.node_port_ips.empty()) {
      const base::Ip unset = node_.family == base::Family::kIpv4 ? base::Ip() : base::Ip::v6({});
      add(outward_frontend({unset, port.protocol, port.node_port}, FrontendKind::kNodePort, *cluster, local));
    }
    finish(udp, endpoints);
  }

  ServicePlan take(size_t ready_here) {
    plan_.hairpins.assign(hairpins_.begin(), hairpins_.end());
    if (service_.health_check_node_port != 0) plan_.health_check = HealthCheck{service_.health_check_node_port, ready_here};
    return std::move(plan_);
  }
  bool wants_nothing() const {
    bool node_ports = false;
    for (const model::ServicePort& port : service_.ports) node_ports = node_ports || port.node_port != 0;
    return plan_.cluster_ips.empty() && external_.empty() && !node_ports;
  }

 private:
  static bool holds_ip(const std::vector<base::Ip>& list, const base::Ip& ip) { return std::find(list.begin(), list.end(), ip) != list.end(); }

  void add_external(const base::Ip& ip) {
    if (ip.family() == node_.family && !holds_ip(external_, ip)) external_.push_back(ip);
  }
  void compile_source_ranges() {
    for (const base::Cidr& range : service_.source_ranges) {
      if (range.address().family() != node_.family) continue;
      source_ranges_.push_back(range);
      for (const base::Ip& ip : node_.addresses) node_in_range_ = node_in_range_ || range.contains(ip);
    }
  }
  std::vector<base::Cidr> ranges_for(const base::Ip& ip) const {
    std::vector<base::Cidr> out = source_ranges_;
    if (node_in_range_) out.push_back(base::Cidr::host(ip));
    return without_contained(std::move(out));
  }

  size_t add_target(const model::ServicePort& port, std::string name, bool here, const std::set<Backend>& backends, OnEmpty on_empty) {
    Target target;
    target.name = std::move(name);
    target.here = here;
    target.protocol = port.protocol;
    target.spread = options_.balancing == Balancing::kRandom ? Spread::kRandom : Spread::kRoundRobin;
    target.backends.assign(backends.begin(), backends.end());
    target.on_empty = on_empty;
    target.affinity = service_.affinity;
    for (const Backend& backend : target.backends) {
      if (node_.pod_cidr.contains(backend.ip)) hairpins_.insert(backend.ip);
    }
    plan_.targets.push_back(std::move(target));
    return plan_.targets.size() - 1;
  }
  FrontendPlan cluster_frontend(const Frontend& at, size_t target) const {
    FrontendPlan entry{at, target};
    entry.kind = FrontendKind::kCluster;
    entry.masquerade = options_.masquerade_all ? Masquerade::kEverybody : options_.detect_local ? Masquerade::kNonPods : Masquerade::kNobody;
    return entry;
  }
  FrontendPlan outward_frontend(const Frontend& at, FrontendKind kind, size_t cluster, std::optional<size_t> local) const {
    FrontendPlan entry{at, cluster};
    entry.kind = kind;
    entry.masquerade = service_.external_local ? Masquerade::kNode : Masquerade::kEverybody;
    if (service_.external_local) entry.outside_target = local;
    return entry;
  }
  void finish(UdpPort& udp, const Endpoints& endpoints) {
    if (udp.frontends.empty()) return;
    udp.serving.assign(endpoints.serving.begin(), endpoints.serving.end());
    plan_.udp_ports.push_back(std::move(udp));
  }

  const model::Service& service_;
  const NodeView& node_;
  const ProxyOptions& options_;
  ServicePlan plan_;
  std::vector<base::Ip> external_;
  std::vector<base::Cidr> source_ranges_;
  bool node_in_range_ = false;
  std::set<base::Ip> hairpins_;
};

// Counted once an address, whatever number of ports and slices it is in.
size_t count_ready_here(const std::vector<const model::EndpointSlice*>& slices, const NodeView& node) {
  std::set<base::Ip> out;
  for (const model::EndpointSlice* slice : slices) {
    if (slice->family != node.family) continue;
    for (const model::Endpoint& endpoint : slice->endpoints) {
      if (endpoint.ready && !node.name.empty() && endpoint.node_name == node.name) out.insert(endpoint.addresses.front());
    }
  }
  return out.size();
}

std::vector<std::string> ranges_of(const base::Cidr& first, const std::vector<base::Cidr>& more, base::Family family) {
  std::vector<std::string> out;
  if (first.address().family() == family) out.push_back(first.text());
  for (const base::Cidr& range : more) {
    if (range.address().family() == family) out.push_back(range.text());
  }
  return out;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
}

}  // namespace

ServicePlan compile_service(const model::Service& service, const std::vector<const model::EndpointSlice*>& slices, const NodeView& node,
                            const ProxyOptions& options) {
  if (!service.proxied || service.headless || service.type == model::ServiceType::kExternalName) return {};
  Builder builder(service, node, options);
  if (builder.wants_nothing()) return {};
  for (const model::ServicePort& port : service.ports) builder.add_port(port, PortEndpoints(port, slices, node).sort());
  return builder.take(count_ready_here(slices, node));
}

std::vector<base::Ip> choose_node_port_ips(const std::vector<base::Ip>& addresses, const ProxyOptions& options) {
  if (addresses.empty()) return {};
  const base::Family family = addresses.front().family();
  bool chosen = false;  // Ranges of the other family do not count.
  std::vector<base::Ip> out;
  for (const base::Cidr& range : options.node_port_addresses) {
    if (range.address().family() != family) continue;
    chosen = true;
    for (const base::Ip& ip : addresses) {
      if (range.contains(ip) && std::find(out.begin(), out.end(), ip) == out.end()) out.push_back(ip);
    }
  }
  return chosen ? out : std::vector<base::Ip>{addresses.front()};
}

std::vector<std::string> service_ranges(const ProxyOptions& options, base::Family family) {
  return ranges_of(options.service_cidr, options.more_service_cidrs, family);
}

std::string compile_ruleset(const NodeView& node, const ProxyOptions& options) {
  auto elements = [](const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + text;
    return out.empty() ? out : "elements = { " + out + " };";
  };
  std::vector<std::string> local, node_port_ips;
  for (const base::Ip& ip : options.local_services) {
    if (ip.family() != node.family) continue;
    for (const char* protocol : {"udp", "tcp"}) local.push_back(ip.text() + " . " + protocol + " . " + std::to_string(kDnsPort));
  }
  for (const base::Ip& ip : node.node_port_ips) node_port_ips.push_back(ip.text());
  const std::vector<std::string> pod_cidrs = ranges_of(options.pod_cidr, options.more_pod_cidrs, node.family);
  const std::map<std::string, std::string> values = {
      {"{{ip}}", family_text(node.family)},
      {"{{addr}}", node.family == base::Family::kIpv4 ? "ipv4_addr" : "ipv6_addr"},
      {"{{service_cidrs}}", elements(service_ranges(options, node.family))},
      {"{{pod_cidrs}}", elements(pod_cidrs)},
      {"{{pods}}", elements(options.detect_local ? pod_cidrs : std::vector<std::string>{})},
      {"{{node_port_ips}}", elements(node_port_ips)},
      {"{{local_services}}", elements(local)},
      {"{{node}}", node.addresses.front().text()},
  };
  std::string text = kRuleset;
  for (const auto& [name, value] : values) replace_all(text, name, value);
  // Adding before deleting makes the delete succeed when there was no table.
  const std::string table = table_text(node.family);
  text = "add table " + table + "\ndelete table " + table + "\n" + text;
  for (const base::Ip& ip : options.local_services) {
    if (ip.family() == node.family) text += "add element " + table + " cluster_ips { " + ip.text() + " }\n";
  }
  return text;
}

}  // namespace server::proxy
