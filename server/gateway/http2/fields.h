// server/gateway/http2/fields.h - header blocks: what came as a head, and a head as nghttp2 wants it.
//
// Value types; any thread.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/gateway/message/message.h"

namespace server::gateway::http2 {

// One block while it comes. nghttp2 has checked it by then: order and presence of the pseudo-headers, lower-case names, no
// fields of a connection, no control characters.
struct FieldBlock {
  std::string method, path, authority, protocol, host, cookie;
  bool has_authority = false, has_host = false;
  int status = 0;
  std::optional<uint64_t> length;
  bool expects_continue = false, accepts_trailers = false;
  Headers headers;
  size_t size = 0;         // As SETTINGS_MAX_HEADER_LIST_SIZE counts it.

  // Fields above `limit` are counted and not kept.
  void add(std::string_view name, std::string_view value, size_t limit);

 private:
  void add_pseudo(std::string_view name, std::string_view value);
};

// 0, or the status to refuse it with. `end`: no body follows. Takes the block's strings.
int read_request(FieldBlock& block, bool end, RequestHead* out);
void read_response(FieldBlock& block, bool end, ResponseHead* out);

// The fields of a block to send. Values are only looked at; they must stay until nghttp2 has copied them.
class FieldList {
 public:
  // Names come in any case.
  explicit FieldList(const Headers& headers);
  void add(std::string_view name, std::string_view value);  // `name` is lower-case and static.
  void add_number(std::string_view name, uint64_t value);   // Twice at most.
  // Fields that belong to a connection, or that frame the message, are left out.
  void add_all(const Headers& headers);
  const nghttp2_nv* data() const { return fields_.data(); }
  size_t size() const { return fields_.size(); }

 private:
  std::vector<nghttp2_nv>& fields_;
  std::string& names_;
  char numbers_[2][24];
  size_t number_ = 0;
};

// What Sec-WebSocket-Accept must be for that key (RFC 6455): HTTP/2 knows neither.
std::string websocket_accept(std::string_view key);
std::string websocket_key();

}  // namespace server::gateway::http2
