#include "netns/link/rtnl.h"

#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace netns {
namespace {

// Well under the default socket buffer (208 KiB), which a user namespace cannot raise past net.core.wmem_max.
constexpr size_t kMaxLinkSend = 64 * 1024;
constexpr size_t kReceiveBuffer = 32 * 1024;

// The text attribute of an extended acknowledgement. With NETLINK_CAP_ACK it follows the nlmsgerr directly.
std::string extended_text(const nlmsghdr* head) {
  if ((head->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return "";
  const char* at = static_cast<const char*>(NLMSG_DATA(head)) + sizeof(nlmsgerr);
  const char* end = reinterpret_cast<const char*>(head) + head->nlmsg_len;
  const rtattr* attribute = reinterpret_cast<const rtattr*>(at);
  int left = static_cast<int>(end - at);
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type != NLMSGERR_ATTR_MSG) continue;
    const char* text = static_cast<const char*>(RTA_DATA(attribute));
    return std::string(text, strnlen(text, RTA_PAYLOAD(attribute)));
  }
  return "";
}

Rtnl::Link read_link(nlmsghdr* head) {
  Rtnl::Link link;
  ifinfomsg* info = static_cast<ifinfomsg*>(NLMSG_DATA(head));
  link.index = info->ifi_index;
  rtattr* attribute = IFLA_RTA(info);
  int left = static_cast<int>(head->nlmsg_len - NLMSG_LENGTH(sizeof *info));
  for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
    if (attribute->rta_type == IFLA_IFNAME) link.name.assign(static_cast<char*>(RTA_DATA(attribute)));
    if (attribute->rta_type == IFLA_GROUP) std::memcpy(&link.group, RTA_DATA(attribute), sizeof link.group);
  }
  return link;
}

}  // namespace

base::Result<Rtnl> Rtnl::open() {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return base::os_error("open a netlink socket");
  int on = 1;
  // CAP_ACK: acknowledgements without a copy of the request. EXT_ACK: the kernel's text. Both optional.
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  return Rtnl(std::move(fd));
}

base::Status Rtnl::send_part(Batch& batch, size_t first, size_t last) {
  const auto& entries = batch.entries();
  std::vector<char>& bytes = batch.bytes();
  for (size_t i = first; i < last; ++i) {
    nlmsghdr* head = reinterpret_cast<nlmsghdr*>(bytes.data() + entries[i].offset);
    head->nlmsg_seq = sequence_ + static_cast<uint32_t>(i - first);
    // Only the last is acknowledged; failures are reported for any message, asked for or not.
    if (i + 1 == last) head->nlmsg_flags |= NLM_F_ACK;
  }
  size_t begin = entries[first].offset;
  size_t end = last < entries.size() ? entries[last].offset : bytes.size();
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t n;
  do {
    n = ::sendto(fd_.get(), bytes.data() + begin, end - begin, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return base::os_error("send to netlink");
  return {};
}

base::Status Rtnl::receive_part(uint32_t first_sequence, size_t first, size_t last, std::vector<int>& results) {
  alignas(nlmsghdr) char buffer[kReceiveBuffer];
  const uint32_t last_sequence = first_sequence + static_cast<uint32_t>(last - first) - 1;
  for (;;) {
    ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::os_error("receive from netlink");
    size_t left = static_cast<size_t>(n);
    for (nlmsghdr* head = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
      uint32_t position = head->nlmsg_seq - first_sequence;
      if (head->nlmsg_type != NLMSG_ERROR || position >= last - first) continue;  // Of an earlier, failed exchange.
      const nlmsgerr* error = static_cast<const nlmsgerr*>(NLMSG_DATA(head));
      results[first + position] = -error->error;
      if (error->error != 0) last_message_ = extended_text(head);
      if (head->nlmsg_seq == last_sequence) return {};
    }
  }
}

base::Result<std::vector<int>> Rtnl::transact(Batch& batch) {
  if (batch.broken()) return base::Error(base::Code::kInternal, "netlink message does not fit");
  last_message_.clear();
  const auto& entries = batch.entries();
  std::vector<int> results(entries.size(), 0);
  for (size_t first = 0; first < entries.size();) {
    size_t last = first + 1;
    while (last < entries.size()) {
      size_t end = last + 1 < entries.size() ? entries[last + 1].offset : batch.bytes().size();
      if (end - entries[first].offset > kMaxLinkSend) break;
      ++last;
    }
    uint32_t sequence = sequence_;
    TRY_STATUS(send_part(batch, first, last));
    sequence_ += static_cast<uint32_t>(last - first);
    TRY_STATUS(receive_part(sequence, first, last, results));
    first = last;
  }
  return results;
}

base::Status Rtnl::apply(Batch& batch) {
  std::vector<int> results = TRY(transact(batch));
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i] == 0) continue;
    base::Error error = base::os_error(batch.entries()[i].what, results[i]);
    if (!last_message_.empty()) error.message += " (" + last_message_ + ")";
    return error;
  }
  return {};
}

