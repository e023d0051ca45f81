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

std::string to_hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out(bytes.size() * 2, '0');
  for (size_t i = 0; i < bytes.size(); ++i) {
    out[2 * i] = kDigits[static_cast<uint8_t>(bytes[i]) >> 4];
    out[2 * i + 1] = kDigits[static_cast<uint8_t>(bytes[i]) & 15];
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
