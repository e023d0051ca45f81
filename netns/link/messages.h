// netns/link/messages.h - the rtnetlink messages the fabric needs, each appended to a Batch. Either address
// family. Nothing is sent here.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "netns/link/batch.h"
#include "store/base/ip.h"

namespace netns {

using Mac = std::array<uint8_t, 6>;

// A locally administered address that shows the IP it belongs to: 02:6b:ac:1e:00:0b for 172.30.0.11.
Mac make_mac(const base::Ip& ip);

// In a namespace of our making: lo is 1, and eth0 is put at 2. Indices of host-side ends start at
// kFirstPortIndex, so that the two ends of a veth never have the same index: with equal indices the kernel takes the
// pair for a plain device and may sit on its carrier event for up to a second.
inline constexpr int kLoIndex = 1;
inline constexpr int kEth0Index = 2;
inline constexpr int kFirstPortIndex = 100;

struct Veth {
  std::string name;              // This end, in the socket's namespace. Brought up.
  int index = 0;                 // Its index.
  Mac mac{};
  int master = 0;                // Bridge it becomes a port of; 0: none.
  int peer_net = -1;             // Namespace of the other end, which is called eth0 and stays down: bringing a
  Mac peer_mac{};                // peer up in the message that creates the pair fails with ENOTCONN.
};
void add_veth(Batch& batch, const Veth& veth);
void add_bridge(Batch& batch, const std::string& name, int index, const Mac& mac);
void set_link_up(Batch& batch, int index);
void add_address(Batch& batch, int index, const base::Ip& address, int prefix_length, uint8_t scope);

struct Route {
  base::Cidr to;
  std::vector<base::Ip> via;          // Of several, each connection takes one.
  int device = 0;                     // 0: by `via` alone.
  std::optional<base::Ip> source;     // Address that local programs send from.
  bool unreachable = false;           // Answers "no route to host" at once.
  uint8_t table = 254;                // RT_TABLE_MAIN
};
// An existing route to the same prefix is replaced.
void add_route(Batch& batch, const Route& route);
void delete_route(Batch& batch, const Route& route);
// What this namespace itself sends, as against what it forwards, is looked up in `table` first.
void add_own_traffic_rule(Batch& batch, base::Family family, uint8_t table);
// A permanent neighbour: no ARP or ND traffic for it.
void add_neighbour(Batch& batch, int index, const base::Ip& ip, const Mac& mac);

}  // namespace netns
