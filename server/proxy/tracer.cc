#include "server/proxy/tracer.h"

#include <algorithm>

namespace server::proxy {
namespace {

bool contains(const base::Cidr& first, const std::vector<base::Cidr>& more, const base::Ip& ip) {
  auto has = [&ip](const base::Cidr& range) { return range.contains(ip); };
  return has(first) || std::any_of(more.begin(), more.end(), has);
}

bool holds(const std::vector<base::Ip>& list, const base::Ip& ip) { return std::find(list.begin(), list.end(), ip) != list.end(); }

std::string endpoint_text(const Backend& backend) {
  const std::string ip = backend.ip.is_v4() ? backend.ip.text() : "[" + backend.ip.text() + "]";
  return ip + ":" + std::to_string(backend.port);
}

}  // namespace

const char* verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kForward:
      return "forward";
    case Verdict::kRefuse:
      return "refuse";
    case Verdict::kDrop:
      return "drop";
  }
  return "pass";
}

std::string render_trace(const Trace& trace) {
  std::string out = std::string(verdict_text(trace.verdict)) + ": " + trace.reason + "\n";
  for (const Choice& choice : trace.choices) {
    out += "  " + endpoint_text(choice.backend) + (choice.masqueraded ? ", sees the node's address" : ", sees the source's address") + "\n";
  }
  return out;
}

void Tracer::put(const ServiceKey& key, ServicePlan plan) {
  if (plan.empty()) {
    plans_.erase(key);
  } else {
    plans_[key] = std::move(plan);
  }
}

// An address of its own goes before a node port; of two services that claim one, the first by name has it.
Tracer::Met Tracer::find_frontend(const TracedFlow& flow) const {
  const Frontend at{flow.destination, flow.protocol, flow.port};
  Met node_port;
  for (const auto& [key, plan] : plans_) {
    for (const FrontendPlan& entry : plan.frontends) {
      if (entry.kind != FrontendKind::kNodePort) {
        if (entry.frontend == at) return {&key, &plan, &entry};
      } else if (node_port.entry == nullptr && entry.frontend.protocol == at.protocol && entry.frontend.port == at.port &&
                 holds(node_.node_port_ips, at.ip)) {
        node_port = {&key, &plan, &entry};
      }
    }
  }
  return node_port;
}

Tracer::SourceKind Tracer::source_kind(const TracedFlow& flow) const {
  if (flow.from_node) return SourceKind::kNode;
  const bool pod = options_.detect_local && contains(options_.pod_cidr, options_.more_pod_cidrs, flow.source);
  return pod ? SourceKind::kPod : SourceKind::kOutside;
}

Trace Tracer::without_frontend(const TracedFlow& flow) const {
  Trace out;
  const std::string address = flow.destination.text();
  if (options_.local_services.contains(flow.destination)) {
    constexpr uint16_t kDnsPort = 53;
    out.verdict = flow.port == kDnsPort && flow.protocol != Protocol::kSctp ? Verdict::kPass : Verdict::kRefuse;
    out.reason = address + " is served by the node itself, on port 53";
    return out;
  }
  if (!contains(options_.service_cidr, options_.more_service_cidrs, flow.destination)) {
    out.reason = address + " port " + std::to_string(flow.port) + " belongs to no Service";
    return out;
  }
  for (const auto& [key, plan] : plans_) {
    if (!holds(plan.cluster_ips, flow.destination)) continue;
    out.verdict = Verdict::kRefuse;
    out.service = key;
    out.reason = "Service " + key.text() + " has no " + model::protocol_text(flow.protocol) + " port " + std::to_string(flow.port);
    return out;
  }
  out.verdict = Verdict::kDrop;
  out.reason = "no Service has the cluster IP " + address;
  return out;
}

Trace Tracer::trace(const TracedFlow& flow) const {
  if (flow.destination.family() != node_.family) {
    Trace out;
    out.reason = "the other address family";
    return out;
  }
  const Met met = find_frontend(flow);
  if (met.entry == nullptr) return without_frontend(flow);
  const FrontendPlan& entry = *met.entry;
  Trace out;
  out.service = *met.key;
  const std::string name = "Service " + met.key->text();
  if (!entry.source_ranges.empty() && !contains(entry.source_ranges.front(), entry.source_ranges, flow.source)) {
    out.verdict = Verdict::kDrop;
    out.reason = flow.source.text() + " is in none of the loadBalancerSourceRanges of " + name;
    return out;
  }
  const SourceKind source = source_kind(flow);
  const bool outside = source == SourceKind::kOutside && entry.outside_target.has_value();
  const Target& target = met.plan->targets[outside ? *entry.outside_target : entry.target];
  out.target = target_text(target);
  if (target.backends.empty()) {
    out.verdict = target.on_empty == OnEmpty::kDrop ? Verdict::kDrop : Verdict::kRefuse;
    out.reason = name + (target.on_empty == OnEmpty::kDrop ? " has no endpoint on this node, and its traffic policy is Local" : " has no endpoint");
    return out;
  }
  out.verdict = Verdict::kForward;
  out.reason = name + ", target " + out.target;
  out.sticky = target.affinity.count() > 0;
  const bool masqueraded = entry.masquerade == Masquerade::kEverybody || (entry.masquerade == Masquerade::kNonPods && source != SourceKind::kPod) ||
                           (entry.masquerade == Masquerade::kNode && source == SourceKind::kNode);
  for (const Backend& backend : target.backends) out.choices.push_back({backend, masqueraded || backend.ip == flow.source});
  return out;
}

}  // namespace server::proxy
