// server/gateway/policy/encoding.h - the small encodings of HTTP: percent, hex, cookies. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/gateway/message/headers.h"

namespace server::gateway {

// Percent-encoding as nginx does it in different places. Control bytes, DEL and bytes above are always encoded.
enum class Escape : uint8_t {
  kUri,        // Also space " # % < > ? \ ^ ` { | }
  kArgs,       // Those, & + ;
  kComponent,  // All but letters, digits and - . _ ~
};
void append_escaped(std::string_view text, Escape escape, std::string* out);
// What may not stand in a request line at all: spaces, control bytes, DEL. The rest, '%' too, is left alone.
void append_line_safe(std::string_view text, std::string* out);

std::string to_hex(std::string_view bytes);  // Lower case.

std::string md5_hex(std::string_view bytes);

// The value of a request's cookie as it was sent; nothing when there is none of that name (whose case does not count, as in
// nginx).
std::optional<std::string_view> find_cookie_view(const Headers& headers, std::string_view name);
std::optional<std::string> find_cookie(const Headers& headers, std::string_view name);

// A header's value without what would end it: CR, LF and NUL become spaces.
void make_header_safe(std::string* value);

}  // namespace server::gateway
