// netns/link/batch.h - builds a run of rtnetlink messages for one system call. Plain memory, no thread
// affinity. Lengths are checked: an attribute that does not fit its 16-bit length marks the batch broken,
// and Rtnl refuses a broken batch whole.
#pragma once

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/ip.h"

namespace netns {

class Batch {
 public:
  // Starts a message. `what` names it in error messages ("add route 10.244.1.5/32"). `header` is the family
  // header: ifinfomsg, ifaddrmsg, rtmsg, ndmsg.
  template <class Header>
  void begin(uint16_t type, uint16_t flags, const Header& header, std::string what) {
    static_assert(std::is_trivially_copyable_v<Header>);
    begin_raw(type, flags, &header, sizeof header, std::move(what));
  }
  void put(uint16_t type, const void* data, size_t size);
  void put_u8(uint16_t type, uint8_t value) { put(type, &value, sizeof value); }
  void put_u32(uint16_t type, uint32_t value) { put(type, &value, sizeof value); }
  void put_string(uint16_t type, std::string_view text);  // With its terminating zero.
  void put_ip(uint16_t type, const base::Ip& ip) { put(type, ip.bytes(), ip.size()); }
  // Between them, attributes go into a nested one. `raw` is put before them (a veth peer's ifinfomsg).
  size_t open_nest(uint16_t type, const void* raw = nullptr, size_t raw_size = 0);
  void close_nest(size_t mark);

  struct Entry {
    size_t offset;
    std::string what;
  };
  size_t count() const { return entries_.size(); }
  bool empty() const { return entries_.empty(); }
  bool broken() const { return broken_; }
  const std::vector<Entry>& entries() const { return entries_; }
  // Each message's length in place. Valid until the next change.
  std::vector<char>& bytes() { return bytes_; }
  void clear();

 private:
  void begin_raw(uint16_t type, uint16_t flags, const void* header, size_t size, std::string what);
  void append(const void* data, size_t size);
  void update_length();

  std::vector<char> bytes_;
  std::vector<Entry> entries_;
  bool broken_ = false;
};

}  // namespace netns
