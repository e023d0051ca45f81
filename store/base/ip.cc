#include "store/base/ip.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>
#include <functional>

namespace base {

const char* family_name(Family family) { return family == Family::kIpv4 ? "IPv4" : "IPv6"; }

Ip Ip::v4(uint32_t host_order) {
  return v4(static_cast<uint8_t>(host_order >> 24), static_cast<uint8_t>(host_order >> 16),
            static_cast<uint8_t>(host_order >> 8), static_cast<uint8_t>(host_order));
}

Ip Ip::v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  Ip ip;
  ip.bytes_[0] = a;
  ip.bytes_[1] = b;
  ip.bytes_[2] = c;
  ip.bytes_[3] = d;
  return ip;
}

Ip Ip::v6(const std::array<uint8_t, 16>& bytes) {
  Ip ip;
  ip.family_ = Family::kIpv6;
  ip.bytes_ = bytes;
  return ip;
}

Result<Ip> Ip::parse(std::string_view text) {
  std::string terminated(text);
  if (terminated.size() == text.size() && terminated.find('\0') == std::string::npos) {
    Ip ip;
    // inet_pton refuses leading zeros and short forms, as Kubernetes does.
    if (inet_pton(AF_INET, terminated.c_str(), ip.bytes_.data()) == 1) return ip;
    ip.family_ = Family::kIpv6;
    if (inet_pton(AF_INET6, terminated.c_str(), ip.bytes_.data()) == 1) return ip;
  }
  return Error(Code::kInvalid, "\"" + terminated + "\" is not an IP address");
}

uint32_t Ip::v4_host_order() const {
  return (uint32_t{bytes_[0]} << 24) | (uint32_t{bytes_[1]} << 16) | (uint32_t{bytes_[2]} << 8) | bytes_[3];
}

Ip Ip::plus(uint64_t offset) const {
  Ip out = *this;
  uint64_t carry = offset;
  for (size_t i = size(); i-- > 0 && carry > 0;) {
    carry += out.bytes_[i];
    out.bytes_[i] = static_cast<uint8_t>(carry);
    carry >>= 8;
  }
  return out;
}

std::string Ip::text() const {
  char buffer[INET6_ADDRSTRLEN];
  if (is_v4()) {
    // By hand: inet_ntop prints it by sprintf, and the gateway does this for every request.
    char* at = buffer;
    for (size_t i = 0; i < 4; ++i) {
      uint8_t byte = bytes_[i];
      if (i > 0) *at++ = '.';
      if (byte >= 100) *at++ = static_cast<char>('0' + byte / 100);
      if (byte >= 10) *at++ = static_cast<char>('0' + byte / 10 % 10);
      *at++ = static_cast<char>('0' + byte % 10);
    }
    return {buffer, at};
  }
  inet_ntop(AF_INET6, bytes_.data(), buffer, sizeof buffer);
  return buffer;
}

namespace {

Ip masked(const Ip& ip, int length) {
  std::array<uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), ip.bytes(), ip.size());
  for (size_t i = 0; i < ip.size(); ++i) {
    int keep = length - static_cast<int>(i) * 8;
    if (keep <= 0) bytes[i] = 0;
    else if (keep < 8) bytes[i] = static_cast<uint8_t>(bytes[i] & (0xff << (8 - keep)));
  }
  if (ip.is_v4()) return Ip::v4(bytes[0], bytes[1], bytes[2], bytes[3]);
  return Ip::v6(bytes);
}

}  // namespace

Cidr::Cidr(Ip address, int prefix_length) : address_(masked(address, prefix_length)), prefix_length_(prefix_length) {}

Result<Cidr> Cidr::parse(std::string_view text) {
  Error bad(Code::kInvalid, "\"" + std::string(text) + "\" is not a CIDR such as 10.0.0.0/8");
  size_t slash = text.find('/');
  if (slash == std::string_view::npos) return bad;
  Result<Ip> ip = Ip::parse(text.substr(0, slash));
  if (!ip.ok()) return bad;
  std::string_view digits = text.substr(slash + 1);
  int length = -1;
  auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (ec != std::errc() || end != digits.data() + digits.size() || length < 0 || length > static_cast<int>(ip->size() * 8)) return bad;
  return Cidr(*ip, length);
}

Cidr Cidr::everything(Family family) { return Cidr(family == Family::kIpv4 ? Ip() : Ip::v6({}), 0); }

Ip Cidr::last() const {
  std::array<uint8_t, 16> bytes{};
  for (size_t i = 0; i < address_.size(); ++i) {
    const int fixed = prefix_length_ - static_cast<int>(i) * 8;  // Bits of this byte.
    const uint8_t free = fixed >= 8 ? 0 : fixed <= 0 ? 0xff : static_cast<uint8_t>(0xff >> fixed);
    bytes[i] = address_.bytes()[i] | free;
  }
  return address_.is_v4() ? Ip::v4(bytes[0], bytes[1], bytes[2], bytes[3]) : Ip::v6(bytes);
}

bool Cidr::contains(const Cidr& other) const { return prefix_length_ <= other.prefix_length_ && contains(other.address_); }

bool Cidr::contains(const Ip& ip) const {
  return ip.family() == address_.family() && masked(ip, prefix_length_) == address_;
}

std::string Cidr::text() const { return address_.text() + "/" + std::to_string(prefix_length_); }

}  // namespace base

size_t std::hash<base::Ip>::operator()(const base::Ip& ip) const noexcept {
  return std::hash<std::string_view>()(std::string_view(reinterpret_cast<const char*>(ip.bytes()), ip.size()));
}
