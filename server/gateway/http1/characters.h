// server/gateway/http1/characters.h - which bytes may stand where in HTTP/1.1 (RFC 9110, 5.6.2 and 5.5), as tables.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace server::gateway::http1 {

namespace detail {
constexpr std::array<bool, 256> make_set(std::string_view others, bool alphanumeric) {
  std::array<bool, 256> set{};
  for (char c : others) set[static_cast<uint8_t>(c)] = true;
  for (int c = 0; alphanumeric && c < 128; ++c) set[static_cast<size_t>(c)] = set[static_cast<size_t>(c)] || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  return set;
}
constexpr std::array<bool, 256> make_range(int from, int to, int also) {
  std::array<bool, 256> set{};
  for (int c = from; c <= to; ++c) set[static_cast<size_t>(c)] = true;
  if (also >= 0) set[static_cast<size_t>(also)] = true;
  set[0x7f] = false;
  return set;
}
}  // namespace detail

inline constexpr std::array<bool, 256> kTokenBytes = detail::make_set("!#$%&'*+-.^_`|~", true);
inline constexpr std::array<bool, 256> kHostBytes = detail::make_set("-._~!$&'()*+,;=%", true);
inline constexpr std::array<bool, 256> kValueBytes = detail::make_range(0x20, 0xff, '\t');
inline constexpr std::array<bool, 256> kTargetBytes = detail::make_range(0x21, 0xff, -1);

inline bool all_of(std::string_view text, const std::array<bool, 256>& set) {
  for (char c : text) {
    if (!set[static_cast<uint8_t>(c)]) return false;
  }
  return true;
}

}  // namespace server::gateway::http1
