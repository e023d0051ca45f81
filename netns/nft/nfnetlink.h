// netns/nft/nfnetlink.h - the bytes that nftables and conntrack speak over netlink: messages, attributes, dumps.
// Functions over plain bytes and one socket; whoever owns the bytes or the socket calls them.
#pragma once

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/result.h"

namespace netns::nfnetlink {

uint8_t protocol_family(base::Family family);

// Writing. Lengths are filled in by end_*; `at` is what begin_* returned.
size_t begin_message(std::string& bytes, uint16_t type, uint16_t flags, uint32_t sequence, uint8_t family, uint16_t resource = 0);
void end_message(std::string& bytes, size_t at);
void put(std::string& bytes, uint16_t type, const void* data, size_t size);
void put_text(std::string& bytes, uint16_t type, std::string_view text);  // Terminated.
void put_be16(std::string& bytes, uint16_t type, uint16_t value);
void put_be32(std::string& bytes, uint16_t type, uint32_t value);
void put_be64(std::string& bytes, uint16_t type, uint64_t value);
size_t begin_nest(std::string& bytes, uint16_t type);
void end_nest(std::string& bytes, size_t at);

// Reading. Views point into the message; anything malformed reads as absent.
std::string_view payload(const nlmsghdr* message);  // Attributes behind the nfgenmsg.
void each_attribute(std::string_view attributes, const std::function<void(uint16_t type, std::string_view value, size_t offset)>& visit);

// The attributes of one level by type; a type that occurs twice: the last.
template <size_t N>
class Attributes {
 public:
  explicit Attributes(std::string_view attributes) {
    while (attributes.size() >= sizeof(nlattr)) {
      const nlattr* head = reinterpret_cast<const nlattr*>(attributes.data());
      if (head->nla_len < sizeof *head || head->nla_len > attributes.size()) return;
      const size_t type = head->nla_type & NLA_TYPE_MASK;
      if (type < N) values_[type] = attributes.substr(sizeof *head, head->nla_len - sizeof *head);
      if (type < N) present_[type] = true;
      attributes.remove_prefix(std::min<size_t>(NLA_ALIGN(head->nla_len), attributes.size()));
    }
  }
  bool has(size_t type) const { return present_[type]; }
  std::string_view operator[](size_t type) const { return values_[type]; }

 private:
  std::array<std::string_view, N> values_{};
  std::array<bool, N> present_{};
};

uint16_t be16(std::string_view value);  // 0 when it is too short.
uint32_t be32(std::string_view value);
uint64_t be64(std::string_view value);
std::string text(std::string_view value);  // Up to its terminator.

base::Result<base::Fd> open_socket();
base::Status send(int fd, const void* data, size_t size);

// Sends a dump request and calls `visit` for each message of the answer; not for errors and the end. True: the
// kernel said the list changed meanwhile and may be incomplete. os_error's message starts with `what`; kNotFound for ENOENT.
base::Result<bool> dump(int fd, std::string_view request, uint32_t sequence, const std::string& what,
                        const std::function<void(const nlmsghdr*)>& visit);

// kNotFound, kAlreadyExists and kConflict for ENOENT, EEXIST and EBUSY; else kInternal.
base::Error error_of(const std::string& what, int error_number);

}  // namespace netns::nfnetlink
