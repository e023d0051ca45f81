#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "netns/nft/batch.h"
#include "netns/nft/nfnetlink.h"

namespace netns {
namespace {

using namespace nfnetlink;

constexpr int kWantedSendBuffer = 1024 * 1024;  // The kernel doubles it, and clamps it to net.core.wmem_max first.
constexpr size_t kReserve = 64;                 // The kernel keeps 32 bytes of the buffer to itself.
constexpr int kListTries = 5;

uint16_t subtype(const nlmsghdr* message) { return message->nlmsg_type & 0xff; }

uint32_t number_attribute(std::string_view attributes, uint16_t wanted) {
  uint32_t out = 0;
  each_attribute(attributes, [&](uint16_t type, std::string_view value, size_t) {
    if (type == wanted && value.size() >= sizeof out) std::memcpy(&out, value.data(), sizeof out);
  });
  return out;
}

std::string chain_text(const nlmsghdr* message) {
  switch (subtype(message)) {
    case NFT_MSG_NEWCHAIN:
      return "add chain ";
    case NFT_MSG_DELCHAIN:
      return "delete chain ";
    case NFT_MSG_NEWRULE:
      return "add rule to ";
    default:
      return "flush chain ";
  }
}

// The key of the element at that offset of the message; 0: the only one, or none.
std::string element_text(const nlmsghdr* message, size_t error_offset) {
  std::string out;
  const std::string_view list = Attributes<NFTA_SET_ELEM_LIST_MAX + 1>(payload(message))[NFTA_SET_ELEM_LIST_ELEMENTS];
  size_t count = 0;
  each_attribute(list, [&](uint16_t, std::string_view element, size_t) {
    const size_t begin = static_cast<size_t>(element.data() - reinterpret_cast<const char*>(message)) - sizeof(nlattr);
    ++count;
    if (error_offset != 0 && (error_offset < begin || error_offset >= begin + sizeof(nlattr) + element.size())) return;
    const Attributes<NFTA_SET_ELEM_MAX + 1> parts(element);
    const Attributes<NFTA_DATA_MAX + 1> key(parts[NFTA_SET_ELEM_KEY]);
    out = NftValue::from_bytes(std::string(key[NFTA_DATA_VALUE])).text();
  });
  if (out.empty() || (error_offset == 0 && count > 1)) return "(one of " + std::to_string(count) + ")";
  return out;
}

NftVerdict read_verdict(std::string_view attributes) {
  const Attributes<NFTA_VERDICT_MAX + 1> parts(attributes);
  NftVerdict verdict;
  switch (static_cast<int32_t>(be32(parts[NFTA_VERDICT_CODE]))) {
    case NFT_JUMP:
      verdict.kind = NftVerdict::Kind::kJump;
      break;
    case NFT_GOTO:
      verdict.kind = NftVerdict::Kind::kGoto;
      break;
    case NFT_RETURN:
      verdict.kind = NftVerdict::Kind::kReturn;
      break;
    case 0:  // NF_DROP
      verdict.kind = NftVerdict::Kind::kDrop;
      break;
    default:
      verdict.kind = NftVerdict::Kind::kAccept;
  }
  verdict.chain = text(parts[NFTA_VERDICT_CHAIN]);
  return verdict;
}

NftValue read_value(std::string_view attributes, size_t components = 1) {
  return NftValue::from_bytes(std::string(Attributes<NFTA_DATA_MAX + 1>(attributes)[NFTA_DATA_VALUE]), components);
}

NftElement read_element(std::string_view attributes) {
  const Attributes<NFTA_SET_ELEM_MAX + 1> parts(attributes);
  NftElement out;
  // Only ranges of concatenations have both; how many components the kernel does not say.
  const size_t components = parts.has(NFTA_SET_ELEM_KEY_END) ? 2 : 1;
  out.key = read_value(parts[NFTA_SET_ELEM_KEY], components);
  out.key_end = read_value(parts[NFTA_SET_ELEM_KEY_END], components);
  const Attributes<NFTA_DATA_MAX + 1> data(parts[NFTA_SET_ELEM_DATA]);
  if (data.has(NFTA_DATA_VERDICT)) out.verdict = read_verdict(data[NFTA_DATA_VERDICT]);
  out.data = NftValue::from_bytes(std::string(data[NFTA_DATA_VALUE]));
  out.timeout = std::chrono::milliseconds(be64(parts[NFTA_SET_ELEM_TIMEOUT]));
  out.expires = std::chrono::milliseconds(be64(parts[NFTA_SET_ELEM_EXPIRATION]));
  return out;
}

// A tree holds where ranges begin and where they are over, in any order: pairs again.
std::vector<NftElement> pair_ranges(std::vector<NftElement> elements, std::vector<std::string> ends) {
  if (ends.empty()) return elements;
  std::sort(elements.begin(), elements.end(), [](const NftElement& a, const NftElement& b) { return a.key < b.key; });
  std::sort(ends.begin(), ends.end());
  for (NftElement& element : elements) {
    auto end = std::upper_bound(ends.begin(), ends.end(), element.key.bytes());
    std::string last = end == ends.end() ? std::string(element.key.bytes().size(), '\0') : *end;
    for (size_t i = last.size(); i-- > 0;) {  // Its predecessor.
      last[i] = static_cast<char>(static_cast<uint8_t>(last[i]) - 1);
      if (static_cast<uint8_t>(last[i]) != 0xff) break;
    }
    element.key_end = NftValue::from_bytes(std::move(last));
  }
  return elements;
}

}  // namespace

base::Result<NftSocket> NftSocket::open() {
  base::Fd fd = TRY(open_socket());
  int wanted = kWantedSendBuffer;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
  int have = 0;
  socklen_t size = sizeof have;
  if (::getsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &have, &size) != 0) return base::os_error("ask for a socket's buffer");
  return NftSocket(std::move(fd), static_cast<size_t>(have) - kReserve);
}

