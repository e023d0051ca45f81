#include "netns/nft/batch.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "netns/nft/nfnetlink.h"

namespace netns {
namespace {

using namespace nfnetlink;

// The length of an attribute has 16 bits, and the list of elements is one attribute.
constexpr size_t kMaxElementList = 60 * 1024;
// What commit() puts around a batch: two messages without attributes.
constexpr size_t kFrame = 2 * (NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(nfgenmsg)));

uint16_t nft_type(uint16_t type) { return static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type); }

uint32_t verdict_code(NftVerdict::Kind kind) {
  switch (kind) {
    case NftVerdict::Kind::kAccept:
      return NF_ACCEPT;
    case NftVerdict::Kind::kDrop:
      return NF_DROP;
    case NftVerdict::Kind::kReturn:
      return static_cast<uint32_t>(NFT_RETURN);
    case NftVerdict::Kind::kJump:
      return static_cast<uint32_t>(NFT_JUMP);
    case NftVerdict::Kind::kGoto:
      return static_cast<uint32_t>(NFT_GOTO);
  }
  return NF_DROP;
}

void put_value(std::string& bytes, uint16_t type, const std::string& value) {
  const size_t nest = begin_nest(bytes, type);
  put(bytes, NFTA_DATA_VALUE, value.data(), value.size());
  end_nest(bytes, nest);
}

void put_verdict(std::string& bytes, uint16_t type, const NftVerdict& verdict) {
  const size_t nest = begin_nest(bytes, type);
  const size_t inner = begin_nest(bytes, NFTA_DATA_VERDICT);
  put_be32(bytes, NFTA_VERDICT_CODE, verdict_code(verdict.kind));
  if (!verdict.chain.empty()) put_text(bytes, NFTA_VERDICT_CHAIN, verdict.chain);
  end_nest(bytes, inner);
  end_nest(bytes, nest);
}

// What follows the last key of a range, as the kernel's trees want it; empty: nothing does.
std::string successor(std::string key) {
  for (size_t i = key.size(); i-- > 0;) {
    key[i] = static_cast<char>(static_cast<uint8_t>(key[i]) + 1);
    if (key[i] != 0) return key;
  }
  return "";
}

void put_interval_end(std::string& bytes, const std::string& key) {
  const size_t nest = begin_nest(bytes, NFTA_LIST_ELEM);
  put_be32(bytes, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
  put_value(bytes, NFTA_SET_ELEM_KEY, key);
  end_nest(bytes, nest);
}

// One expression of a rule: its name, then what `fill` puts.
template <class Fill>
void put_expression(std::string& bytes, std::string_view name, Fill fill) {
  const size_t nest = begin_nest(bytes, NFTA_LIST_ELEM);
  put_text(bytes, NFTA_EXPR_NAME, name);
  const size_t data = begin_nest(bytes, NFTA_EXPR_DATA);
  fill();
  end_nest(bytes, data);
  end_nest(bytes, nest);
}

void put_set_mark(std::string& bytes) {
  put_expression(bytes, "meta", [&] {
    put_be32(bytes, NFTA_META_KEY, NFT_META_MARK);
    put_be32(bytes, NFTA_META_SREG, NFT_REG_1);
  });
}

}  // namespace

size_t NftBatch::size() const { return messages_.empty() ? 0 : bytes_.size() + kFrame; }

void NftBatch::clear() {
  bytes_.clear();
  messages_.clear();
  elements_at_ = 0;
  elements_type_ = 0;
  operations_ = 0;
}

// A message's number is its place, from 1. Only the last is acknowledged; failures are told for any, asked or not.
void NftBatch::begin(uint16_t type, uint16_t flags, std::string_view name) {
  close_elements();
  if (!messages_.empty()) {
    nlmsghdr* last = reinterpret_cast<nlmsghdr*>(bytes_.data() + messages_.back().offset);
    last->nlmsg_flags &= static_cast<uint16_t>(~NLM_F_ACK);
  }
  messages_.push_back({bytes_.size(), std::string(name)});
  begin_message(bytes_, nft_type(type), static_cast<uint16_t>(flags | NLM_F_ACK), static_cast<uint32_t>(messages_.size()),
                protocol_family(family_));
}

void NftBatch::close_elements() {
  if (elements_at_ == 0) return;
  end_nest(bytes_, elements_at_);
  end_message(bytes_, messages_.back().offset);
  elements_at_ = 0;
}

// Elements of one set that follow each other share a message.
void NftBatch::open_elements(uint16_t type, uint16_t flags, std::string_view set) {
  if (elements_at_ != 0 && elements_type_ == type && messages_.back().set == set && bytes_.size() - elements_at_ < kMaxElementList) return;
  begin(type, flags, set);
  put_text(bytes_, NFTA_SET_ELEM_LIST_TABLE, table_);
  put_text(bytes_, NFTA_SET_ELEM_LIST_SET, set);
  elements_at_ = begin_nest(bytes_, NFTA_SET_ELEM_LIST_ELEMENTS);
  elements_type_ = type;
}

