#include "store/schema/ip_syntax.h"

#include <algorithm>
#include <charconv>

#include "store/schema/rules.h"

namespace store {
namespace {

// ::ffff:a.b.c.d is the IPv4 address to Go.
base::Ip unmapped(const base::Ip& ip) {
  static constexpr uint8_t kMapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const uint8_t* b = ip.bytes();
  if (ip.is_v4() || !std::equal(kMapped, kMapped + 12, b)) return ip;
  return base::Ip::v4(b[12], b[13], b[14], b[15]);
}

bool is_mapped(std::string_view text) {
  auto ip = base::Ip::parse(text);
  return ip.ok() && !ip->is_v4() && unmapped(*ip).is_v4();
}

// 010.001.0.1 -> 10.1.0.1; anything that is no dotted quad stays.
std::string without_leading_zeros(std::string_view text) {
  std::string out;
  size_t start = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] != '.') continue;
    std::string_view octet = text.substr(start, i - start);
    const bool digits = !octet.empty() && std::all_of(octet.begin(), octet.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) return std::string(text);
    octet.remove_prefix(std::min(octet.find_first_not_of('0'), octet.size() - 1));
    if (!out.empty()) out += '.';
    out += octet;
    start = i + 1;
  }
  return out;
}

std::optional<int> legacy_number(std::string_view digits) {
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || digits[0] == '-' || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<base::Ip> parse_legacy_ip(std::string_view text) {
  if (auto ip = base::Ip::parse(text); ip.ok()) return unmapped(*ip);
  if (auto ip = base::Ip::parse(without_leading_zeros(text)); ip.ok() && ip->is_v4()) return *ip;
  return std::nullopt;
}

std::optional<base::Cidr> parse_legacy_cidr(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto ip = parse_legacy_ip(text.substr(0, slash));
  auto length = legacy_number(text.substr(slash + 1));
  if (!ip || !length) return std::nullopt;
  if (is_mapped(text.substr(0, slash))) {
    if (*length < 96) return std::nullopt;  // A prefix of IPv6 that holds more than mapped addresses.
    *length -= 96;
  }
  if (*length > static_cast<int>(ip->size() * 8)) return std::nullopt;
  return base::Cidr(*ip, *length);
}

std::string canonical_ip(const std::string& text) {
  const auto ip = parse_legacy_ip(text);
  return ip ? ip->text() : text;
}

std::string canonical_cidr(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
  if (first == std::string::npos) return text;
  const auto cidr = parse_legacy_cidr(std::string_view(text).substr(first, last - first + 1));
  return cidr ? cidr->text() : text;
}

std::string legacy_ip_warning(const std::string& field, const std::string& text) {
  const auto ip = parse_legacy_ip(text);
  if (!ip || ip->text() == text) return {};
  const std::string use = ip->text();
  if (!base::Ip::parse(text).ok() || is_mapped(text)) {
    return field + ": non-standard IP address " + shown(text) + " will be considered invalid in a future Kubernetes release: use " + shown(use);
  }
  return field + ": IPv6 address " + shown(text) + " should be in RFC 5952 canonical format (" + shown(use) + ")";
}

std::string legacy_cidr_warning(const std::string& field, const std::string& text) {
  const auto cidr = parse_legacy_cidr(text);
  if (!cidr || cidr->text() == text) return {};
  const std::string use = cidr->text();
  const auto strict = base::Cidr::parse(text);
  const std::string address = text.substr(0, text.find('/'));
  const std::string length = text.substr(text.find('/') + 1);
  const auto written = base::Ip::parse(address);
  const bool plain = strict.ok() && written.ok() && !is_mapped(address) && *written == cidr->address() && (length == "0" || length[0] != '0');
  if (!plain) {
    return field + ": non-standard CIDR value " + shown(text) + " will be considered invalid in a future Kubernetes release: use " + shown(use);
  }
  return field + ": IPv6 CIDR value " + shown(text) + " should be in RFC 5952 canonical format (" + shown(use) + ")";
}

std::string strict_ip_problem(const std::string& text) {
  const auto ip = parse_legacy_ip(text);
  if (!ip) return std::string(kBadIp);
  if (!base::Ip::parse(text).ok()) return "must not have leading 0s";
  if (is_mapped(text)) return "must not be an IPv4-mapped IPv6 address";
  return ip->text() == text ? std::string() : "must be in canonical form (" + shown(ip->text()) + ")";
}

std::string strict_cidr_problem(const std::string& text) {
  const auto cidr = parse_legacy_cidr(text);
  if (!cidr) return std::string(kBadCidr);
  const std::string address = text.substr(0, text.find('/')), length = text.substr(text.find('/') + 1);
  const auto ip = base::Ip::parse(address);
  if (!ip.ok()) return "must not have leading 0s in IP";
  if (is_mapped(address)) return "must not be an IPv4-mapped IPv6 address";
  if (length.size() > 1 && length[0] == '0') return "must not have leading 0s in prefix length";
  if (*ip != cidr->address()) return "must not have bits set beyond the prefix length";
  return cidr->text() == text ? std::string() : "must be in canonical form (" + shown(cidr->text()) + ")";
}

}  // namespace store
