#include "server/images/go_text.h"

#include <time.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <limits>
#include <nlohmann/json.hpp>

#include "store/base/fd.h"

namespace server::images {
namespace {

struct Unit {
  std::string_view name;
  double nanoseconds;
};
// Longer names first where one begins another.
constexpr Unit kUnits[] = {{"ns", 1}, {"us", 1e3}, {"µs", 1e3}, {"μs", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}};

std::string trim_fraction(double value, int digits) {
  char text[48];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  std::string out = text;
  if (out.find('.') == std::string::npos) return out;
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
  return out;
}

bool starts_with_tag(std::string_view body, std::string_view tag) {
  if (body.size() <= tag.size()) return false;
  for (size_t i = 0; i < tag.size(); ++i) {
    if (std::toupper(static_cast<unsigned char>(body[i])) != tag[i]) return false;
  }
  char end = body[tag.size()];
  return end == ' ' || end == '>';
}

// The tables of the WHATWG's MIME sniffing, as far as text and common pictures go.
constexpr std::string_view kHtmlTags[] = {"<!DOCTYPE HTML", "<HTML", "<HEAD", "<SCRIPT", "<IFRAME", "<H1", "<DIV", "<FONT", "<TABLE",
                                          "<A", "<STYLE", "<TITLE", "<B", "<BODY", "<BR", "<P", "<!--"};
struct Magic {
  std::string_view bytes;
  const char* type;
};
constexpr Magic kMagic[] = {{"%PDF-", "application/pdf"}, {"%!PS-Adobe-", "application/postscript"}, {"\xfe\xff", "text/plain; charset=utf-16be"},
                            {"\xff\xfe", "text/plain; charset=utf-16le"}, {"\xef\xbb\xbf", "text/plain; charset=utf-8"}, {"GIF87a", "image/gif"},
                            {"GIF89a", "image/gif"}, {"\x89PNG\r\n\x1a\n", "image/png"}, {"\xff\xd8\xff", "image/jpeg"},
                            {"\x1f\x8b\x08", "application/x-gzip"}, {"PK\x03\x04", "application/zip"}};

bool is_binary(unsigned char c) { return c <= 0x08 || c == 0x0b || (c >= 0x0e && c <= 0x1a) || (c >= 0x1c && c <= 0x1f); }

}  // namespace

void go_log(const std::string& text) {
  time_t now = ::time(nullptr);
  struct tm parts {};
  ::localtime_r(&now, &parts);
  char stamp[32];
  std::strftime(stamp, sizeof stamp, "%Y/%m/%d %H:%M:%S ", &parts);
  std::string line = stamp + text;
  if (line.back() != '\n') line += '\n';
  base::ignore(base::write_all(2, line.data(), line.size()), "nobody reads the log");
}

std::string go_now() {
  timespec wall{}, mono{};
  ::clock_gettime(CLOCK_REALTIME, &wall);
  ::clock_gettime(CLOCK_MONOTONIC, &mono);
  static const timespec start = mono;  // The first call is made when a program starts.
  struct tm parts {};
  ::localtime_r(&wall.tv_sec, &parts);
  char date[32], zone[32], nanos[16], since[40];
  std::strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts);
  std::strftime(zone, sizeof zone, " %z %Z", &parts);
  std::snprintf(nanos, sizeof nanos, ".%09ld", wall.tv_nsec);
  std::snprintf(since, sizeof since, " m=+%.9f", static_cast<double>(mono.tv_sec - start.tv_sec) + static_cast<double>(mono.tv_nsec - start.tv_nsec) / 1e9);
  return std::string(date) + nanos + zone + since;
}