void NftBatch::put_element(std::string_view set, const NftElement& element, bool adding) {
  // EXCL: without it the kernel takes an element that is there already, if its data is the same.
  open_elements(adding ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM, adding ? NLM_F_CREATE | NLM_F_EXCL : 0, set);
  const size_t nest = begin_nest(bytes_, NFTA_LIST_ELEM);
  put_value(bytes_, NFTA_SET_ELEM_KEY, element.key.bytes());
  const bool range = !element.key_end.empty();
  const bool concatenated = element.key.components() > 1;
  if (range && concatenated) put_value(bytes_, NFTA_SET_ELEM_KEY_END, element.key_end.bytes());
  if (adding) {
    if (element.timeout.count() > 0) put_be64(bytes_, NFTA_SET_ELEM_TIMEOUT, static_cast<uint64_t>(element.timeout.count()));
    if (element.verdict) {
      put_verdict(bytes_, NFTA_SET_ELEM_DATA, *element.verdict);
    } else if (!element.data.empty()) {
      put_value(bytes_, NFTA_SET_ELEM_DATA, element.data.bytes());
    }
  }
  end_nest(bytes_, nest);
  if (range && !concatenated) {
    if (std::string end = successor(element.key_end.bytes()); !end.empty()) put_interval_end(bytes_, end);
  }
  // Kept right at every step, so that the bytes are whole whenever somebody commits.
  end_nest(bytes_, elements_at_);
  end_message(bytes_, messages_.back().offset);
  ++operations_;
}

void NftBatch::add_element(std::string_view set, const NftElement& element) { put_element(set, element, true); }

void NftBatch::delete_element(std::string_view set, const NftValue& key, const NftValue& key_end) {
  put_element(set, {.key = key, .key_end = key_end}, false);
}

void NftBatch::flush_set(std::string_view set) {
  begin(NFT_MSG_DELSETELEM, 0, set);
  put_text(bytes_, NFTA_SET_ELEM_LIST_TABLE, table_);
  put_text(bytes_, NFTA_SET_ELEM_LIST_SET, set);
  end_message(bytes_, messages_.back().offset);
  ++operations_;
}

void NftBatch::put_chain(uint16_t type, uint16_t flags, std::string_view chain) {
  begin(type, flags, chain);
  put_text(bytes_, NFTA_CHAIN_TABLE, table_);
  put_text(bytes_, NFTA_CHAIN_NAME, chain);
  end_message(bytes_, messages_.back().offset);
  ++operations_;
}

void NftBatch::add_chain(std::string_view chain) { put_chain(NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, chain); }
void NftBatch::delete_chain(std::string_view chain) { put_chain(NFT_MSG_DELCHAIN, 0, chain); }

void NftBatch::flush_chain(std::string_view chain) {
  begin(NFT_MSG_DELRULE, 0, chain);
  put_text(bytes_, NFTA_RULE_TABLE, table_);
  put_text(bytes_, NFTA_RULE_CHAIN, chain);
  end_message(bytes_, messages_.back().offset);
  ++operations_;
}

size_t NftBatch::begin_rule(std::string_view chain) {
  begin(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, chain);
  put_text(bytes_, NFTA_RULE_TABLE, table_);
  put_text(bytes_, NFTA_RULE_CHAIN, chain);
  return begin_nest(bytes_, NFTA_RULE_EXPRESSIONS);
}

void NftBatch::end_rule(size_t expressions) {
  end_nest(bytes_, expressions);
  end_message(bytes_, messages_.back().offset);
  ++operations_;
}

void NftBatch::add_numgen_rule(std::string_view chain, Numgen kind, uint32_t modulus, uint32_t offset) {
  const size_t expressions = begin_rule(chain);
  put_expression(bytes_, "numgen", [&] {
    put_be32(bytes_, NFTA_NG_DREG, NFT_REG_1);
    put_be32(bytes_, NFTA_NG_MODULUS, modulus);
    put_be32(bytes_, NFTA_NG_TYPE, kind == Numgen::kIncrement ? NFT_NG_INCREMENTAL : NFT_NG_RANDOM);
    put_be32(bytes_, NFTA_NG_OFFSET, offset);
  });
  put_set_mark(bytes_);
  end_rule(expressions);
}

void NftBatch::add_mark_rule(std::string_view chain, uint32_t mark) {
  const size_t expressions = begin_rule(chain);
  put_expression(bytes_, "immediate", [&] {
    put_be32(bytes_, NFTA_IMMEDIATE_DREG, NFT_REG_1);
    put_value(bytes_, NFTA_IMMEDIATE_DATA, NftValue().mark(mark).bytes());
  });
  put_set_mark(bytes_);
  end_rule(expressions);
}

void NftBatch::add_verdict_rule(std::string_view chain, const NftVerdict& verdict) {
  const size_t expressions = begin_rule(chain);
  put_expression(bytes_, "immediate", [&] {
    put_be32(bytes_, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    put_verdict(bytes_, NFTA_IMMEDIATE_DATA, verdict);
  });
  end_rule(expressions);
}

}  // namespace netns