bool Rtnl::is_running(int index) {
  Batch batch;
  ifinfomsg info{};
  info.ifi_index = index;
  batch.begin(RTM_GETLINK, 0, info, "look at a link");
  batch.put_u32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  nlmsghdr* request = reinterpret_cast<nlmsghdr*>(batch.bytes().data());
  const uint32_t sequence = sequence_++;
  request->nlmsg_seq = sequence;
  // Newer kernels finish pending link work before they answer this (from 6.8).
  if (::send(fd_.get(), batch.bytes().data(), batch.bytes().size(), 0) < 0) return true;
  alignas(nlmsghdr) char buffer[kReceiveBuffer];
  for (;;) {
    ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return true;
    nlmsghdr* head = reinterpret_cast<nlmsghdr*>(buffer);
    if (!NLMSG_OK(head, static_cast<size_t>(n)) || head->nlmsg_seq != sequence) continue;
    if (head->nlmsg_type != RTM_NEWLINK) return true;  // Gone: nothing to wait for.
    rtattr* attribute = IFLA_RTA(static_cast<ifinfomsg*>(NLMSG_DATA(head)));
    int left = static_cast<int>(head->nlmsg_len - NLMSG_LENGTH(sizeof info));
    for (; RTA_OK(attribute, left); attribute = RTA_NEXT(attribute, left)) {
      if (attribute->rta_type == IFLA_OPERSTATE) return *static_cast<uint8_t*>(RTA_DATA(attribute)) == IF_OPER_UP;
    }
    return true;
  }
}

void Rtnl::wait_until_running(const std::vector<int>& indices) {
  int tries = 200;
  for (int index : indices) {
    while (!is_running(index) && --tries > 0) ::usleep(500);
  }
}

base::Result<std::vector<Rtnl::Link>> Rtnl::list_links() {
  Batch batch;
  ifinfomsg any{};
  batch.begin(RTM_GETLINK, NLM_F_DUMP, any, "list links");
  nlmsghdr* request = reinterpret_cast<nlmsghdr*>(batch.bytes().data());
  const uint32_t sequence = sequence_++;
  request->nlmsg_seq = sequence;
  if (::send(fd_.get(), batch.bytes().data(), batch.bytes().size(), 0) < 0) return base::os_error("send to netlink");
  std::vector<Link> links;
  alignas(nlmsghdr) char buffer[kReceiveBuffer];
  for (;;) {
    ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::os_error("receive from netlink");
    size_t left = static_cast<size_t>(n);
    for (nlmsghdr* head = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
      if (head->nlmsg_seq != sequence) continue;
      if (head->nlmsg_type == NLMSG_DONE) return links;
      if (head->nlmsg_type == NLMSG_ERROR) return base::os_error("list links", -static_cast<nlmsgerr*>(NLMSG_DATA(head))->error);
      if (head->nlmsg_type == RTM_NEWLINK) links.push_back(read_link(head));
    }
  }
}

}  // namespace netns
