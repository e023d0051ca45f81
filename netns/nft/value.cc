#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "netns/nft/batch.h"

namespace netns {
namespace {

constexpr size_t kWord = 4;

std::string_view word_at(const std::string& bytes, size_t word, size_t size) {
  const size_t at = word * kWord;
  return at + size <= bytes.size() ? std::string_view(bytes).substr(at, size) : std::string_view();
}

}  // namespace

// A value alone has its natural size; in a concatenation everything is padded, the last component too.
NftValue& NftValue::add(const void* data, size_t size) {
  auto pad = [this] { bytes_.resize((bytes_.size() + kWord - 1) / kWord * kWord, '\0'); };
  if (components_ > 0) pad();
  bytes_.append(static_cast<const char*>(data), size);
  if (components_ > 0) pad();
  ++components_;
  return *this;
}

NftValue& NftValue::ip(const base::Ip& address) { return add(address.bytes(), address.size()); }
NftValue& NftValue::protocol(uint8_t protocol) { return add(&protocol, sizeof protocol); }
NftValue& NftValue::mark(uint32_t mark) { return add(&mark, sizeof mark); }
NftValue& NftValue::raw(std::string_view bytes) { return add(bytes.data(), bytes.size()); }
NftValue& NftValue::port(uint16_t port) {
  port = htons(port);
  return add(&port, sizeof port);
}

NftValue& NftValue::range_mark(uint32_t mark) { return this->mark(htonl(mark)); }

NftValue NftValue::from_bytes(std::string bytes, size_t components) {
  NftValue value;
  value.components_ = bytes.empty() ? 0 : components;
  value.bytes_ = std::move(bytes);
  return value;
}

uint32_t NftValue::mark_at(size_t word) const {
  uint32_t out = 0;
  if (auto part = word_at(bytes_, word, sizeof out); !part.empty()) std::memcpy(&out, part.data(), sizeof out);
  return out;
}

uint16_t NftValue::port_at(size_t word) const {
  uint16_t out = 0;
  if (auto part = word_at(bytes_, word, sizeof out); !part.empty()) std::memcpy(&out, part.data(), sizeof out);
  return ntohs(out);
}

uint8_t NftValue::protocol_at(size_t word) const {
  auto part = word_at(bytes_, word, 1);
  return part.empty() ? 0 : static_cast<uint8_t>(part[0]);
}

base::Ip NftValue::ip_at(size_t word, base::Family family) const {
  if (family == base::Family::kIpv4) {
    auto part = word_at(bytes_, word, 4);
    if (part.empty()) return {};
    const uint8_t* p = reinterpret_cast<const uint8_t*>(part.data());
    return base::Ip::v4(p[0], p[1], p[2], p[3]);
  }
  std::array<uint8_t, 16> out{};
  if (auto part = word_at(bytes_, word, out.size()); !part.empty()) std::memcpy(out.data(), part.data(), out.size());
  return base::Ip::v6(out);
}

std::string NftValue::text() const {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (size_t i = 0; i < bytes_.size(); ++i) {
    if (i > 0 && i % kWord == 0) out += ' ';
    const uint8_t byte = static_cast<uint8_t>(bytes_[i]);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

}  // namespace netns