base::Error NftSocket::describe(const NftBatch& batch, const Failure& failure) {
  std::string what = "nftables: ";
  if (failure.message == 0 || failure.message > batch.messages_.size()) {
    what += "commit " + std::to_string(batch.operations_) + " changes of table " + batch.table_;
  } else {
    const NftBatch::Message& place = batch.messages_[failure.message - 1];
    const nlmsghdr* message = reinterpret_cast<const nlmsghdr*>(batch.bytes_.data() + place.offset);
    const bool adding = subtype(message) == NFT_MSG_NEWSETELEM;
    if (adding || subtype(message) == NFT_MSG_DELSETELEM) {
      what += std::string(adding ? "add" : "delete") + " element " + place.set + " " + element_text(message, failure.offset);
    } else {
      what += chain_text(message) + place.set;
    }
  }
  return error_of(what, failure.error);
}

// The kernel has answered by the time that sendmsg() returns, so nothing here waits.
base::Result<NftSocket::Failure> NftSocket::read_answers(size_t last_message) {
  alignas(nlmsghdr) char buffer[16 * 1024];
  Failure failure;
  bool acknowledged = false, lost = false;
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS) {  // More failures than the receive buffer holds; the first are in it.
      lost = true;
      continue;
    }
    if (n < 0 && errno != EAGAIN) return base::os_error("nftables: receive");
    if (n < 0) break;
    size_t left = static_cast<size_t>(n);
    for (const nlmsghdr* head = reinterpret_cast<nlmsghdr*>(buffer); NLMSG_OK(head, left); head = NLMSG_NEXT(head, left)) {
      if (head->nlmsg_type != NLMSG_ERROR) continue;
      const nlmsgerr* answer = static_cast<const nlmsgerr*>(NLMSG_DATA(head));
      if (answer->error == 0) {
        acknowledged = acknowledged || head->nlmsg_seq == last_message;
      } else if (failure.error == 0) {
        failure = {head->nlmsg_seq, -answer->error, 0};
        if ((head->nlmsg_flags & NLM_F_ACK_TLVS) == 0) continue;
        constexpr size_t kBegin = NLMSG_HDRLEN + sizeof(nlmsgerr);
        failure.offset = number_attribute({reinterpret_cast<const char*>(head) + kBegin, head->nlmsg_len - kBegin}, NLMSGERR_ATTR_OFFS);
      }
    }
  }
  if (failure.error == 0 && (lost || !acknowledged)) failure.error = lost ? ENOBUFS : EIO;
  return failure;
}

