// store/base/text.h - ASCII letters, hex digits and base64, whatever the locale. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base {

constexpr char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
std::string lower(std::string_view text);
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The parts between commas, without empty ones; nothing is trimmed.
std::vector<std::string> split_by_comma(std::string_view text);

// -1: not a hex digit.
constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string encode_base64(std::string_view bytes);
// Line ends are skipped, as Go does; padding may be missing. Nothing: not base64.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace base
