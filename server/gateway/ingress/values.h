// server/gateway/ingress/values.h - the forms in which annotations and ConfigMap keys are written. Pure; any thread. Nothing: the
// text is not of that form.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/ip.h"

namespace server::gateway {

std::string_view trim(std::string_view text);
std::string in_quotes(std::string_view value);  // In quotes, for messages; long ones cut.
std::vector<std::string> split_list(std::string_view text, std::string_view separators = ",");  // Trimmed, without empty ones.

std::optional<bool> parse_flag(std::string_view text);               // As Go reads it: true, 1, T, false, 0, F, ...
std::optional<bool> parse_switch(std::string_view text);             // "on", "off"
std::optional<int64_t> parse_number(std::string_view text);          // Digits, perhaps a '-'.
std::optional<uint64_t> parse_size(std::string_view text);           // nginx's: 10, 8k, 8m, 1g.
std::optional<std::chrono::milliseconds> parse_time(std::string_view text);  // nginx's: 60, 60s, 5m, 1h, 1d, 500ms.
std::optional<std::vector<base::Cidr>> parse_ranges(std::string_view text);  // Prefixes and addresses, by commas.
bool is_header_name(std::string_view text);
bool is_header_value(std::string_view text);                         // No control characters.
bool is_host_name(std::string_view text);                            // Labels; "*." may begin it.
// "ns/name" or "name" (of `ns`); nothing for anything else.
struct NamePair {
  std::string ns, name;
};
std::optional<NamePair> parse_object_name(std::string_view text, std::string_view ns);

// "https://host:8443/path?x": parts as they are written; variables may stand in any.
struct UrlParts {
  bool tls = false;
  std::string host, rest;   // rest: path and query, may be empty.
  uint16_t port = 0;        // 80 or 443 when none is written.
};
std::optional<UrlParts> parse_url(std::string_view text);

}  // namespace server::gateway
