// server/images/go_text.h - text as programs written in Go print and read it. Most test images are such programs, and
// their users parse what they print: log lines, durations, quoted words, JSON, error texts. Pure, but for the log.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace server::images {

// "2026/01/02 15:04:05 text\n" on standard error, in one write: lines of several threads stay whole.
void go_log(const std::string& text);
// As time.Time prints: "2026-01-02 15:04:05.123456789 +0000 UTC m=+0.012345678".
std::string go_now();

// "1h2m3.5s", "300ms", "0"; nothing for what time.ParseDuration refuses.
std::optional<std::chrono::nanoseconds> parse_go_duration(std::string_view text);
std::string render_go_duration(std::chrono::nanoseconds duration);  // "1m30s", "12.5µs", "0s"

std::optional<int> parse_go_int(std::string_view text);  // strconv.Atoi
std::optional<bool> parse_go_bool(std::string_view text);  // strconv.ParseBool
std::string go_quoted(std::string_view text);            // %q

// With its quotes, and with '<', '>', '&' escaped as encoding/json does. Bytes that are not UTF-8 become U+FFFD.
std::string go_json_string(std::string_view text);

// Content-Type by the first bytes, as net/http guesses it when a handler names none.
std::string sniff_content_type(std::string_view body);

}  // namespace server::images
