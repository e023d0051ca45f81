// server/node_agent/address_pool.h - a node's pod addresses: next free, going round, so that an address is reused
// as late as possible (a recreated pod gets another one). Control thread only.
#pragma once

#include <algorithm>
#include <set>

#include "store/base/ip.h"
#include "store/base/result.h"

namespace server {

class PodAddressPool {
 public:
  // .0 is the network, .1 the gateway of pods; the last is the broadcast address.
  explicit PodAddressPool(const base::Cidr& range) : range_(range), size_(uint64_t{1} << std::min(range.host_bits(), 16)), next_(kFirst) {}

  // kUnavailable when all are taken.
  base::Result<base::Ip> take() {
    for (uint64_t tries = kFirst; tries + 1 < size_; ++tries) {
      uint64_t offset = next_;
      next_ = next_ + 2 < size_ ? next_ + 1 : kFirst;
      if (taken_.insert(offset).second) return range_.address().plus(offset);
    }
    return base::Error(base::Code::kUnavailable, "no free address in " + range_.text());
  }
  uint64_t offset_of(const base::Ip& ip) const { return low_bytes(ip) - low_bytes(range_.address()); }
  void give_back(const base::Ip& ip) { taken_.erase(offset_of(ip)); }
  // Starts after an address that was in use before a restart.
  void skip_past(const base::Ip& ip) {
    if (range_.contains(ip) && offset_of(ip) >= next_) next_ = offset_of(ip) + 2 < size_ ? offset_of(ip) + 1 : kFirst;
  }

 private:
  static constexpr uint64_t kFirst = 2;
  static uint64_t low_bytes(const base::Ip& ip) {  // Of IPv6 the last eight: pods of a node share the rest.
    uint64_t out = 0;
    for (size_t i = ip.size() - std::min<size_t>(ip.size(), 8); i < ip.size(); ++i) out = out << 8 | ip.bytes()[i];
    return out;
  }

  base::Cidr range_;
  uint64_t size_;
  uint64_t next_;
  std::set<uint64_t> taken_;
};

}  // namespace server
