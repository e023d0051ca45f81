// kubectl-compat/stream/websocket.h - RFC 6455 framing as pure functions over bytes.
// One codec a connection; not thread-safe; never does I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/result.h"

namespace compat {

std::string websocket_accept(std::string_view key);  // Sec-WebSocket-Accept for a Sec-WebSocket-Key.

enum class WsOpcode : uint8_t { kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };
struct WsMessage {
  WsOpcode opcode = WsOpcode::kBinary;
  std::string payload;  // Fragments already joined.
};

// Server side: expects masked frames, sends unmasked ones.
class WsDecoder {
 public:
  explicit WsDecoder(size_t max_message = 1 << 20) : max_message_(max_message) {}
  // Feeds bytes; returns the messages completed by them. kBadRequest on a protocol error (unmasked frame, bad
  // opcode, reserved bits, oversize): the connection must be closed with 1002/1009.
  base::Result<std::vector<WsMessage>> feed(std::string_view bytes);

 private:
  size_t max_message_;
  std::string buffer_;
  std::string fragments_;
  WsOpcode fragment_opcode_ = WsOpcode::kBinary;
  bool in_fragment_ = false;
};

std::string ws_frame(WsOpcode opcode, std::string_view payload);
std::string ws_close(uint16_t code, std::string_view reason = "");

}  // namespace compat