std::optional<std::chrono::nanoseconds> parse_go_duration(std::string_view text) {
  double sign = 1;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    sign = text[0] == '-' ? -1 : 1;
    text.remove_prefix(1);
  }
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    size_t digits = 0, dots = 0, at = 0;
    for (; at < text.size() && (std::isdigit(static_cast<unsigned char>(text[at])) || text[at] == '.'); ++at) ++(text[at] == '.' ? dots : digits);
    if (digits == 0 || dots > 1 || digits > 19) return std::nullopt;
    double number = std::strtod(std::string(text.substr(0, at)).c_str(), nullptr);
    text.remove_prefix(at);
    const Unit* unit = nullptr;
    for (const Unit& each : kUnits) {
      // "m" begins "ms": the longer one comes first in the table.
      if (unit == nullptr && text.substr(0, each.name.size()) == each.name) unit = &each;
    }
    if (unit == nullptr) return std::nullopt;
    total += number * unit->nanoseconds;
    text.remove_prefix(unit->name.size());
  }
  if (total > static_cast<double>(std::numeric_limits<int64_t>::max() / 2)) return std::nullopt;
  return std::chrono::nanoseconds(static_cast<int64_t>(std::llround(sign * total)));
}

std::string render_go_duration(std::chrono::nanoseconds duration) {
  int64_t n = duration.count();
  if (n == 0) return "0s";
  if (n < 0) return "-" + render_go_duration(-duration);
  if (n < 1000) return std::to_string(n) + "ns";
  if (n < 1000000) return trim_fraction(static_cast<double>(n) / 1e3, 3) + "µs";
  if (n < 1000000000) return trim_fraction(static_cast<double>(n) / 1e6, 6) + "ms";
  int64_t minutes = n / 60000000000;
  std::string seconds = trim_fraction(static_cast<double>(n % 60000000000) / 1e9, 9) + "s";
  if (minutes == 0) return seconds;
  std::string out = std::to_string(minutes % 60) + "m" + seconds;
  return minutes < 60 ? out : std::to_string(minutes / 60) + "h" + out;
}

std::optional<int> parse_go_int(std::string_view text) {
  bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  if (text.empty() || text.size() > 9 || !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); })) return std::nullopt;
  int value = std::atoi(std::string(text).c_str());
  return negative ? -value : value;
}

std::optional<bool> parse_go_bool(std::string_view text) {
  for (std::string_view each : {"1", "t", "T", "TRUE", "true", "True"}) {
    if (text == each) return true;
  }
  for (std::string_view each : {"0", "f", "F", "FALSE", "false", "False"}) {
    if (text == each) return false;
  }
  return std::nullopt;
}

std::string go_quoted(std::string_view text) {
  std::string out = "\"";
  char code[8];
  for (char c : text) {
    if (c == '"' || c == '\\') {
      out += std::string("\\") + c;
    } else if (c == '\n' || c == '\t' || c == '\r') {
      out += c == '\n' ? "\\n" : c == '\t' ? "\\t" : "\\r";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned>(c) & 0xff);
      out += code;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string go_json_string(std::string_view text) {
  std::string plain = nlohmann::json(std::string(text)).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string out;
  for (char c : plain) {
    if (c == '<') out += "\\u003c";
    else if (c == '>') out += "\\u003e";
    else if (c == '&') out += "\\u0026";
    else out += c;
  }
  return out;
}

std::string sniff_content_type(std::string_view body) {
  body = body.substr(0, 512);
  std::string_view start = body;
  while (!start.empty() && (start[0] == ' ' || start[0] == '\t' || start[0] == '\n' || start[0] == '\r' || start[0] == '\f')) start.remove_prefix(1);
  for (std::string_view tag : kHtmlTags) {
    if (starts_with_tag(start, tag)) return "text/html; charset=utf-8";
  }
  if (start.substr(0, 5) == "<?xml") return "text/xml; charset=utf-8";
  for (const Magic& magic : kMagic) {
    if (body.substr(0, magic.bytes.size()) == magic.bytes) return magic.type;
  }
  bool binary = std::any_of(body.begin(), body.end(), [](char c) { return is_binary(static_cast<unsigned char>(c)); });
  return binary ? "application/octet-stream" : "text/plain; charset=utf-8";
}

}  // namespace server::images
