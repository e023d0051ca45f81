#include "server/proxy/plan.h"

#include <sstream>

namespace server::proxy {

namespace {

std::string render_frontend(const FrontendPlan& entry) {
  const std::string where = entry.kind == FrontendKind::kNodePort ? "node port" : entry.frontend.ip.text();
  return where + " " + model::protocol_text(entry.frontend.protocol) + " " + std::to_string(entry.frontend.port);
}

const char* masquerade_text(const FrontendPlan& entry) {
  switch (entry.masquerade) {
    case Masquerade::kNobody:
      return ", sources kept";
    case Masquerade::kNonPods:
      return "";  // The usual for a ClusterIP.
    case Masquerade::kNode:
      return ", the node masqueraded";
    case Masquerade::kEverybody:
      return ", masqueraded";
  }
  return "";
}

}  // namespace

std::string target_text(const Target& target) { return target.name + (target.here ? " on this node" : ""); }

std::string render_plan(const ServiceKey& key, const ServicePlan& plan) {
  std::ostringstream out;
  out << "service " << key.text() << "\n";
  for (const base::Ip& ip : plan.cluster_ips) out << "  address " << ip.text() << "\n";
  for (const FrontendPlan& entry : plan.frontends) {
    out << "  " << render_frontend(entry) << " -> " << target_text(plan.targets[entry.target]) << masquerade_text(entry);
    if (entry.outside_target) out << "; from outside -> " << target_text(plan.targets[*entry.outside_target]);
    if (!entry.source_ranges.empty()) out << "; only from";
    for (const base::Cidr& range : entry.source_ranges) out << " " << range.text();
    out << "\n";
  }
  for (const Target& target : plan.targets) {
    out << "  target " << target_text(target) << ":";
    if (target.backends.empty()) out << (target.on_empty == OnEmpty::kDrop ? " drop" : " refuse");
    if (target.backends.size() > 1) out << (target.spread == Spread::kRandom ? " at random" : " in turn");
    if (target.affinity.count() > 0) out << ", a client stays for " << target.affinity.count() << " s:";
    for (const Backend& backend : target.backends) {
      out << " " << backend.ip.text() << (backend.ip.is_v4() ? ":" : " port ") << backend.port;
    }
    out << "\n";
  }
  if (plan.health_check) out << "  health check on " << plan.health_check->port << ": " << plan.health_check->local_endpoints << " here\n";
  return out.str();
}

}  // namespace server::proxy
