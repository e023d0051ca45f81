#include "netns/conntrack/conntrack.h"

#include <linux/netfilter/nfnetlink_conntrack.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "netns/nft/nfnetlink.h"

namespace netns {
namespace {

using namespace nfnetlink;

constexpr size_t kMaxSend = 64 * 1024;

// What of a tuple a dump compares: numbers of the kernel's own (nf_internals.h), part of no header of its interface.
constexpr uint32_t kCompareDestination = 1 << 1;
constexpr uint32_t kCompareProtocol = 1 << 3;
constexpr uint32_t kCompareDestinationPort = 1 << 5;

uint16_t conntrack_type(uint16_t type) { return static_cast<uint16_t>(NFNL_SUBSYS_CTNETLINK << 8 | type); }

base::Ip read_ip(std::string_view v4, std::string_view v6) {
  if (v4.size() >= 4) {
    const uint8_t* p = reinterpret_cast<const uint8_t*>(v4.data());
    return base::Ip::v4(p[0], p[1], p[2], p[3]);
  }
  std::array<uint8_t, 16> bytes{};
  if (v6.size() >= bytes.size()) std::memcpy(bytes.data(), v6.data(), bytes.size());
  return base::Ip::v6(bytes);
}

void read_tuple(std::string_view attributes, Endpoint& source, Endpoint& destination, uint8_t* protocol) {
  const Attributes<CTA_TUPLE_MAX + 1> tuple(attributes);
  const Attributes<CTA_IP_MAX + 1> ip(tuple[CTA_TUPLE_IP]);
  const Attributes<CTA_PROTO_MAX + 1> proto(tuple[CTA_TUPLE_PROTO]);
  source = {read_ip(ip[CTA_IP_V4_SRC], ip[CTA_IP_V6_SRC]), be16(proto[CTA_PROTO_SRC_PORT])};
  destination = {read_ip(ip[CTA_IP_V4_DST], ip[CTA_IP_V6_DST]), be16(proto[CTA_PROTO_DST_PORT])};
  if (protocol != nullptr && !proto[CTA_PROTO_NUM].empty()) *protocol = static_cast<uint8_t>(proto[CTA_PROTO_NUM][0]);
}

TrackedConnection read_connection(const Attributes<CTA_MAX + 1>& parts) {
  TrackedConnection out;
  read_tuple(parts[CTA_TUPLE_ORIG], out.source, out.destination, &out.protocol);
  read_tuple(parts[CTA_TUPLE_REPLY], out.reply_source, out.reply_destination, nullptr);
  out.mark = be32(parts[CTA_MARK]);
  out.id = be32(parts[CTA_ID]);
  return out;
}

bool matches(const ConntrackFilter& filter, const TrackedConnection& connection) {
  if (connection.destination.ip.family() != filter.family) return false;
  if (filter.protocol != 0 && connection.protocol != filter.protocol) return false;
  if (filter.destination && connection.destination.ip != *filter.destination) return false;
  if (filter.destination_port && connection.destination.port != *filter.destination_port) return false;
  return !filter.mark || connection.mark == *filter.mark;
}

void put_filter(std::string& bytes, const ConntrackFilter& filter) {
  if (filter.mark) {
    put_be32(bytes, CTA_MARK, *filter.mark);
    put_be32(bytes, CTA_MARK_MASK, 0xffffffff);
  }
  uint32_t compared = 0;
  const size_t tuple = begin_nest(bytes, CTA_TUPLE_ORIG);
  // IPv4 alone: for IPv6 addresses the kernel has the comparison the wrong way round, seen with 6.18.
  if (filter.destination && filter.destination->is_v4()) {
    const size_t ip = begin_nest(bytes, CTA_TUPLE_IP);
    put(bytes, CTA_IP_V4_DST, filter.destination->bytes(), filter.destination->size());
    end_nest(bytes, ip);
    compared |= kCompareDestination;
  }
  if (filter.protocol != 0) {
    const size_t protocol = begin_nest(bytes, CTA_TUPLE_PROTO);
    put(bytes, CTA_PROTO_NUM, &filter.protocol, sizeof filter.protocol);
    compared |= kCompareProtocol;
    if (filter.destination_port) {
      put_be16(bytes, CTA_PROTO_DST_PORT, *filter.destination_port);
      compared |= kCompareDestinationPort;
    }
    end_nest(bytes, protocol);
  }
  end_nest(bytes, tuple);
  if (compared == 0) {
    bytes.resize(tuple);
    return;
  }
  const size_t nest = begin_nest(bytes, CTA_FILTER);
  put(bytes, CTA_FILTER_ORIG_FLAGS, &compared, sizeof compared);
  end_nest(bytes, nest);
}

// What the kernel is asked for when several filters go by one walk: what all of them have in common.
ConntrackFilter common_part(const std::vector<Conntrack::Stale>& stale, base::Family family) {
  std::optional<ConntrackFilter> common;
  for (const Conntrack::Stale& one : stale) {
    if (one.filter.family != family) continue;
    if (!common) {
      common = one.filter;
      continue;
    }
    if (common->protocol != one.filter.protocol) common->protocol = 0;
    if (common->destination != one.filter.destination) common->destination.reset();
    if (common->destination_port != one.filter.destination_port) common->destination_port.reset();
    if (common->mark != one.filter.mark) common->mark.reset();
  }
  return *common;
}

// The filters by port, in their order; those without one are under 0.
using Index = std::map<uint16_t, std::vector<size_t>>;

Index make_index(const std::vector<Conntrack::Stale>& stale, base::Family family) {
  Index index;
  for (size_t i = 0; i < stale.size(); ++i) {
    if (stale[i].filter.family == family) index[stale[i].filter.destination_port.value_or(0)].push_back(i);
  }
  return index;
}

const Conntrack::Stale* find_first(const std::vector<Conntrack::Stale>& stale, const Index& index, const TrackedConnection& connection) {
  size_t first = stale.size();
  for (uint16_t port : {connection.destination.port, uint16_t{0}}) {
    auto it = index.find(port);
    if (it == index.end()) continue;
    for (size_t i : it->second) {
      if (i >= first) break;
      if (!matches(stale[i].filter, connection)) continue;
      first = i;
      break;
    }
  }
  return first < stale.size() ? &stale[first] : nullptr;
}

}  // namespace

base::Result<Conntrack> Conntrack::open() {
  Conntrack out(TRY(open_socket()));
  TRY(out.count());  // Says now whether it works.
  return out;
}

base::Status Conntrack::find(const ConntrackFilter& filter, const std::function<void(Found)>& visit) {
  const uint32_t sequence = sequence_++;
  std::string request;
  const size_t at = begin_message(request, conntrack_type(IPCTNL_MSG_CT_GET), NLM_F_DUMP, sequence, protocol_family(filter.family));
  put_filter(request, filter);
  end_message(request, at);
  // A table that is resized underneath lists an entry twice, or the next walk finds it: nothing to do about it.
  TRY(dump(fd_.get(), request, sequence, "conntrack: list", [&](const nlmsghdr* message) {
    const Attributes<CTA_MAX + 1> parts(payload(message));
    TrackedConnection connection = read_connection(parts);
    if (matches(filter, connection)) visit({std::move(connection), std::string(parts[CTA_TUPLE_ORIG])});
  }));
  return {};
}

base::Result<std::vector<TrackedConnection>> Conntrack::list(const ConntrackFilter& filter) {
  std::vector<TrackedConnection> out;
  TRY_STATUS(find(filter, [&](Found found) { out.push_back(std::move(found.connection)); }));
  return out;
}

base::Result<size_t> Conntrack::delete_entries(const ConntrackFilter& filter, const std::set<Endpoint>& serving) {
  return delete_stale({{filter, serving}});
}

base::Result<size_t> Conntrack::delete_stale(const std::vector<Stale>& stale) {
  size_t deleted = 0;
  for (base::Family family : {base::Family::kIpv4, base::Family::kIpv6}) {
    const Index index = make_index(stale, family);
    if (index.empty()) continue;
    std::vector<Found> found;
    TRY_STATUS(find(common_part(stale, family), [&](Found one) {
      const Stale* rule = find_first(stale, index, one.connection);
      if (rule != nullptr && !rule->serving.contains(one.connection.reply_source)) found.push_back(std::move(one));
    }));
    const size_t count = TRY(delete_found(family, found));
    deleted += count;
  }
  return deleted;
}

base::Result<size_t> Conntrack::delete_found(base::Family family, const std::vector<Found>& found) {
  std::string messages;
  for (size_t i = 0; i < found.size(); ++i) {
    const uint32_t sequence = sequence_++;
    const size_t at = begin_message(messages, conntrack_type(IPCTNL_MSG_CT_DELETE), 0, sequence, protocol_family(family));
    put(messages, CTA_TUPLE_ORIG | NLA_F_NESTED, found[i].original.data(), found[i].original.size());
    put_be32(messages, CTA_ID, found[i].connection.id);  // Not a younger one with the same addresses.
    end_message(messages, at);
    if (messages.size() < kMaxSend && i + 1 < found.size()) continue;
    reinterpret_cast<nlmsghdr*>(messages.data() + at)->nlmsg_flags |= NLM_F_ACK;
    TRY_STATUS(delete_some(messages, sequence));
    messages.clear();
  }
  return found.size();
}

// The kernel has answered by the time that send() returns: failures of any message, and the last one's result.
base::Status Conntrack::delete_some(const std::string& messages, uint32_t last_sequence) {
  TRY_STATUS(send(fd_.get(), messages.data(), messages.size()));
  alignas(nlmsghdr) char buffer[16 * 1024];
  int failure = 0;
  bool finished = false;
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == ENOBUFS)) {  // Answers were lost: of entries that had gone already.
      finished = finished || errno == ENOBUFS;
      continue;
    }
    if (n < 0 && errno != EAGAIN) return base::os_error("conntrack: receive");
    if (n < 0) break;
    size_t left = static_cast<size_t>(n);
    for (const nlmsghdr* head = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
      if (head->nlmsg_type != NLMSG_ERROR) continue;
      const int error = -static_cast<const nlmsgerr*>(NLMSG_DATA(head))->error;
      if (error != 0 && error != ENOENT) failure = error;
      finished = finished || head->nlmsg_seq == last_sequence;
    }
  }
  if (failure == 0 && !finished) failure = EIO;
  if (failure != 0) return error_of("conntrack: delete", failure);
  return {};
}

base::Result<size_t> Conntrack::count() {
  const uint32_t sequence = sequence_++;
  std::string request;
  // Acknowledged: that ends the answer as the end of a dump would.
  begin_message(request, conntrack_type(IPCTNL_MSG_CT_GET_STATS), NLM_F_ACK, sequence, AF_UNSPEC);
  size_t entries = 0;
  TRY(dump(fd_.get(), request, sequence, "conntrack: count", [&](const nlmsghdr* message) {
    entries = be32(Attributes<CTA_STATS_GLOBAL_MAX + 1>(payload(message))[CTA_STATS_GLOBAL_ENTRIES]);
  }));
  return entries;
}

}  // namespace netns
