// tests/server/dns/messages.h - queries as bytes, responses as text: a small DNS client that shares no code with the
// server's message writer.
#pragma once

#include <arpa/inet.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace dns_test {

inline std::string u16(unsigned v) { return {static_cast<char>(v >> 8), static_cast<char>(v & 0xff)}; }

inline std::string wire_name(const std::string& text) {
  std::string out;
  size_t at = 0;
  while (at < text.size()) {
    const size_t dot = text.find('.', at);
    const size_t end = dot == std::string::npos ? text.size() : dot;
    out += static_cast<char>(end - at);
    out += text.substr(at, end - at);
    at = end + 1;
  }
  return out + '\0';
}

struct Ask {
  std::string name;
  uint16_t type = 1;
  std::optional<uint16_t> edns;  // UDP size.
  uint16_t klass = 1;
  uint16_t flags = 0x0100;  // RD
};
inline std::string query(const Ask& ask) {
  std::string out = u16(0x1234) + u16(ask.flags) + u16(1) + u16(0) + u16(0) + u16(ask.edns ? 1 : 0);
  out += wire_name(ask.name) + u16(ask.type) + u16(ask.klass);
  if (ask.edns) out += std::string(1, '\0') + u16(41) + u16(*ask.edns) + u16(0) + u16(0) + u16(0);
  return out;
}

struct Response {
  bool ok = false;  // Well-formed to the last byte.
  uint16_t id = 0;
  int rcode = 0;
  bool aa = false, tc = false, ra = false;
  std::string question;                                     // Name as sent back.
  std::vector<std::string> answers, authority, additional;  // "name ttl TYPE data"
  int ede = -1;
  std::string ede_text;
  bool opt = false;
};

class Parser {
 public:
  explicit Parser(const std::string& data) : data_(data) {}
  Response parse() {
    Response out;
    out.id = static_cast<uint16_t>(number(2));
    const unsigned flags = number(2);
    out.rcode = static_cast<int>(flags & 15);
    out.aa = flags & 0x0400;
    out.tc = flags & 0x0200;
    out.ra = flags & 0x0080;
    const unsigned questions = number(2), answers = number(2), authority = number(2), additional = number(2);
    if (!(flags & 0x8000)) bad_ = true;
    for (unsigned i = 0; i < questions && !bad_; ++i) {
      out.question = name();
      number(4);
    }
    for (unsigned i = 0; i < answers && !bad_; ++i) record(out, out.answers);
    for (unsigned i = 0; i < authority && !bad_; ++i) record(out, out.authority);
    for (unsigned i = 0; i < additional && !bad_; ++i) record(out, out.additional);
    out.ok = !bad_ && at_ == data_.size();
    return out;
  }

 private:
  unsigned number(int bytes) {
    unsigned value = 0;
    for (int i = 0; i < bytes; ++i) {
      if (at_ >= data_.size()) {
        bad_ = true;
        return 0;
      }
      value = value << 8 | static_cast<unsigned char>(data_[at_++]);
    }
    return value;
  }
  std::string name() {
    std::string out;
    size_t back = 0;
    for (int hops = 0; hops < 128; ++hops) {
      const unsigned length = number(1);
      if (bad_) return "";
      if (length >= 0xc0) {
        const size_t target = (length & 0x3f) << 8 | number(1);
        if (back == 0) back = at_;
        if (target >= at_) bad_ = true;
        at_ = target;
        continue;
      }
      if (length == 0) {
        if (back != 0) at_ = back;
        return out.empty() ? "." : out;
      }
      out += data_.substr(at_, length) + ".";
      at_ += length;
    }
    bad_ = true;
    return "";
  }
  std::string address(int family, size_t size) {
    char text[INET6_ADDRSTRLEN] = "";
    if (at_ + size > data_.size()) {
      bad_ = true;
      return "";
    }
    ::inet_ntop(family, data_.data() + at_, text, sizeof text);
    at_ += size;
    return text;
  }
  void options(Response& out, size_t end, unsigned ttl) {
    out.opt = true;
    out.rcode |= static_cast<int>(ttl >> 24) << 4;
    while (at_ < end && !bad_) {
      const unsigned code = number(2), length = number(2);
      if (code == 15) {
        out.ede = static_cast<int>(number(2));
        out.ede_text = data_.substr(at_, length - 2);
        at_ += length - 2;
      } else {
        at_ += length;
      }
    }
  }
  void record(Response& out, std::vector<std::string>& section) {
    const std::string owner = name();
    const unsigned type = number(2);
    number(2);
    const unsigned ttl = number(4);
    const unsigned length = number(2);
    const size_t end = at_ + length;
    std::string text = owner + " " + std::to_string(ttl) + " ";
    if (type == 41) return options(out, end, ttl);
    if (type == 1) text += "A " + address(AF_INET, 4);
    if (type == 28) text += "AAAA " + address(AF_INET6, 16);
    if (type == 5) text += "CNAME " + name();
    if (type == 12) text += "PTR " + name();
    if (type == 2) text += "NS " + name();
    if (type == 16) {
      const unsigned size = number(1);
      text += "TXT " + data_.substr(at_, size);
      at_ += size;
    }
    if (type == 33) {
      text += "SRV " + std::to_string(number(2));
      text += " " + std::to_string(number(2));
      text += " " + std::to_string(number(2));
      text += " " + name();
    }
    if (type == 6) {
      text += "SOA " + name();
      text += " " + name();
      number(4);  // The serial changes with every update.
      for (int i = 0; i < 4; ++i) text += " " + std::to_string(number(4));
    }
    if (at_ != end) bad_ = true;
    section.push_back(text);
  }

  const std::string& data_;
  size_t at_ = 0;
  bool bad_ = false;
};
inline Response parse(const std::string& data) { return Parser(data).parse(); }

}  // namespace dns_test
