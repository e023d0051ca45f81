#include "netns/nft/nfnetlink.h"

#include <arpa/inet.h>
#include <endian.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace netns::nfnetlink {
namespace {

constexpr size_t kReceiveBuffer = 32 * 1024;  // The kernel fills an answer as large as the reader's buffer, up to this.

void append(std::string& bytes, const void* data, size_t size) {
  if (size > 0) bytes.append(static_cast<const char*>(data), size);
  bytes.append(NLA_ALIGN(size) - size, '\0');
}

template <class T>
T load(std::string_view value) {
  T out{};
  if (value.size() >= sizeof out) std::memcpy(&out, value.data(), sizeof out);
  return out;
}

}  // namespace

uint8_t protocol_family(base::Family family) { return family == base::Family::kIpv4 ? AF_INET : AF_INET6; }

size_t begin_message(std::string& bytes, uint16_t type, uint16_t flags, uint32_t sequence, uint8_t family, uint16_t resource) {
  const size_t at = bytes.size();
  nlmsghdr head{};
  head.nlmsg_type = type;
  head.nlmsg_flags = static_cast<uint16_t>(NLM_F_REQUEST | flags);
  head.nlmsg_seq = sequence;
  append(bytes, &head, sizeof head);
  nfgenmsg generic{};
  generic.nfgen_family = family;
  generic.version = NFNETLINK_V0;
  generic.res_id = htons(resource);
  append(bytes, &generic, sizeof generic);
  end_message(bytes, at);
  return at;
}

void end_message(std::string& bytes, size_t at) {
  const uint32_t length = static_cast<uint32_t>(bytes.size() - at);
  std::memcpy(bytes.data() + at + offsetof(nlmsghdr, nlmsg_len), &length, sizeof length);
}

void put(std::string& bytes, uint16_t type, const void* data, size_t size) {
  nlattr head{};
  head.nla_type = type;
  head.nla_len = static_cast<uint16_t>(NLA_HDRLEN + size);
  append(bytes, &head, sizeof head);
  append(bytes, data, size);
}

void put_text(std::string& bytes, uint16_t type, std::string_view text) {
  nlattr head{};
  head.nla_type = type;
  head.nla_len = static_cast<uint16_t>(NLA_HDRLEN + text.size() + 1);
  append(bytes, &head, sizeof head);
  bytes.append(text);
  bytes.append(NLA_ALIGN(text.size() + 1) - text.size(), '\0');
}

void put_be16(std::string& bytes, uint16_t type, uint16_t value) {
  value = htons(value);
  put(bytes, type, &value, sizeof value);
}

void put_be32(std::string& bytes, uint16_t type, uint32_t value) {
  value = htonl(value);
  put(bytes, type, &value, sizeof value);
}

void put_be64(std::string& bytes, uint16_t type, uint64_t value) {
  value = htobe64(value);
  put(bytes, type, &value, sizeof value);
}

size_t begin_nest(std::string& bytes, uint16_t type) {
  const size_t at = bytes.size();
  put(bytes, type | NLA_F_NESTED, nullptr, 0);
  return at;
}

void end_nest(std::string& bytes, size_t at) {
  const uint16_t length = static_cast<uint16_t>(bytes.size() - at);
  std::memcpy(bytes.data() + at + offsetof(nlattr, nla_len), &length, sizeof length);
}

std::string_view payload(const nlmsghdr* message) {
  constexpr size_t kHeader = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg));
  if (message->nlmsg_len < kHeader) return {};
  return {reinterpret_cast<const char*>(message) + kHeader, message->nlmsg_len - kHeader};
}

void each_attribute(std::string_view attributes, const std::function<void(uint16_t, std::string_view, size_t)>& visit) {
  size_t at = 0;
  while (attributes.size() - at >= sizeof(nlattr)) {
    const nlattr* head = reinterpret_cast<const nlattr*>(attributes.data() + at);
    if (head->nla_len < sizeof *head || head->nla_len > attributes.size() - at) return;
    visit(head->nla_type & NLA_TYPE_MASK, attributes.substr(at + sizeof *head, head->nla_len - sizeof *head), at);
    at = std::min<size_t>(at + NLA_ALIGN(head->nla_len), attributes.size());
  }
}

uint16_t be16(std::string_view value) { return ntohs(load<uint16_t>(value)); }
uint32_t be32(std::string_view value) { return ntohl(load<uint32_t>(value)); }
uint64_t be64(std::string_view value) { return be64toh(load<uint64_t>(value)); }
std::string text(std::string_view value) { return std::string(value.substr(0, value.find('\0'))); }

base::Result<base::Fd> open_socket() {
  base::Fd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  if (!fd) return base::os_error("open a netfilter socket");
  const int on = 1;
  // CAP_ACK: acknowledgements without a copy of the request. EXT_ACK: where in the request the error is. Both optional.
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
  ::setsockopt(fd.get(), SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
  return fd;
}

base::Status send(int fd, const void* data, size_t size) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  ssize_t n;
  do {
    n = ::sendto(fd, data, size, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return base::os_error("send to netfilter");
  return {};
}

base::Result<bool> dump(int fd, std::string_view request, uint32_t sequence, const std::string& what,
                        const std::function<void(const nlmsghdr*)>& visit) {
  TRY_STATUS(send(fd, request.data(), request.size()));
  alignas(nlmsghdr) char buffer[kReceiveBuffer];
  bool interrupted = false;
  for (;;) {
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::os_error("receive from netfilter");
    size_t left = static_cast<size_t>(n);
    for (const nlmsghdr* head = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
      if (head->nlmsg_seq != sequence) continue;  // Of an earlier exchange that failed.
      if ((head->nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted = true;
      if (head->nlmsg_type == NLMSG_DONE || head->nlmsg_type == NLMSG_ERROR) {
        // Both begin with an int: a dump that fails on its way says so at its end.
        int error = 0;
        if (head->nlmsg_len >= NLMSG_LENGTH(sizeof error)) std::memcpy(&error, NLMSG_DATA(head), sizeof error);
        if (error == -EINTR) return true;
        if (error != 0) return error_of(what, -error);
        return interrupted;
      }
      visit(head);
    }
  }
}

base::Error error_of(const std::string& what, int error_number) {
  base::Error error = base::os_error(what, error_number);
  if (error_number == ENOENT) error.code = base::Code::kNotFound;
  if (error_number == EEXIST) error.code = base::Code::kAlreadyExists;
  if (error_number == EBUSY) error.code = base::Code::kConflict;
  return error;
}

}  // namespace netns::nfnetlink
