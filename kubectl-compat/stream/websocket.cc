#include "kubectl-compat/stream/websocket.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

namespace compat {
namespace {

constexpr std::string_view kAcceptGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3
constexpr size_t kMaxControlPayload = 125;

base::Error websocket_error(const char* what) { return {base::Code::kBadRequest, std::string("websocket: ") + what}; }

struct Head {
  bool complete = false;
  bool fin = false;
  uint8_t opcode = 0;
  uint64_t length = 0;
  unsigned char mask[4] = {};
  size_t size = 0;  // of the head
};

uint64_t big_endian(std::string_view bytes) {
  uint64_t out = 0;
  for (char byte : bytes) out = out << 8 | static_cast<unsigned char>(byte);
  return out;
}

base::Result<Head> parse_head(std::string_view bytes) {
  Head head;
  if (bytes.size() < 2) return head;
  auto first = static_cast<unsigned char>(bytes[0]);
  auto second = static_cast<unsigned char>(bytes[1]);
  head.fin = (first & 0x80) != 0;
  head.opcode = first & 0x0f;
  if ((first & 0x70) != 0) return websocket_error("reserved bits set");
  if (head.opcode > 10 || (head.opcode > 2 && head.opcode < 8)) return websocket_error("unknown opcode");
  if ((second & 0x80) == 0) return websocket_error("frame of a client is not masked");
  size_t length_bytes = (second & 0x7f) == 127 ? 8 : (second & 0x7f) == 126 ? 2 : 0;
  bool control = head.opcode >= 8;
  if (control && (length_bytes != 0 || !head.fin)) return websocket_error("control frame too long or fragmented");
  head.size = 2 + length_bytes + sizeof head.mask;
  if (bytes.size() < head.size) return head;
  head.length = length_bytes == 0 ? second & 0x7f : big_endian(bytes.substr(2, length_bytes));
  for (size_t i = 0; i < sizeof head.mask; ++i) head.mask[i] = static_cast<unsigned char>(bytes[2 + length_bytes + i]);
  head.complete = true;
  return head;
}

}  // namespace

std::string websocket_accept(std::string_view key) {
  std::string text(key);
  text += kAcceptGuid;
  unsigned char digest[SHA_DIGEST_LENGTH];
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  unsigned char encoded[32];
  int size = EVP_EncodeBlock(encoded, digest, sizeof digest);
  return {reinterpret_cast<char*>(encoded), static_cast<size_t>(size)};
}

base::Result<std::vector<WsMessage>> WsDecoder::feed(std::string_view bytes) {
  buffer_.append(bytes);
  std::vector<WsMessage> out;
  size_t at = 0;
  for (;;) {
    std::string_view rest = std::string_view(buffer_).substr(at);
    Head head = TRY(parse_head(rest));
    if (!head.complete) break;
    bool control = head.opcode >= 8;
    if (head.length > max_message_ || (!control && head.length + fragments_.size() > max_message_)) return websocket_error("message too big");
    if (rest.size() - head.size < head.length) break;
    std::string payload(rest.substr(head.size, head.length));
    for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(static_cast<unsigned char>(payload[i]) ^ head.mask[i & 3]);
    at += head.size + head.length;
    if (control) {
      if (head.opcode == 8 && payload.size() == 1) return websocket_error("close frame of one byte");
      out.push_back({static_cast<WsOpcode>(head.opcode), std::move(payload)});
      continue;
    }
    if ((head.opcode == 0) != in_fragment_) return websocket_error(in_fragment_ ? "fragment expected" : "continuation of nothing");
    if (head.opcode != 0) fragment_opcode_ = static_cast<WsOpcode>(head.opcode);
    fragments_ += payload;
    in_fragment_ = !head.fin;
    if (head.fin) out.push_back({fragment_opcode_, std::exchange(fragments_, {})});
  }
  buffer_.erase(0, at);
  return out;
}

std::string ws_frame(WsOpcode opcode, std::string_view payload) {
  if (static_cast<uint8_t>(opcode) >= 8) payload = payload.substr(0, kMaxControlPayload);
  std::string out;
  out.reserve(payload.size() + 10);
  out += static_cast<char>(0x80 | static_cast<uint8_t>(opcode));
  size_t length_bytes = payload.size() < 126 ? 0 : payload.size() <= 0xffff ? 2 : 8;
  out += static_cast<char>(length_bytes == 0 ? payload.size() : length_bytes == 2 ? 126 : 127);
  for (size_t i = length_bytes; i > 0; --i) out += static_cast<char>(static_cast<uint64_t>(payload.size()) >> (8 * (i - 1)));
  out += payload;
  return out;
}

std::string ws_close(uint16_t code, std::string_view reason) {
  std::string payload{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
  payload += reason.substr(0, kMaxControlPayload - 2);
  return ws_frame(WsOpcode::kClose, payload);
}

}  // namespace compat
