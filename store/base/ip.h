// store/base/ip.h - addresses and prefixes of either family, as values. No allocation, no thread affinity.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "store/base/result.h"

namespace base {

enum class Family : uint8_t { kIpv4, kIpv6 };
const char* family_name(Family family);  // "IPv4", "IPv6": as the API writes it.

// An IPv4 or IPv6 address in network order. Default is 0.0.0.0.
class Ip {
 public:
  Ip() = default;
  static Ip v4(uint32_t host_order);
  static Ip v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d);
  static Ip v6(const std::array<uint8_t, 16>& bytes);
  // kInvalid for anything but a plain dotted quad (no leading zeros) or an RFC 4291 text form.
  static Result<Ip> parse(std::string_view text);

  Family family() const { return family_; }
  bool is_v4() const { return family_ == Family::kIpv4; }
  size_t size() const { return is_v4() ? 4 : 16; }
  int bits() const { return static_cast<int>(size()) * 8; }
  const uint8_t* bytes() const { return bytes_.data(); }
  uint32_t v4_host_order() const;  // REQUIRES is_v4().
  Ip plus(uint64_t offset) const;  // Wraps at the end of the address space.
  std::string text() const;        // RFC 5952.

  auto operator<=>(const Ip&) const = default;

 private:
  Family family_ = Family::kIpv4;
  std::array<uint8_t, 16> bytes_{};
};

// A prefix; host bits are zero.
class Cidr {
 public:
  Cidr() = default;
  Cidr(Ip address, int prefix_length);  // Masks host bits away.
  static Result<Cidr> parse(std::string_view text);
  static Cidr host(const Ip& ip) { return Cidr(ip, ip.bits()); }
  static Cidr everything(Family family);

  const Ip& address() const { return address_; }
  int prefix_length() const { return prefix_length_; }
  int host_bits() const { return address_.bits() - prefix_length_; }
  Ip last() const;  // The highest address in it.
  bool contains(const Ip& ip) const;       // False for the other family, as below.
  bool contains(const Cidr& other) const;  // All of it.
  std::string text() const;

  auto operator<=>(const Cidr&) const = default;

 private:
  Ip address_;
  int prefix_length_ = 0;
};

}  // namespace base

template <>
struct std::hash<base::Ip> {
  size_t operator()(const base::Ip& ip) const noexcept;
};
