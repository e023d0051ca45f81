// netns/conntrack/conntrack.h - the tracked connections of one network namespace: found, counted, deleted. The table is
// the machine's, but a namespace sees and deletes its own entries only. Use on the Worker that opened it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/result.h"

namespace netns {

struct Endpoint {
  base::Ip ip;
  uint16_t port = 0;
  auto operator<=>(const Endpoint&) const = default;
};

struct TrackedConnection {
  uint8_t protocol = 0;  // IPPROTO_UDP...
  // As its first packet went. Ports are 0 for protocols that have none.
  Endpoint source, destination;
  // As its answers come: after DNAT the source is the endpoint that was chosen.
  Endpoint reply_source, reply_destination;
  uint32_t mark = 0;
  uint32_t id = 0;
  bool operator==(const TrackedConnection&) const = default;
};

// What is given must match. Compared in the kernel where it can (from Linux 5.8, but for IPv6 addresses), so that few
// entries are copied.
struct ConntrackFilter {
  base::Family family = base::Family::kIpv4;
  uint8_t protocol = 17;                     // UDP. 0: any.
  std::optional<base::Ip> destination;       // Original, as the client wrote it: a service address.
  std::optional<uint16_t> destination_port;  // Likewise; alone: a node port, whatever the address.
  std::optional<uint32_t> mark;              // The whole mark.
};

class Conntrack {
 public:
  // For the network namespace of the calling thread. kInternal: not permitted, or a kernel without it.
  static base::Result<Conntrack> open();

  base::Result<std::vector<TrackedConnection>> list(const ConntrackFilter& filter);
  // Deletes the connections that match the filter and are answered by nobody in `serving`; returns how many.
  // An entry that went by itself in the meantime counts as well. Reading is a walk through the machine's whole table
  // (README), so ask once for several services; an entry that several filters match is judged by the first.
  struct Stale {
    ConntrackFilter filter;
    std::set<Endpoint> serving;
  };
  base::Result<size_t> delete_stale(const std::vector<Stale>& stale);
  base::Result<size_t> delete_entries(const ConntrackFilter& filter, const std::set<Endpoint>& serving);
  // Entries of this namespace, of both families.
  base::Result<size_t> count();

 private:
  struct Found {
    TrackedConnection connection;
    std::string original;  // Its original tuple in the kernel's bytes.
  };
  explicit Conntrack(base::Fd fd) : fd_(std::move(fd)) {}
  base::Status find(const ConntrackFilter& filter, const std::function<void(Found)>& visit);
  base::Result<size_t> delete_found(base::Family family, const std::vector<Found>& found);
  base::Status delete_some(const std::string& messages, uint32_t last_sequence);
  base::Fd fd_;
  uint32_t sequence_ = 1;
};

}  // namespace netns
