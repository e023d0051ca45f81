#include "server/gateway/tls/client_hello.h"

#include <algorithm>
#include <utility>

namespace server::gateway {
namespace {

constexpr uint8_t kHandshakeRecord = 22;
constexpr uint8_t kClientHello = 1;
constexpr uint16_t kServerNameExtension = 0;
constexpr uint16_t kAlpnExtension = 16;
constexpr size_t kRecordHead = 5;
constexpr size_t kHandshakeHead = 4;
constexpr size_t kMaxFragment = 16 * 1024;  // RFC 8446 5.1
constexpr size_t kMaxName = 255;

// Reads from the front; once something did not fit, everything after it fails too.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  size_t number(size_t size) {
    std::string_view bytes = take(size);
    size_t value = 0;
    for (char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
    return value;
  }
  std::string_view take(size_t size) {
    if (size > rest_.size()) {
      failed_ = true;
      rest_ = {};
      return {};
    }
    std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  // A vector whose length stands before it in `size_of_length` bytes.
  std::string_view vector(size_t size_of_length) { return take(number(size_of_length)); }

  bool at_end() const { return rest_.empty(); }
  bool ok() const { return !failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

// Joins the fragments of handshake records until `wanted` bytes are there. kFound: they are.
PeekedHello::Kind join_records(std::string_view bytes, std::string* message) {
  size_t wanted = kHandshakeHead;
  while (message->size() < wanted) {
    if (!bytes.empty() && static_cast<uint8_t>(bytes[0]) != kHandshakeRecord) return PeekedHello::Kind::kNotTls;
    if (bytes.size() > 1 && bytes[1] != 3) return PeekedHello::Kind::kNotTls;
    if (bytes.size() < kRecordHead) return PeekedHello::Kind::kNeedMore;
    size_t size = Reader(bytes.substr(3)).number(2);
    if (size == 0 || size > kMaxFragment) return PeekedHello::Kind::kNotTls;
    bytes.remove_prefix(kRecordHead);
    message->append(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
    if (!message->empty() && static_cast<uint8_t>(message->front()) != kClientHello) return PeekedHello::Kind::kNotTls;
    if (message->size() >= kHandshakeHead) wanted = kHandshakeHead + Reader(std::string_view(*message).substr(1)).number(3);
    if (wanted > kMaxPeekedHello) return PeekedHello::Kind::kNotTls;
  }
  message->resize(wanted);  // A second message in the same record is none of ours.
  return PeekedHello::Kind::kFound;
}

bool parse_alpn(std::string_view extension, std::vector<std::string>* protocols) {
  Reader outer(extension);
  Reader list(outer.vector(2));
  while (outer.ok() && list.ok() && !list.at_end()) {
    std::string_view protocol = list.vector(1);
    if (protocol.empty()) return false;
    protocols->emplace_back(protocol);
  }
  return outer.ok() && outer.at_end() && list.ok();
}

bool parse_extensions(std::string_view bytes, PeekedHello* hello) {
  bool has_name = false, has_alpn = false;
  Reader extensions(bytes);
  while (!extensions.at_end()) {
    size_t type = extensions.number(2);
    std::string_view body = extensions.vector(2);
    if (!extensions.ok()) return false;
    if (type == kServerNameExtension) {
      std::optional<std::string> name = parse_server_name(body);
      if (!name || std::exchange(has_name, true)) return false;
      hello->server_name = std::move(*name);
    } else if (type == kAlpnExtension) {
      if (std::exchange(has_alpn, true) || !parse_alpn(body, &hello->alpn)) return false;
    }
  }
  return true;
}

bool parse_body(std::string_view body, PeekedHello* hello) {
  Reader reader(body);
  reader.take(2 + 32);  // Version and random.
  std::string_view session = reader.vector(1);
  std::string_view ciphers = reader.vector(2);
  std::string_view compressions = reader.vector(1);
  if (!reader.ok() || session.size() > 32 || ciphers.empty() || ciphers.size() % 2 != 0 || compressions.empty()) return false;
  if (reader.at_end()) return true;  // TLS 1.2 allows a hello without extensions.
  std::string_view extensions = reader.vector(2);
  return reader.ok() && reader.at_end() && parse_extensions(extensions, hello);
}

// Host names as clients send them: letters, digits, '-', '_', '.'; non-ASCII names come as "xn--".
bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

}  // namespace

std::optional<std::string> parse_server_name(std::string_view extension) {
  Reader outer(extension);
  Reader list(outer.vector(2));
  if (!outer.ok() || !outer.at_end() || list.at_end()) return std::nullopt;
  std::string name;
  while (!list.at_end()) {
    size_t type = list.number(1);
    std::string_view value = list.vector(2);
    if (!list.ok()) return std::nullopt;
    if (type != 0) continue;
    if (!name.empty() || value.empty() || value.size() > kMaxName || !std::all_of(value.begin(), value.end(), is_name_byte)) return std::nullopt;
    name = value;
  }
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (!name.empty() && name.back() == '.') name.pop_back();
  return name;
}

PeekedHello peek_client_hello(std::string_view bytes) {
  PeekedHello hello;
  std::string message;
  hello.kind = join_records(bytes.substr(0, kMaxPeekedHello), &message);
  if (hello.kind == PeekedHello::Kind::kNeedMore && bytes.size() >= kMaxPeekedHello) hello.kind = PeekedHello::Kind::kNotTls;
  if (hello.kind != PeekedHello::Kind::kFound) return hello;
  PeekedHello parsed;
  if (!parse_body(std::string_view(message).substr(kHandshakeHead), &parsed)) {
    hello.kind = PeekedHello::Kind::kNotTls;
    return hello;
  }
  parsed.kind = parsed.server_name.empty() ? PeekedHello::Kind::kNoName : PeekedHello::Kind::kFound;
  return parsed;
}

}  // namespace server::gateway
