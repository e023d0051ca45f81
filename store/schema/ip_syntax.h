// store/schema/ip_syntax.h - addresses and prefixes as the API accepts them. Fields that are older than Go's strict
// parser once took octets with leading zeros (010.0.0.1), IPv4 mapped into IPv6, and prefixes with host bits. Since 1.36 only
// values that are stored already may be so; fields that came later want the one canonical text. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/ip.h"
#include "store/base/result.h"

namespace store {

std::optional<base::Ip> parse_legacy_ip(std::string_view text);
std::optional<base::Cidr> parse_legacy_cidr(std::string_view text);

// Canonical text of a legacy value; the text itself when it is neither address nor prefix.
std::string canonical_ip(const std::string& text);
std::string canonical_cidr(const std::string& text);

// What upstream warns of: values in an unusual form. "" when there is nothing.
std::string legacy_ip_warning(const std::string& field, const std::string& text);
std::vector<std::string> legacy_cidr_warnings(const std::string& field, const std::string& text);

// Why a new value is not acceptable to a field of the older kind, or to one of the newer kind; "" when it is.
std::string legacy_ip_problem(const std::string& text);
std::string legacy_cidr_problem(const std::string& text);
std::string strict_ip_problem(const std::string& text);
std::string strict_cidr_problem(const std::string& text);

inline constexpr std::string_view kBadCidr = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

}  // namespace store
