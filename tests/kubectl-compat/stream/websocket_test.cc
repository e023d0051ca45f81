// RFC 6455: its own examples byte for byte, every cut of the input, and what must be refused.
#include "kubectl-compat/stream/websocket.h"

#include <gtest/gtest.h>

namespace compat {
namespace {

using namespace std::string_literals;

// A client's frame: masked.
std::string client_frame(int first_byte, const std::string& payload, const std::string& mask = "\x37\xfa\x21\x3d"s) {
  std::string out(1, static_cast<char>(first_byte));
  if (payload.size() < 126) {
    out += static_cast<char>(0x80 | payload.size());
  } else if (payload.size() <= 0xffff) {
    out += "\xfe"s + static_cast<char>(payload.size() >> 8) + static_cast<char>(payload.size());
  } else {
    out += "\xff"s;
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(static_cast<uint64_t>(payload.size()) >> shift);
  }
  out += mask;
  for (size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(payload[i] ^ mask[i % 4]);
  return out;
}

std::string text_of(const base::Result<std::vector<WsMessage>>& result) {
  if (!result.ok()) return "!" + result.error().message;
  std::string out;
  for (const WsMessage& message : *result) out += std::to_string(static_cast<int>(message.opcode)) + ":" + message.payload + ";";
  return out;
}

TEST(WebSocket, AcceptKey) { EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="); }

TEST(WebSocket, Decodes) {
  const std::string hello = "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"s;  // RFC 6455, 5.7
  struct Row {
    const char* name;
    std::string bytes;
    std::string want;
  };
  const Row rows[] = {
      {"masked text", hello, "1:Hello;"},
      {"two messages", hello + hello, "1:Hello;1:Hello;"},
      {"fragments", client_frame(0x01, "Hel") + client_frame(0x80, "lo"), "1:Hello;"},
      {"ping between fragments", client_frame(0x02, "a") + client_frame(0x89, "p") + client_frame(0x80, "b"), "9:p;2:ab;"},
      {"empty", client_frame(0x82, ""), "2:;"},
      {"16 bit length", client_frame(0x82, std::string(300, 'x')), "2:" + std::string(300, 'x') + ";"},
      {"64 bit length", client_frame(0x82, std::string(70000, 'x')), "2:" + std::string(70000, 'x') + ";"},
      {"close", client_frame(0x88, "\x03\xe8"s), "8:\x03\xe8;"s},
      {"incomplete", hello.substr(0, hello.size() - 1), ""},
      {"unmasked", "\x81\x05Hello"s, "!websocket: frame of a client is not masked"},
      {"reserved bits", client_frame(0xc1, "x"), "!websocket: reserved bits set"},
      {"unknown opcode", client_frame(0x83, "x"), "!websocket: unknown opcode"},
      {"fragmented ping", client_frame(0x09, "x"), "!websocket: control frame too long or fragmented"},
      {"long ping", client_frame(0x89, std::string(126, 'x')), "!websocket: control frame too long or fragmented"},
      {"continuation of nothing", client_frame(0x80, "x"), "!websocket: continuation of nothing"},
      {"new message in a message", client_frame(0x01, "x") + client_frame(0x81, "y"), "!websocket: fragment expected"},
      {"close of one byte", client_frame(0x88, "x"), "!websocket: close frame of one byte"},
  };
  for (const Row& row : rows) {
    WsDecoder whole;
    EXPECT_EQ(text_of(whole.feed(row.bytes)), row.want) << row.name;
    if (row.want[0] == '!' || row.bytes.size() > 1000) continue;
    WsDecoder decoder;
    std::string got;
    for (char byte : row.bytes) got += text_of(decoder.feed(std::string_view(&byte, 1)));
    EXPECT_EQ(got, row.want) << row.name << ", byte by byte";
  }
}

TEST(WebSocket, SizeLimit) {
  WsDecoder decoder(10);
  EXPECT_EQ(text_of(decoder.feed(client_frame(0x82, std::string(10, 'x')))), "2:xxxxxxxxxx;");
  EXPECT_EQ(text_of(decoder.feed(client_frame(0x02, std::string(6, 'x')))), "");
  EXPECT_EQ(text_of(decoder.feed(client_frame(0x80, std::string(5, 'x')))), "!websocket: message too big");
  // The announced length is enough to refuse; nothing is buffered for it.
  EXPECT_EQ(text_of(WsDecoder().feed("\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xff\0\0\0\0"s)), "!websocket: message too big");
}

TEST(WebSocket, Encodes) {
  EXPECT_EQ(ws_frame(WsOpcode::kText, "Hello"), "\x81\x05Hello"s);
  EXPECT_EQ(ws_frame(WsOpcode::kPing, "Hello"), "\x89\x05Hello"s);
  EXPECT_EQ(ws_frame(WsOpcode::kBinary, std::string(256, 'x')).substr(0, 4), "\x82\x7e\x01\x00"s);
  EXPECT_EQ(ws_frame(WsOpcode::kBinary, std::string(65536, 'x')).substr(0, 10), "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s);
  EXPECT_EQ(ws_close(1000, "bye"), "\x88\x05\x03\xe8" "bye"s);
  EXPECT_EQ(ws_close(1000, std::string(200, 'x')).size(), 2u + 125u);
}

}  // namespace
}  // namespace compat
