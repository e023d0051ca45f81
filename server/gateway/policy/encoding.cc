#include "server/gateway/policy/encoding.h"

#include <openssl/evp.h>

#include <array>

namespace server::gateway {
namespace {

using ByteSet = std::array<bool, 256>;

constexpr ByteSet make_set(std::string_view printable) {
  ByteSet set{};
  for (size_t c = 0; c < 256; ++c) set[c] = c < 0x20 || c >= 0x7f;
  for (char c : printable) set[static_cast<uint8_t>(c)] = true;
  return set;
}

constexpr ByteSet make_component_set() {
  ByteSet set{};
  for (size_t c = 0; c < 256; ++c) {
    bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' || c == '~';
    set[c] = !plain;
  }
  return set;
}

constexpr ByteSet kUriSet = make_set(" \"#%<>?\\^`{|}");
constexpr ByteSet kArgsSet = make_set(" \"#%<>?\\^`{|}&+;");
constexpr ByteSet kComponentSet = make_component_set();
constexpr ByteSet kLineSet = [] {
  ByteSet set{};
  for (size_t c = 0; c <= 0x20; ++c) set[c] = true;
  set[0x7f] = true;
  return set;
}();

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> kBase64Values = [] {
  std::array<int8_t, 256> values{};
  for (auto& value : values) value = -1;
  for (int8_t i = 0; i < 64; ++i) values[static_cast<uint8_t>(kBase64[i])] = i;
  return values;
}();

void append_encoding(std::string_view text, const ByteSet& set, std::string* out) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  for (char c : text) {
    auto byte = static_cast<uint8_t>(c);
    if (!set[byte]) {
      out->push_back(c);
      continue;
    }
    out->push_back('%');
    out->push_back(kDigits[byte >> 4]);
    out->push_back(kDigits[byte & 15]);
  }
}

// As nginx looks for one: "name", spaces, '=', spaces, then the value up to ';'.
std::optional<std::string_view> find_in_line(std::string_view line, std::string_view name) {
  while (!line.empty()) {
    if (line.size() > name.size() && equal_names(line.substr(0, name.size()), name)) {
      std::string_view rest = line.substr(name.size());
      while (!rest.empty() && rest[0] == ' ') rest.remove_prefix(1);
      if (!rest.empty() && rest[0] == '=') {
        rest.remove_prefix(1);
        while (!rest.empty() && rest[0] == ' ') rest.remove_prefix(1);
        return rest.substr(0, rest.find(';'));
      }
    }
    size_t end = line.find_first_of(";,");
    if (end == std::string_view::npos) break;
    line.remove_prefix(end + 1);
    while (!line.empty() && line[0] == ' ') line.remove_prefix(1);
  }
  return std::nullopt;
}

}  // namespace

void append_escaped(std::string_view text, Escape escape, std::string* out) {
  append_encoding(text, escape == Escape::kUri ? kUriSet : escape == Escape::kArgs ? kArgsSet : kComponentSet, out);
}

void append_line_safe(std::string_view text, std::string* out) { append_encoding(text, kLineSet, out); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string to_hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out(bytes.size() * 2, '0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = kDigits[static_cast<uint8_t>(bytes[i]) >> 4];
    out[2 * i + 1] = kDigits[static_cast<uint8_t>(bytes[i]) & 15];
  }
  return out;
}

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  uint32_t bits = 0;
  int have = 0;
  for (char c : bytes) {
    bits = bits << 8 | static_cast<uint8_t>(c);
    for (have += 8; have >= 6; have -= 6) out.push_back(kBase64[bits >> (have - 6) & 63]);
  }
  if (have > 0) out.push_back(kBase64[bits << (6 - have) & 63]);
  while (out.size() % 4 != 0) out.push_back('=');
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  for (int i = 0; i < 2 && !text.empty() && text.back() == '='; ++i) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t bits = 0;
  int have = 0;
  for (char c : text) {
    int8_t value = kBase64Values[static_cast<uint8_t>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    have += 6;
    if (have < 8) continue;
    have -= 8;
    out.push_back(static_cast<char>(bits >> have & 255));
  }
  return out;
}

std::string md5_hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_md5(), nullptr) != 1) size = 0;
  return to_hex({reinterpret_cast<const char*>(digest), size});
}

std::optional<std::string_view> find_cookie_view(const Headers& headers, std::string_view name) {
  if (name.empty()) return std::nullopt;
  for (size_t i = 0; i < headers.size(); ++i) {
    Headers::Field field = headers[i];
    if (!equal_names(field.name, "cookie")) continue;
    if (std::optional<std::string_view> value = find_in_line(field.value, name)) return value;
  }
  return std::nullopt;
}

std::optional<std::string> find_cookie(const Headers& headers, std::string_view name) {
  std::optional<std::string_view> value = find_cookie_view(headers, name);
  return value ? std::optional<std::string>(*value) : std::nullopt;
}

void make_header_safe(std::string* value) {
  for (char& c : *value) {
    if (c == '\r' || c == '\n' || c == '\0') c = ' ';
  }
}

}  // namespace server::gateway
