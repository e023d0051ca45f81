// server/dns/look_up.h - a name's addresses for a part of kubelan itself, as a pod's resolver would find them. The zone's thread.
#pragma once

#include <string>

#include "server/dns/dns.h"
#include "server/dns/zone.h"

namespace server::dns {

// `name` without a dot at its end. Names of DOMAIN are asked for as they are; others below svc.DOMAIN and DOMAIN before.
DnsAddresses find_addresses(Zone& zone, const std::string& name, const std::string& domain);

}  // namespace server::dns
