// tests/kubectl-compat/stream/spdy_client.h - the other side of a SPDY connection, written with zlib alone.
#pragma once

#include <zlib.h>

#include <initializer_list>
#include <map>
#include <string>
#include <vector>

#include "kubectl-compat/stream/spdy_dictionary.h"

namespace compat {

inline std::string be32(uint32_t value) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
  return out;
}

// In the order written: the operands of + have none, and header blocks depend on it.
inline std::string join(std::initializer_list<std::string> parts) {
  std::string out;
  for (const std::string& part : parts) out += part;
  return out;
}

struct ClientFrame {
  bool control = false;
  uint32_t type_or_stream = 0;
  int flags = 0;
  std::string payload;
};

class SpdyClient {
 public:
  SpdyClient() {
    deflateInit(&deflater_, 6);
    deflateSetDictionary(&deflater_, reinterpret_cast<const Bytef*>(spdy_dictionary().data()), static_cast<uInt>(spdy_dictionary().size()));
  }
  ~SpdyClient() { deflateEnd(&deflater_); }
  SpdyClient(const SpdyClient&) = delete;
  SpdyClient& operator=(const SpdyClient&) = delete;

  static std::string frame(uint32_t first, int flags, const std::string& payload) {
    return be32(first) + be32(static_cast<uint32_t>(flags) << 24 | static_cast<uint32_t>(payload.size())) + payload;
  }
  static std::string control(int type, int flags, const std::string& payload) { return frame(0x80030000u | static_cast<uint32_t>(type), flags, payload); }

  std::string syn_stream(uint32_t stream, const std::map<std::string, std::string>& headers, bool fin = false) {
    std::string block = be32(static_cast<uint32_t>(headers.size()));
    for (const auto& [name, value] : headers) block += be32(static_cast<uint32_t>(name.size())) + name + be32(static_cast<uint32_t>(value.size())) + value;
    return control(1, fin ? 1 : 0, be32(stream) + be32(0) + std::string(2, '\0') + compress(block));
  }
  static std::string data(uint32_t stream, const std::string& payload, bool fin = false) { return frame(stream, fin ? 1 : 0, payload); }
  static std::string reset(uint32_t stream) { return control(3, 0, be32(stream) + be32(5)); }
  static std::string ping(uint32_t id) { return control(6, 0, be32(id)); }
  static std::string go_away() { return control(7, 0, be32(0) + be32(0)); }

  std::string compress(const std::string& block) {
    std::string out(block.size() + 1024, '\0');
    deflater_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(block.data()));
    deflater_.avail_in = static_cast<uInt>(block.size());
    deflater_.next_out = reinterpret_cast<Bytef*>(out.data());
    deflater_.avail_out = static_cast<uInt>(out.size());
    deflate(&deflater_, Z_SYNC_FLUSH);
    out.resize(out.size() - deflater_.avail_out);
    return out;
  }

  // What the server wrote, frame by frame.
  static std::vector<ClientFrame> parse(const std::string& bytes) {
    std::vector<ClientFrame> out;
    for (size_t at = 0; at + 8 <= bytes.size();) {
      auto word = [&](size_t offset) {
        uint32_t value = 0;
        for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + offset + i]);
        return value;
      };
      ClientFrame frame;
      frame.control = (word(0) >> 31) != 0;
      frame.type_or_stream = frame.control ? word(0) & 0xffff : word(0);
      frame.flags = static_cast<int>(word(4) >> 24);
      size_t length = word(4) & 0xffffff;
      frame.payload = bytes.substr(at + 8, length);
      at += 8 + length;
      out.push_back(std::move(frame));
    }
    return out;
  }
  // "reply 1; data 3 fin 'x'; reset 5 3; ping 7; goaway"
  static std::string describe(const std::string& bytes) {
    std::string out;
    for (const ClientFrame& frame : parse(bytes)) {
      auto id = [&](size_t offset) { return std::to_string(static_cast<unsigned char>(frame.payload[offset + 3]) | static_cast<unsigned char>(frame.payload[offset + 2]) << 8); };
      if (!frame.control) {
        out += "data " + std::to_string(frame.type_or_stream) + ((frame.flags & 1) != 0 ? " fin" : "") + " '" + frame.payload + "'; ";
      } else if (frame.type_or_stream == 2) {
        out += "reply " + id(0) + "; ";
      } else if (frame.type_or_stream == 3) {
        out += "reset " + id(0) + " " + id(4) + "; ";
      } else {
        out += frame.type_or_stream == 6 ? "ping " + id(0) + "; " : "goaway; ";
      }
    }
    return out;
  }

 private:
  z_stream deflater_{};
};

}  // namespace compat
