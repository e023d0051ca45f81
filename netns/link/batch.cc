#include "netns/link/batch.h"

#include <linux/rtnetlink.h>

#include <limits>

namespace netns {
namespace {

constexpr size_t kMaxAttribute = std::numeric_limits<uint16_t>::max();

}  // namespace

// Appends, zero-padded to the 4 bytes that netlink aligns everything to.
void Batch::append(const void* data, size_t size) {
  size_t at = bytes_.size();
  bytes_.resize(at + NLMSG_ALIGN(size), 0);
  if (size > 0) std::memcpy(bytes_.data() + at, data, size);
}

void Batch::update_length() {
  if (entries_.empty()) return;
  size_t offset = entries_.back().offset;
  uint32_t length = static_cast<uint32_t>(bytes_.size() - offset);
  std::memcpy(bytes_.data() + offset + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

void Batch::begin_raw(uint16_t type, uint16_t flags, const void* header, size_t size, std::string what) {
  entries_.push_back({bytes_.size(), std::move(what)});
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  append(&head, sizeof head);
  append(header, size);
  update_length();
}

void Batch::put(uint16_t type, const void* data, size_t size) {
  if (entries_.empty() || size > kMaxAttribute - RTA_LENGTH(0)) {
    broken_ = true;
    return;
  }
  rtattr attribute{};
  attribute.rta_type = type;
  attribute.rta_len = static_cast<uint16_t>(RTA_LENGTH(size));
  append(&attribute, sizeof attribute);
  append(data, size);
  update_length();
}

void Batch::put_string(uint16_t type, std::string_view text) {
  std::string terminated(text);
  put(type, terminated.c_str(), terminated.size() + 1);
}

size_t Batch::open_nest(uint16_t type, const void* raw, size_t raw_size) {
  size_t mark = bytes_.size();
  put(type, raw, raw_size);
  return mark;
}

void Batch::close_nest(size_t mark) {
  size_t length = bytes_.size() - mark;
  if (broken_ || length > kMaxAttribute) {
    broken_ = true;
    return;
  }
  uint16_t short_length = static_cast<uint16_t>(length);
  std::memcpy(bytes_.data() + mark + offsetof(rtattr, rta_len), &short_length, sizeof short_length);
}

void Batch::clear() {
  bytes_.clear();
  entries_.clear();
  broken_ = false;
}

}  // namespace netns
