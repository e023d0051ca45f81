#include "server/api/address_pool.h"

#include <algorithm>

namespace server {
namespace {

constexpr int kBits = 62;  // Of the larger networks only so many addresses are ever counted.

struct Hosts {
  uint64_t count = 0;  // From the first one, which is one above the network's own address.
  uint64_t band = 0;   // How many of them are for people who choose.
};

Hosts hosts_of(const base::Cidr& cidr) {
  const bool v4 = cidr.address().is_v4();
  const uint64_t size = uint64_t{1} << std::min(cidr.host_bits(), kBits);
  const uint64_t unusable = v4 ? 2 : 1;  // IPv6 has no broadcast address.
  Hosts out;
  out.count = size > unusable ? size - unusable : 0;
  if (out.count >= 16) out.band = std::clamp<uint64_t>(out.count / 16, 16, 256);
  return out;
}

bool is_edge(const base::Cidr& cidr, const base::Ip& ip) {
  return ip == cidr.address() || (ip.is_v4() && ip == cidr.last());
}

}  // namespace

void AddressPool::set_ranges(const std::string& name, const std::vector<base::Cidr>& cidrs, bool ready) {
  std::erase_if(ranges_, [&](const Range& r) { return r.name == name && std::find(cidrs.begin(), cidrs.end(), r.cidr) == cidrs.end(); });
  for (const base::Cidr& cidr : cidrs) {
    auto at = std::find_if(ranges_.begin(), ranges_.end(), [&](const Range& r) { return r.name == name && r.cidr == cidr; });
    if (at == ranges_.end()) ranges_.push_back({name, cidr, ready, 0});
    else at->ready = ready;
  }
}

void AddressPool::remove_ranges(const std::string& name) {
  std::erase_if(ranges_, [&](const Range& r) { return r.name == name; });
}

std::vector<std::string> AddressPool::closing() const {
  std::vector<std::string> out;
  for (const Range& r : ranges_) {
    if (!r.ready && (out.empty() || out.back() != r.name)) out.push_back(r.name);
  }
  return out;
}

bool AddressPool::covered(const base::Ip& ip, const std::string& except) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const Range& r) { return r.name != except && r.ready && r.cidr.contains(ip); });
}

bool AddressPool::in_use(const std::string& name) const {
  for (const Range& r : ranges_) {
    if (r.name != name) continue;
    for (auto it = ips_.lower_bound(r.cidr.address()); it != ips_.end() && r.cidr.contains(it->first); ++it) {
      if (!covered(it->first, name)) return true;
    }
  }
  return false;
}

std::optional<std::string> AddressPool::take(const base::Ip& ip, const std::string& holder) {
  auto at = std::find_if(ranges_.begin(), ranges_.end(), [&](const Range& r) { return r.ready && r.cidr.contains(ip); });
  if (at == ranges_.end()) return "the provided network does not match the current range";
  if (is_edge(at->cidr, ip)) return "the provided IP (" + ip.text() + ") is not in the valid range. The range of valid IPs is " + at->cidr.text();
  if (!ips_.emplace(ip, holder).second) return "provided IP is already allocated";
  return std::nullopt;
}

// Goes round the range, so that a deleted Service's address is not met again at once.
std::optional<base::Ip> AddressPool::next_in(Range& range) const {
  const Hosts hosts = hosts_of(range.cidr);
  const uint64_t upper = hosts.count - hosts.band;
  // More tries than there are addresses taken cannot be needed.
  const uint64_t tries = std::min<uint64_t>(upper, ips_.size() + reserved_.size() + 1);
  auto is_free = [&](const base::Ip& ip) { return !ips_.count(ip) && !reserved_.count(ip); };
  for (uint64_t i = 0; i < tries; ++i) {
    const uint64_t at = (range.next + i) % upper;
    base::Ip ip = range.cidr.address().plus(1 + hosts.band + at);
    if (!is_free(ip)) continue;
    range.next = at + 1;
    return ip;
  }
  for (uint64_t at = 0; at < hosts.band; ++at) {
    base::Ip ip = range.cidr.address().plus(1 + at);
    if (is_free(ip)) return ip;
  }
  return std::nullopt;
}

std::optional<base::Ip> AddressPool::take_next(base::Family family, const std::string& holder) {
  for (Range& range : ranges_) {
    if (!range.ready || range.cidr.address().family() != family) continue;
    if (auto ip = next_in(range)) {
      ips_[*ip] = holder;
      return ip;
    }
  }
  return std::nullopt;
}

void AddressPool::release(const base::Ip& ip, const std::string& holder) {
  if (auto it = ips_.find(ip); it != ips_.end() && it->second == holder) ips_.erase(it);
}

const std::string* AddressPool::holder_of(const base::Ip& ip) const {
  auto it = ips_.find(ip);
  return it == ips_.end() ? nullptr : &it->second;
}

std::optional<std::string> PortPool::take(int64_t port, const std::string& holder) {
  if (port < kFirst || port > kLast) {
    return "provided port is not in the valid range. The range of valid ports is " + std::to_string(kFirst) + "-" + std::to_string(kLast);
  }
  if (!ports_.emplace(static_cast<int>(port), holder).second) return "provided port is already allocated";
  return std::nullopt;
}

std::optional<int> PortPool::take_next(const std::string& holder) {
  constexpr int kSize = kLast - kFirst + 1, kBand = kSize / 32;
  for (int i = 0; i < kSize; ++i) {
    const bool upper = i < kSize - kBand;
    const int offset = upper ? kBand + (next_ + i) % (kSize - kBand) : i - (kSize - kBand);
    if (!ports_.emplace(kFirst + offset, holder).second) continue;
    if (upper) next_ = offset - kBand + 1;
    return kFirst + offset;
  }
  return std::nullopt;
}

void PortPool::release(int port, const std::string& holder) {
  if (auto it = ports_.find(port); it != ports_.end() && it->second == holder) ports_.erase(it);
}

}  // namespace server
