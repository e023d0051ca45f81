// server/api/address_pool.h - which ClusterIPs and node ports are taken, by whom, and which come next. Plain data:
// not thread-safe, its owner (ServiceAllocator) locks.
//
// As upstream, the first part of a range (up to 256 addresses, 86 ports) is given out last, so that people who choose
// numbers by hand find the low ones free.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/base/ip.h"

namespace server {

class AddressPool {
 public:
  struct Range {
    std::string name;  // Of the ServiceCIDR.
    base::Cidr cidr;
    bool ready = true;  // Not while it is being deleted.
    uint64_t next = 0;
  };

  // `reserved` is given only to who asks for it by value.
  explicit AddressPool(const std::vector<base::Ip>& reserved) : reserved_(reserved.begin(), reserved.end()) {}

  // Replaces what the ServiceCIDR of this name had.
  void set_ranges(const std::string& name, const std::vector<base::Cidr>& cidrs, bool ready);
  void remove_ranges(const std::string& name);
  std::vector<std::string> closing() const;  // Names of ServiceCIDRs that are being deleted.
  // Some address that is taken lies in this ServiceCIDR and in no other one that is ready.
  bool in_use(const std::string& name) const;

  // Takes this address. An upstream-worded reason when it cannot be had.
  std::optional<std::string> take(const base::Ip& ip, const std::string& holder);
  std::optional<base::Ip> take_next(base::Family family, const std::string& holder);
  // Takes it whatever the ranges say: stored Services have theirs.
  void restore(const base::Ip& ip, const std::string& holder) { ips_[ip] = holder; }
  void release(const base::Ip& ip, const std::string& holder);  // No-op unless `holder` has it.
  const std::string* holder_of(const base::Ip& ip) const;

 private:
  std::optional<base::Ip> next_in(Range& range) const;
  bool covered(const base::Ip& ip, const std::string& except) const;

  std::set<base::Ip> reserved_;
  std::vector<Range> ranges_;
  std::map<base::Ip, std::string> ips_;
};

class PortPool {
 public:
  static constexpr int kFirst = 30000;
  static constexpr int kLast = 32767;

  std::optional<std::string> take(int64_t port, const std::string& holder);  // As above.
  std::optional<int> take_next(const std::string& holder);
  void restore(int port, const std::string& holder) { ports_[port] = holder; }
  void release(int port, const std::string& holder);

 private:
  std::map<int, std::string> ports_;
  int next_ = 0;
};

}  // namespace server
