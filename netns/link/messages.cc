#include "netns/link/messages.h"

#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

namespace netns {
namespace {

constexpr uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;

uint8_t family_of(const base::Ip& ip) { return ip.is_v4() ? AF_INET : AF_INET6; }

rtmsg route_header(const Route& route) {
  rtmsg header{};
  header.rtm_family = family_of(route.to.address());
  header.rtm_dst_len = static_cast<uint8_t>(route.to.prefix_length());
  header.rtm_table = route.table;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = !route.via.empty() || route.unreachable || !route.to.address().is_v4() ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
  header.rtm_type = route.unreachable ? RTN_UNREACHABLE : RTN_UNICAST;
  return header;
}

// A run of rtnexthop headers, each with its gateway as an attribute.
void put_next_hops(Batch& batch, const Route& route) {
  std::string hops;
  for (const base::Ip& via : route.via) {
    rtnexthop hop{};
    hop.rtnh_len = static_cast<uint16_t>(sizeof hop + RTA_LENGTH(via.size()));
    hop.rtnh_ifindex = route.device;
    rtattr gateway{};
    gateway.rta_type = RTA_GATEWAY;
    gateway.rta_len = static_cast<uint16_t>(RTA_LENGTH(via.size()));
    hops.append(reinterpret_cast<const char*>(&hop), sizeof hop);
    hops.append(reinterpret_cast<const char*>(&gateway), sizeof gateway);
    hops.append(reinterpret_cast<const char*>(via.bytes()), via.size());
  }
  batch.put(RTA_MULTIPATH, hops.data(), hops.size());
}

void put_route(Batch& batch, const Route& route) {
  if (route.to.prefix_length() > 0) batch.put_ip(RTA_DST, route.to.address());
  if (route.via.size() > 1) {
    put_next_hops(batch, route);
    return;
  }
  if (!route.via.empty()) batch.put_ip(RTA_GATEWAY, route.via.front());
  if (route.device != 0) batch.put_u32(RTA_OIF, static_cast<uint32_t>(route.device));
  if (route.source) batch.put_ip(RTA_PREFSRC, *route.source);
}

}  // namespace

Mac make_mac(const base::Ip& ip) {
  const uint8_t* last = ip.bytes() + ip.size() - 4;
  return {0x02, static_cast<uint8_t>(ip.is_v4() ? 0x6b : 0x6c), last[0], last[1], last[2], last[3]};
}

void add_veth(Batch& batch, const Veth& veth) {
  ifinfomsg info{};
  info.ifi_index = veth.index;
  info.ifi_flags = IFF_UP;
  info.ifi_change = IFF_UP;
  batch.begin(RTM_NEWLINK, kCreate, info, "create veth " + veth.name);
  batch.put_string(IFLA_IFNAME, veth.name);
  batch.put(IFLA_ADDRESS, veth.mac.data(), veth.mac.size());
  if (veth.master != 0) batch.put_u32(IFLA_MASTER, static_cast<uint32_t>(veth.master));
  size_t link_info = batch.open_nest(IFLA_LINKINFO);
  batch.put_string(IFLA_INFO_KIND, "veth");
  size_t data = batch.open_nest(IFLA_INFO_DATA);
  ifinfomsg peer_info{};
  peer_info.ifi_index = kEth0Index;
  size_t peer = batch.open_nest(VETH_INFO_PEER, &peer_info, sizeof peer_info);
  batch.put_string(IFLA_IFNAME, "eth0");
  batch.put(IFLA_ADDRESS, veth.peer_mac.data(), veth.peer_mac.size());
  batch.put_u32(IFLA_NET_NS_FD, static_cast<uint32_t>(veth.peer_net));
  batch.close_nest(peer);
  batch.close_nest(data);
  batch.close_nest(link_info);
}

void add_bridge(Batch& batch, const std::string& name, int index, const Mac& mac) {
  ifinfomsg info{};
  info.ifi_index = index;
  info.ifi_flags = IFF_UP;
  info.ifi_change = IFF_UP;
  batch.begin(RTM_NEWLINK, kCreate, info, "create bridge " + name);
  batch.put_string(IFLA_IFNAME, name);
  // Fixed: a bridge without one takes its lowest port's, and neighbours go stale when that changes.
  batch.put(IFLA_ADDRESS, mac.data(), mac.size());
  size_t link_info = batch.open_nest(IFLA_LINKINFO);
  batch.put_string(IFLA_INFO_KIND, "bridge");
  size_t data = batch.open_nest(IFLA_INFO_DATA);
  batch.put_u32(IFLA_BR_STP_STATE, 0);
  batch.put_u32(IFLA_BR_FORWARD_DELAY, 0);
  batch.put_u8(IFLA_BR_MCAST_SNOOPING, 0);
  batch.close_nest(data);
  batch.close_nest(link_info);
}

void set_link_up(Batch& batch, int index) {
  ifinfomsg info{};
  info.ifi_index = index;
  info.ifi_flags = IFF_UP;
  info.ifi_change = IFF_UP;
  batch.begin(RTM_NEWLINK, 0, info, "bring link " + std::to_string(index) + " up");
}

void add_address(Batch& batch, int index, const base::Ip& address, int prefix_length, uint8_t scope) {
  ifaddrmsg header{};
  header.ifa_family = family_of(address);
  header.ifa_prefixlen = static_cast<uint8_t>(prefix_length);
  header.ifa_index = static_cast<uint32_t>(index);
  header.ifa_scope = scope;
  // Duplicate detection would keep an IPv6 address unusable for a second; ours are unique by construction.
  if (!address.is_v4()) header.ifa_flags = IFA_F_NODAD;
  batch.begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, header, "add address " + address.text());
  batch.put_ip(IFA_LOCAL, address);
  batch.put_ip(IFA_ADDRESS, address);
}

void add_route(Batch& batch, const Route& route) {
  batch.begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, route_header(route), "add route to " + route.to.text());
  put_route(batch, route);
}

void delete_route(Batch& batch, const Route& route) {
  rtmsg header = route_header(route);
  header.rtm_scope = RT_SCOPE_NOWHERE;  // Any.
  batch.begin(RTM_DELROUTE, 0, header, "delete route to " + route.to.text());
  put_route(batch, route);
}

void add_own_traffic_rule(Batch& batch, base::Family family, uint8_t table) {
  fib_rule_hdr header{};
  header.family = family == base::Family::kIpv4 ? AF_INET : AF_INET6;
  header.table = table;
  header.action = FR_ACT_TO_TBL;
  batch.begin(RTM_NEWRULE, kCreate, header, "add a routing rule");
  batch.put_string(FRA_IIFNAME, "lo");  // The kernel's name for "sent from here".
  batch.put_u32(FRA_PRIORITY, 100);
}

void add_neighbour(Batch& batch, int index, const base::Ip& ip, const Mac& mac) {
  ndmsg header{};
  header.ndm_family = family_of(ip);
  header.ndm_ifindex = index;
  header.ndm_state = NUD_PERMANENT;
  batch.begin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, header, "add neighbour " + ip.text());
  batch.put_ip(NDA_DST, ip);
  batch.put(NDA_LLADDR, mac.data(), mac.size());
}

}  // namespace netns
