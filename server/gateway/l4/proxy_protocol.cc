#include "server/gateway/l4/proxy_protocol.h"

#include <string.h>

#include <algorithm>
#include <array>
#include <vector>

namespace server::gateway {
namespace {

constexpr std::string_view kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::string_view kSignature1 = "PROXY ";
constexpr size_t kMaxLine = 107;        // Of version 1, by its specification.
constexpr size_t kMaxRest = 4096;       // Of version 2 we take no more than this.

const ProxyParse kBroken{ProxyParse::Kind::kBroken, 0};

bool begins_alike(std::string_view bytes, std::string_view with) {
  size_t n = std::min(bytes.size(), with.size());
  return bytes.substr(0, n) == with.substr(0, n);
}

bool read_port(std::string_view text, uint16_t* out) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return false;
  uint32_t n = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    n = n * 10 + static_cast<uint32_t>(c - '0');
  }
  *out = static_cast<uint16_t>(n);
  return n < 65536;
}

ProxyParse parse_line(std::string_view bytes, ProxyHeader* out) {
  size_t end = bytes.substr(0, kMaxLine).find("\r\n");
  if (end == std::string_view::npos) return bytes.size() >= kMaxLine ? kBroken : ProxyParse();
  std::vector<std::string_view> words;
  for (std::string_view rest = bytes.substr(kSignature1.size(), end - kSignature1.size());;) {
    size_t space = rest.find(' ');
    words.push_back(rest.substr(0, space));
    if (space == std::string_view::npos) break;
    rest.remove_prefix(space + 1);
  }
  ProxyParse done{ProxyParse::Kind::kDone, end + 2};
  if (words[0] == "UNKNOWN") return done;
  if (words.size() != 5 || (words[0] != "TCP4" && words[0] != "TCP6")) return kBroken;
  base::Result<base::Ip> source = base::Ip::parse(words[1]), destination = base::Ip::parse(words[2]);
  bool v4 = words[0] == "TCP4";
  if (!source.ok() || !destination.ok() || source->is_v4() != v4 || destination->is_v4() != v4) return kBroken;
  if (!read_port(words[3], &out->source_port) || !read_port(words[4], &out->destination_port)) return kBroken;
  out->source = *source;
  out->destination = *destination;
  out->has_addresses = true;
  return done;
}

ProxyParse parse_binary(std::string_view bytes, ProxyHeader* out) {
  if (bytes.size() < 16) return {};
  auto byte = [&bytes](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  size_t rest = static_cast<size_t>(byte(14)) << 8 | byte(15);
  if (byte(12) >> 4 != 2 || (byte(12) & 15) > 1 || rest > kMaxRest) return kBroken;
  if (bytes.size() < 16 + rest) return {};
  ProxyParse done{ProxyParse::Kind::kDone, 16 + rest};
  if ((byte(12) & 15) == 0) return done;  // LOCAL: the proxy speaks for itself.
  auto port = [&byte](size_t at) { return static_cast<uint16_t>(byte(at) << 8 | byte(at + 1)); };
  if (byte(13) == 0x11) {
    if (rest < 12) return kBroken;
    out->source = base::Ip::v4(byte(16), byte(17), byte(18), byte(19));
    out->destination = base::Ip::v4(byte(20), byte(21), byte(22), byte(23));
    out->source_port = port(24);
    out->destination_port = port(26);
    out->has_addresses = true;
  } else if (byte(13) == 0x21) {
    if (rest < 36) return kBroken;
    std::array<uint8_t, 16> address;
    memcpy(address.data(), bytes.data() + 16, 16);
    out->source = base::Ip::v6(address);
    memcpy(address.data(), bytes.data() + 32, 16);
    out->destination = base::Ip::v6(address);
    out->source_port = port(48);
    out->destination_port = port(50);
    out->has_addresses = true;
  }
  return done;
}

}  // namespace

ProxyParse parse_proxy_header(std::string_view bytes, ProxyHeader* out) {
  if (begins_alike(bytes, kSignature1)) return bytes.size() < kSignature1.size() ? ProxyParse() : parse_line(bytes, out);
  if (begins_alike(bytes, kSignature2)) return bytes.size() < kSignature2.size() ? ProxyParse() : parse_binary(bytes, out);
  return kBroken;
}

std::string render_proxy_header(const ProxyHeader& header) {
  if (!header.has_addresses) return "PROXY UNKNOWN\r\n";
  return std::string(header.source.is_v4() ? "PROXY TCP4 " : "PROXY TCP6 ") + header.source.text() + " " + header.destination.text() + " " + std::to_string(header.source_port) + " " +
         std::to_string(header.destination_port) + "\r\n";
}

}  // namespace server::gateway
