// server/http/http_head.h - the head of an HTTP/1.1 request: parsing and the framing facts the server needs.
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/http/server.h"

namespace server {

inline constexpr size_t kMaxHead = 64 * 1024;

struct RequestHead {
  HttpRequest request;   // Without body and identity.
  bool http10 = false;
  bool keep_alive = true;
  bool upgrade = false;  // "Connection: upgrade" and an Upgrade header.
  bool chunked = false;
  bool expect_continue = false;
  std::optional<uint64_t> content_length;
};

// The bytes of a head end after its first empty line; npos when it is not complete yet.
size_t find_head_end(std::string_view bytes);
// `head` ends with the empty line. kBadRequest for anything that two parsers could read differently: folded
// lines, repeated Content-Length, Content-Length beside Transfer-Encoding, no Host.
base::Result<RequestHead> parse_head(std::string_view head);
// Percent decoding; nothing on a malformed escape. `plus` also turns '+' into a blank (query strings).
enum class Plus { kKeep, kBlank };
std::optional<std::string> percent_decode(std::string_view text, Plus plus);

}  // namespace server
