// server/proxy/stale.h - which tracked UDP connections a change of a service leaves without an endpoint. A client that keeps
// its source port would go on to be sent there for as long as it keeps talking. Pure; any thread.
//
// Of a port whose endpoints or frontends changed: connections to one of its frontends that nobody answers who still serves,
// whatever traffic policies and hints say to new ones. A port with no serving endpoint at all is left alone, as are TCP and
// SCTP, whose clients notice by themselves (kube-proxy's rules).
#pragma once

#include <vector>

#include "netns/conntrack/conntrack.h"
#include "server/proxy/plan.h"

namespace server::proxy {

std::vector<netns::Conntrack::Stale> compile_stale(const std::vector<UdpPort>& before, const std::vector<UdpPort>& after, base::Family family);

}  // namespace server::proxy
