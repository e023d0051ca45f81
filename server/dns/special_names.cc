#include "server/dns/special_names.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace server::dns {
namespace {

// RFC 6761, 6762, 7686, and ICANN's "internal"; "svc" is what is left of a cluster name without its domain.
constexpr std::array<std::string_view, 7> kReserved = {"test", "invalid", "example", "local", "onion", "internal", "svc"};

// RFC 6303 and 6890: addresses of a site, a link or a host.
constexpr std::array<std::string_view, 10> kPrivate = {"10.0.0.0/8",    "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16",
                                                       "100.64.0.0/10", "192.0.2.0/24",  "fc00::/7",       "fe80::/10",   "::1/128"};

bool is_private(const base::Ip& ip) {
  static const std::vector<base::Cidr> ranges = [] {
    std::vector<base::Cidr> out;
    for (std::string_view text : kPrivate) out.push_back(base::Cidr::parse(text).value());
    return out;
  }();
  return std::any_of(ranges.begin(), ranges.end(), [&](const base::Cidr& range) { return range.contains(ip); });
}

std::optional<unsigned> parse_number(const std::string& text, int base, size_t max_digits, unsigned max) {
  if (text.empty() || text.size() > max_digits) return std::nullopt;
  unsigned value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size() || value > max) return std::nullopt;
  return value;
}

// The labels below the zone, nearest first; what they say of the address, from its first byte on.
template <class Add>
bool read_labels(const Name& name, size_t zone_labels, Add add) {
  for (size_t i = name.size() - zone_labels; i-- > 0;) {
    if (!add(name[i])) return false;
  }
  return true;
}

}  // namespace

std::optional<ReverseName> parse_reverse(const Name& name) {
  constexpr size_t kZoneLabels = 2;
  if (name.size() < kZoneLabels || name.back() != "arpa") return std::nullopt;
  const std::string& tree = name[name.size() - 2];
  const bool v4 = tree == "in-addr";
  if (!v4 && tree != "ip6") return std::nullopt;
  ReverseName out;
  out.zone = {tree, "arpa"};
  const size_t parts = v4 ? 4 : 32;
  const size_t given = name.size() - kZoneLabels;
  std::array<uint8_t, 16> bytes{};
  size_t at = 0;
  const bool ok = given <= parts && read_labels(name, kZoneLabels, [&](const std::string& label) {
                    auto number = v4 ? parse_number(label, 10, 3, 255) : parse_number(label, 16, 1, 15);
                    if (!number) return false;
                    if (v4) {
                      bytes[at] = static_cast<uint8_t>(*number);
                    } else {
                      bytes[at / 2] |= static_cast<uint8_t>(at % 2 == 0 ? *number << 4 : *number);
                    }
                    ++at;
                    return true;
                  });
  const base::Ip ip = v4 ? base::Ip::v4(bytes[0], bytes[1], bytes[2], bytes[3]) : base::Ip::v6(bytes);
  out.is_private = is_private(ip);
  if (!ok) return out;
  out.prefix_only = given < parts;
  if (given == parts) out.ip = ip;
  return out;
}

bool is_never_delegated(const Name& name) {
  if (name.size() == 1) return true;
  return !name.empty() && std::find(kReserved.begin(), kReserved.end(), name.back()) != kReserved.end();
}

}  // namespace server::dns
