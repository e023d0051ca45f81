#include "store/schema/ip_syntax.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

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

// Of a prefix that parse_legacy_cidr takes.
bool has_leading_zeros(const std::string& text) {
  const std::string length = text.substr(text.find('/') + 1);
  return !base::Ip::parse(text.substr(0, text.find('/'))).ok() || (length.size() > 1 && length[0] == '0');
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
  if (!legacy_ip_problem(text).empty()) return field + ": non-standard IP address " + shown(text) + " is invalid: use " + shown(ip->text());
  return field + ": IPv6 address " + shown(text) + " should be in RFC 5952 canonical format (" + shown(ip->text()) + ")";
}

std::vector<std::string> legacy_cidr_warnings(const std::string& field, const std::string& text) {
  const auto cidr = parse_legacy_cidr(text);
  if (!cidr || cidr->text() == text) return {};
  std::vector<std::string> out;
  const std::string address = text.substr(0, text.find('/')), use = shown(cidr->text());
  const auto ip = parse_legacy_ip(address);
  if (ip && *ip != cidr->address()) {
    const std::string single = shown(ip->text() + "/" + std::to_string(ip->size() * 8));
    out.push_back(field + ": CIDR value " + shown(text) + " is ambiguous in this context (should be " + use + " or " + single + "?)");
  }
  if (has_leading_zeros(text) || is_mapped(address)) {
    out.push_back(field + ": non-standard CIDR value " + shown(text) + " is invalid: use " + use);
  } else if (out.empty()) {
    out.push_back(field + ": IPv6 CIDR value " + shown(text) + " should be in RFC 5952 canonical format (" + use + ")");
  }
  return out;
}

std::string legacy_ip_problem(const std::string& text) {
  if (!parse_legacy_ip(text)) return std::string(kBadIp);
  if (!base::Ip::parse(text).ok()) return "must not have leading 0s";
  return is_mapped(text) ? "must not be an IPv4-mapped IPv6 address" : "";
}

std::string legacy_cidr_problem(const std::string& text) {
  const auto cidr = parse_legacy_cidr(text);
  if (!cidr) return std::string(kBadCidr);
  const std::string address = text.substr(0, text.find('/'));
  if (has_leading_zeros(text)) return "must not have leading 0s in IP or prefix length";
  if (is_mapped(address)) return "must not have an IPv4-mapped IPv6 address";
  return *base::Ip::parse(address) == cidr->address() ? "" : "must not have bits set beyond the prefix length";
}

std::string strict_ip_problem(const std::string& text) {
  const std::string problem = legacy_ip_problem(text);
  if (!problem.empty()) return problem;
  const std::string use = parse_legacy_ip(text)->text();
  return use == text ? "" : "must be in canonical form (" + shown(use) + ")";
}

std::string strict_cidr_problem(const std::string& text) {
  const std::string problem = legacy_cidr_problem(text);
  if (!problem.empty()) return problem;
  const std::string use = parse_legacy_cidr(text)->text();
  return use == text ? "" : "must be in canonical form (" + shown(use) + ")";
}

}  // namespace store