base::Status NftSocket::commit(const NftBatch& batch) {
  if (batch.empty()) return {};
  if (batch.size() > max_batch_bytes_) {
    return base::Error(base::Code::kTooLarge, "nftables: a transaction of " + std::to_string(batch.size()) + " bytes is larger than the " +
                                                  std::to_string(max_batch_bytes_) + " that the socket takes");
  }
  std::string begin, end;
  begin_message(begin, NFNL_MSG_BATCH_BEGIN, 0, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  begin_message(end, NFNL_MSG_BATCH_END, 0, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
  iovec parts[] = {{begin.data(), begin.size()},
                   {const_cast<char*>(batch.bytes_.data()), batch.bytes_.size()},  // Only read by the kernel.
                   {end.data(), end.size()}};
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  msghdr message{};
  message.msg_name = &kernel;
  message.msg_namelen = sizeof kernel;
  message.msg_iov = parts;
  message.msg_iovlen = std::size(parts);
  ssize_t n;
  do {
    n = ::sendmsg(fd_.get(), &message, 0);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return base::os_error("nftables: send");
  Failure failure = TRY(read_answers(batch.messages_.size()));
  if (failure.error != 0) return describe(batch, failure);
  return {};
}

base::Result<std::vector<NftElement>> NftSocket::list_elements(base::Family family, std::string_view table, std::string_view set) {
  for (int attempt = 1;; ++attempt) {
    const uint32_t sequence = sequence_++;
    std::string request;
    const size_t at = begin_message(request, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETSETELEM, NLM_F_DUMP, sequence, protocol_family(family));
    put_text(request, NFTA_SET_ELEM_LIST_TABLE, table);
    put_text(request, NFTA_SET_ELEM_LIST_SET, set);
    end_message(request, at);
    std::vector<NftElement> elements;
    std::vector<std::string> ends;
    const bool interrupted = TRY(dump(fd_.get(), request, sequence, "nftables: list elements of " + std::string(set), [&](const nlmsghdr* message) {
      const std::string_view list = Attributes<NFTA_SET_ELEM_LIST_MAX + 1>(payload(message))[NFTA_SET_ELEM_LIST_ELEMENTS];
      each_attribute(list, [&](uint16_t, std::string_view attributes, size_t) {
        const Attributes<NFTA_SET_ELEM_MAX + 1> parts(attributes);
        NftElement element = read_element(attributes);
        if ((be32(parts[NFTA_SET_ELEM_FLAGS]) & NFT_SET_ELEM_INTERVAL_END) != 0) {
          ends.push_back(element.key.bytes());
        } else {
          elements.push_back(std::move(element));
        }
      });
    }));
    if (!interrupted || attempt == kListTries) return pair_ranges(std::move(elements), std::move(ends));
  }
}

base::Result<std::vector<NftChain>> NftSocket::list_chains(base::Family family, std::string_view table) {
  for (int attempt = 1;; ++attempt) {
    const uint32_t sequence = sequence_++;
    std::string request;
    begin_message(request, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, NLM_F_DUMP, sequence, protocol_family(family));
    std::vector<NftChain> chains;
    const bool interrupted = TRY(dump(fd_.get(), request, sequence, "nftables: list chains", [&](const nlmsghdr* message) {
      const Attributes<NFTA_CHAIN_MAX + 1> parts(payload(message));
      if (text(parts[NFTA_CHAIN_TABLE]) != table) return;
      chains.push_back({text(parts[NFTA_CHAIN_NAME]), parts.has(NFTA_CHAIN_HOOK), be32(parts[NFTA_CHAIN_USE])});
    }));
    if (!interrupted || attempt == kListTries) return chains;
  }
}

}  // namespace netns
