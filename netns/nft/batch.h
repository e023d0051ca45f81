// netns/nft/batch.h - one nftables transaction as bytes, and the netlink socket that commits it. For what changes
// while a cluster lives: elements, and chains of a few fixed shapes. Tables, sets, base chains and every other rule
// are text for nft.h; both may be used on one table.
//
// Order: what is called first happens first, so delete an element before adding its successor; what an element or a
// rule leads to must exist by then. What it costs, and which of it is dear: netns/nft/README.md.
// NftValue, NftElement and NftBatch are values: any thread. NftSocket: the Worker that opened it.
#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/fd.h"
#include "store/base/ip.h"
#include "store/base/result.h"

namespace netns {

// A set's key or a map's data. Several components are a concatenation: each starts at a multiple of 4 bytes.
//   "ipv4_addr . inet_proto . inet_service": NftValue().ip(address).protocol(IPPROTO_TCP).port(80)
class NftValue {
 public:
  NftValue& ip(const base::Ip& address);  // ipv4_addr or ipv6_addr.
  NftValue& port(uint16_t port);          // inet_service.
  NftValue& protocol(uint8_t protocol);   // inet_proto.
  NftValue& mark(uint32_t mark);          // mark, and every other 4-byte number in host order.
  NftValue& raw(std::string_view bytes);  // Any other component, in the order the kernel compares it.
  // A mark in a set with `flags interval`: there nft's rules compare numbers in network order.
  NftValue& range_mark(uint32_t mark);
  static NftValue from_bytes(std::string bytes, size_t components = 1);

  bool empty() const { return bytes_.empty(); }
  size_t components() const { return components_; }
  const std::string& bytes() const { return bytes_; }
  // Readers for what list_elements() gives; the offset counts 4-byte words. 0 or 0.0.0.0 past the end.
  uint32_t mark_at(size_t word) const;
  uint16_t port_at(size_t word) const;
  uint8_t protocol_at(size_t word) const;
  base::Ip ip_at(size_t word, base::Family family) const;
  std::string text() const;  // Hexadecimal words: "0a600001 00000006 00500000".

  bool operator==(const NftValue& other) const { return bytes_ == other.bytes_; }
  auto operator<=>(const NftValue& other) const { return bytes_ <=> other.bytes_; }

 private:
  NftValue& add(const void* data, size_t size);
  std::string bytes_;
  size_t components_ = 0;
};

struct NftVerdict {
  enum class Kind : uint8_t { kAccept, kDrop, kReturn, kJump, kGoto };
  Kind kind = Kind::kAccept;
  std::string chain;  // Of kJump and kGoto.
  auto operator<=>(const NftVerdict&) const = default;
};

struct NftElement {
  NftValue key;
  // Sets with `flags interval`: the last key of the range. With several components each has a range of its own.
  NftValue key_end = {};
  NftValue data = {};  // Of a map; not with `verdict`.
  std::optional<NftVerdict> verdict = {};
  std::chrono::milliseconds timeout{0};  // Zero: the set's. Listed: what the element was added with.
  std::chrono::milliseconds expires{0};  // Listed only: what is left.
  bool operator==(const NftElement&) const = default;
};

class NftBatch {
 public:
  NftBatch(base::Family family, std::string table) : family_(family), table_(std::move(table)) {}

  // EEXIST when the key is there, whatever its data.
  void add_element(std::string_view set, const NftElement& element);
  // ENOENT when it is not there. `key_end` as it was added. Data is not compared.
  void delete_element(std::string_view set, const NftValue& key, const NftValue& key_end = {});
  // All elements.
  void flush_set(std::string_view set);

  // A chain without hook. EEXIST when it is there.
  void add_chain(std::string_view chain);
  // With its rules. EBUSY while a rule or an element leads to it (before Linux 6.2 also shortly after, see README).
  void delete_chain(std::string_view chain);
  // Its rules.
  void flush_chain(std::string_view chain);

  enum class Numgen : uint8_t { kIncrement, kRandom };
  // meta mark set numgen inc|random mod MODULUS offset OFFSET
  // Each such rule of kIncrement has a counter of its own, shared by all CPUs, that starts at the offset.
  void add_numgen_rule(std::string_view chain, Numgen kind, uint32_t modulus, uint32_t offset = 0);
  // meta mark set MARK
  void add_mark_rule(std::string_view chain, uint32_t mark);
  // jump X, goto X, accept, drop, return
  void add_verdict_rule(std::string_view chain, const NftVerdict& verdict);

  bool empty() const { return operations_ == 0; }
  // Bytes of the whole transaction: to be kept below NftSocket::max_batch_bytes().
  size_t size() const;
  // Calls so far.
  size_t operations() const { return operations_; }
  void clear();
  base::Family family() const { return family_; }
  const std::string& table() const { return table_; }

 private:
  friend class NftSocket;
  struct Message {
    size_t offset = 0;  // In bytes_.
    std::string set;    // Or chain.
  };
  void begin(uint16_t type, uint16_t flags, std::string_view name);
  void open_elements(uint16_t type, uint16_t flags, std::string_view set);
  void put_element(std::string_view set, const NftElement& element, bool adding);
  void close_elements();
  void put_chain(uint16_t type, uint16_t flags, std::string_view chain);
  size_t begin_rule(std::string_view chain);
  void end_rule(size_t expressions);

  base::Family family_;
  std::string table_;
  std::string bytes_;
  std::vector<Message> messages_;
  size_t elements_at_ = 0;  // The open list of elements; 0: none.
  uint16_t elements_type_ = 0;
  size_t operations_ = 0;
};

struct NftChain {
  std::string name;
  bool base = false;  // Has a hook.
  uint32_t uses = 0;  // Rules in it and jumps to it.
  bool operator==(const NftChain&) const = default;
};

class NftSocket {
 public:
  // For the network namespace of the calling thread, whichever thread uses it later.
  static base::Result<NftSocket> open();

  // The largest transaction that commit() takes: what the send buffer of a user without privileges can hold
  // (net.core.wmem_max, twice), some 400 KB where that is the kernel's default.
  size_t max_batch_bytes() const { return max_batch_bytes_; }

  // All or nothing; returns when every CPU sees it. An empty batch does nothing. Failure names the first message
  // that failed: "nftables: add element services 0a600001 00000006 00500000: File exists".
  //   kNotFound ENOENT, kAlreadyExists EEXIST, kConflict EBUSY, kTooLarge larger than max_batch_bytes(), else kInternal
  base::Status commit(const NftBatch& batch);

  // Elements in no order. kNotFound: no such table or set. Bounded: a list that changes underneath is read again,
  // a few times at most.
  base::Result<std::vector<NftElement>> list_elements(base::Family family, std::string_view table, std::string_view set);
  base::Result<std::vector<NftChain>> list_chains(base::Family family, std::string_view table);

 private:
  struct Failure {
    size_t message = 0;  // From 1; 0: the transaction as a whole.
    int error = 0;       // errno; 0: none.
    size_t offset = 0;   // Of what is wrong in the message; 0: not told.
  };
  base::Result<Failure> read_answers(size_t last_message);
  static base::Error describe(const NftBatch& batch, const Failure& failure);

  NftSocket(base::Fd fd, size_t max_batch_bytes) : fd_(std::move(fd)), max_batch_bytes_(max_batch_bytes) {}
  base::Fd fd_;
  size_t max_batch_bytes_ = 0;
  uint32_t sequence_ = 1;
};

}  // namespace netns
