#include "server/gateway/ingress/values.h"

#include <algorithm>
#include <charconv>

#include "store/base/text.h"

namespace server::gateway {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// Digits up to what is no digit; the rest is left in `text`.
std::optional<uint64_t> take_digits(std::string_view& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

struct Unit {
  std::string_view suffix;
  uint64_t factor;
};
constexpr Unit kSizes[] = {{"", 1}, {"k", 1024}, {"K", 1024}, {"m", 1024 * 1024}, {"M", 1024 * 1024}, {"g", 1024 * 1024 * 1024}, {"G", 1024 * 1024 * 1024}};
constexpr Unit kTimes[] = {{"", 1000}, {"s", 1000}, {"ms", 1}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}, {"w", 604'800'000}};
constexpr uint64_t kMost = uint64_t(1) << 50;  // Enough for anybody, and no product overflows.

template <size_t N>
std::optional<uint64_t> parse_with_unit(std::string_view text, const Unit (&units)[N]) {
  const std::optional<uint64_t> number = take_digits(text);
  if (!number) return std::nullopt;
  for (const Unit& unit : units) {
    if (text == unit.suffix && *number <= kMost / unit.factor) return *number * unit.factor;
  }
  return std::nullopt;
}

}  // namespace

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) + 1 - first);
}

std::string in_quotes(std::string_view value) {
  constexpr size_t kShown = 120;
  std::string out = "\"";
  out.append(value.substr(0, kShown)).append(value.size() > kShown ? "...\"" : "\"");
  return out;
}

std::vector<std::string> split_list(std::string_view text, std::string_view separators) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of(separators), text.size());
    if (const std::string_view part = trim(text.substr(0, end)); !part.empty()) out.emplace_back(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::optional<bool> parse_flag(std::string_view text) {
  for (std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
}

std::optional<bool> parse_switch(std::string_view text) {
  if (text == "on") return true;
  if (text == "off") return false;
  return std::nullopt;
}

std::optional<int64_t> parse_number(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<uint64_t> parse_size(std::string_view text) { return parse_with_unit(text, kSizes); }

std::optional<std::chrono::milliseconds> parse_time(std::string_view text) {
  const std::optional<uint64_t> value = parse_with_unit(text, kTimes);
  if (!value) return std::nullopt;
  return std::chrono::milliseconds(static_cast<int64_t>(*value));
}

std::optional<std::vector<base::Cidr>> parse_ranges(std::string_view text) {
  std::vector<base::Cidr> out;
  for (const std::string& part : split_list(text)) {
    if (auto range = base::Cidr::parse(part); range.ok()) {
      out.push_back(*range);
    } else if (auto ip = base::Ip::parse(part); ip.ok()) {
      out.push_back(base::Cidr::host(*ip));
    } else {
      return std::nullopt;
    }
  }
  if (out.empty()) return std::nullopt;
  return out;
}

bool is_header_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_'; });
}

bool is_header_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
}

bool is_host_name(std::string_view text) {
  if (text.starts_with("*.")) text.remove_prefix(2);
  if (text.empty() || text.size() > 253 || text.front() == '.' || text.back() == '.' || text.find("..") != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; });
}

std::optional<NamePair> parse_object_name(std::string_view text, std::string_view ns) {
  NamePair out{std::string(ns), std::string(text)};
  if (const size_t slash = text.find('/'); slash != std::string_view::npos) out = {std::string(text.substr(0, slash)), std::string(text.substr(slash + 1))};
  auto good = [](const std::string& part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [](char c) { return is_alnum(c) || c == '-' || c == '.'; });
  };
  if (!good(out.ns) || !good(out.name)) return std::nullopt;
  return out;
}

std::optional<UrlParts> parse_url(std::string_view text) {
  UrlParts out;
  if (text.starts_with("https://")) {
    out.tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  const size_t end = std::min(text.find_first_of("/?"), text.size());
  out.rest = text.substr(end);
  std::string_view authority = text.substr(0, end);
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  out.port = out.tls ? 443 : 80;
  const size_t bracket = authority.starts_with('[') ? authority.find(']') : std::string_view::npos;
  const size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon != std::string_view::npos) {
    const std::optional<int64_t> port = parse_number(authority.substr(colon + 1));
    if (!port || *port < 1 || *port > 65535) return std::nullopt;
    out.port = static_cast<uint16_t>(*port);
    authority = authority.substr(0, colon);
  }
  if (bracket != std::string_view::npos) authority = authority.substr(1, bracket - 1);
  out.host = base::lower(authority);
  if (out.host.empty() || out.host.find_first_of(kSpace) != std::string::npos) return std::nullopt;
  return out;
}

}  // namespace server::gateway
