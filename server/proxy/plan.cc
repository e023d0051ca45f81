#include "server/proxy/plan.h"

#include <sstream>

namespace server::proxy {

std::string render_plan(const ServiceKey& key, const ServicePlan& plan) {
  std::ostringstream out;
  out << "service " << key.text() << "\n";
  for (const base::Ip& ip : plan.cluster_ips) out << "  address " << ip.text() << "\n";
  for (const FrontendPlan& entry : plan.frontends) {
    out << "  " << entry.frontend.ip.text() << " " << model::protocol_text(entry.frontend.protocol) << " " << entry.frontend.port << " -> "
        << plan.targets[entry.target].name << "\n";
  }
  for (const Target& target : plan.targets) {
    out << "  target " << target.name << ":";
    if (target.backends.empty()) out << " refuse";
    if (target.backends.size() > 1) out << (target.spread == Spread::kRandom ? " at random" : " in turn");
    for (const Backend& backend : target.backends) {
      out << " " << backend.ip.text() << (backend.ip.is_v4() ? ":" : " port ") << backend.port;
    }
    out << "\n";
  }
  return out.str();
}

}  // namespace server::proxy
