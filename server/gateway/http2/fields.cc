#include "server/gateway/http2/fields.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "server/gateway/http1/characters.h"
#include "server/gateway/http1/parser.h"
#include "store/base/text.h"

namespace server::gateway::http2 {
namespace {

// What RFC 9113 adds to each field when it counts.
constexpr size_t kFieldOverhead = 32;

std::optional<uint64_t> read_number(std::string_view text) {
  uint64_t n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

// Fields that belong to a connection of HTTP/1.1, or that the writer makes itself.
bool is_left_out(std::string_view name) {
  switch (name.size()) {
    case 2:
      return equal_names(name, "te");
    case 4:
      return equal_names(name, "host");
    case 7:
      return equal_names(name, "upgrade") || equal_names(name, "trailer");
    case 10:
      return equal_names(name, "connection") || equal_names(name, "keep-alive");
    case 14:
      return equal_names(name, "content-length");
    case 16:
      return equal_names(name, "proxy-connection");
    case 17:
      return equal_names(name, "transfer-encoding");
    default:
      return name.empty();
  }
}

std::string base64(const unsigned char* bytes, size_t size) {
  std::string out(4 * ((size + 2) / 3) + 1, '\0');
  out.resize(static_cast<size_t>(EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes, static_cast<int>(size))));
  return out;
}

}  // namespace

void FieldBlock::add(std::string_view name, std::string_view value, size_t limit) {
  size += name.size() + value.size() + kFieldOverhead;
  if (size > limit) return;
  if (!name.empty() && name[0] == ':') return add_pseudo(name, value);
  switch (name.size()) {
    case 2:
      if (name != "te") break;
      accepts_trailers = true;  // nghttp2 lets nothing but "trailers" through.
      return;
    case 4:
      if (name != "host") break;
      has_host = true;
      host = value;
      return;
    case 6:
      // Crumbs of a cookie travel one by one and are one field again here (RFC 9113, 8.2.3).
      if (name == "expect") {
        expects_continue = equal_names(value, "100-continue");
        return;
      }
      if (name != "cookie") break;
      if (!cookie.empty()) cookie += "; ";
      cookie += value;
      return;
    case 14:
      if (name != "content-length") break;
      length = read_number(value);
      return;
    default:
      break;
  }
  headers.add(name, value);
}

void FieldBlock::add_pseudo(std::string_view name, std::string_view value) {
  if (name == ":method") method = value;
  else if (name == ":path") path = value;
  else if (name == ":protocol") protocol = value;
  else if (name == ":status") status = static_cast<int>(read_number(value).value_or(0));
  else if (name == ":authority") {
    has_authority = true;
    authority = value;
  }
}

int read_request(FieldBlock& block, bool end, RequestHead* out) {
  bool tunnel = block.method == "CONNECT";
  if (tunnel && block.protocol != "websocket") return 501;
  if (!block.has_authority) block.authority = std::move(block.host);
  else if (block.has_host && !equal_names(block.host, block.authority)) return 400;
  // What goes on to an endpoint as HTTP/1.1 must not be able to mean anything else there.
  if (!http1::is_token(block.method) || !http1::is_authority(block.authority)) return 400;
  if (block.path.empty() || !http1::all_of(block.path, http1::kTargetBytes) || block.path.find('#') != std::string::npos) return 400;
  if (block.path[0] != '/' && !(block.path == "*" && block.method == "OPTIONS")) return 400;
  block.authority = base::lower(block.authority);
  out->method = std::move(block.method);
  out->target = std::move(block.path);
  out->authority = std::move(block.authority);
  out->version = Version::kHttp2;
  out->headers = std::move(block.headers);
  if (!block.cookie.empty()) out->headers.add("cookie", block.cookie);
  out->accepts_trailers = block.accepts_trailers;
  if (tunnel) {
    out->method = "GET";
    out->upgrade = std::move(block.protocol);
    out->headers.set("sec-websocket-key", websocket_key());
    return 0;
  }
  if (block.length) {
    out->body = BodyKind::kLength;
    out->length = *block.length;
  } else if (!end) {
    out->body = BodyKind::kStream;
  }
  out->expects_continue = block.expects_continue && out->has_body();
  return 0;
}

void read_response(FieldBlock& block, bool end, ResponseHead* out) {
  out->status = block.status;
  out->headers = std::move(block.headers);
  if (!block.cookie.empty()) out->headers.add("cookie", block.cookie);
  if (block.length) {
    out->body = BodyKind::kLength;
    out->length = *block.length;
  } else if (!end) {
    out->body = BodyKind::kStream;
  }
}

// One list at a time is being made on a thread: its memory is used again.
static std::vector<nghttp2_nv>& list_memory() {
  thread_local std::vector<nghttp2_nv> memory;
  memory.clear();
  return memory;
}
static std::string& name_memory() {
  thread_local std::string memory;
  memory.clear();
  return memory;
}

FieldList::FieldList(const Headers& headers) : fields_(list_memory()), names_(name_memory()) {
  size_t size = 0;
  for (size_t i = 0; i < headers.size(); ++i) size += headers[i].name.size();
  names_.reserve(size);  // The names must not move.
}

void FieldList::add(std::string_view name, std::string_view value) {
  auto bytes = [](std::string_view text) { return reinterpret_cast<uint8_t*>(const_cast<char*>(text.data())); };
  fields_.push_back({bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
}

void FieldList::add_number(std::string_view name, uint64_t value) {
  char* text = numbers_[number_++ % 2];
  auto [end, error] = std::to_chars(text, text + sizeof numbers_[0], value);
  add(name, {text, static_cast<size_t>(end - text)});
}

void FieldList::add_all(const Headers& headers) {
  for (size_t i = 0; i < headers.size(); ++i) {
    Headers::Field field = headers[i];
    if (is_left_out(field.name)) continue;
    size_t at = names_.size();
    for (char c : field.name) names_.push_back(base::lower(c));
    add(std::string_view(names_).substr(at), field.value);
  }
}

std::string websocket_accept(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest;
  SHA1(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return base64(digest.data(), digest.size());
}

std::string websocket_key() {
  std::array<unsigned char, 16> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  return base64(bytes.data(), bytes.size());
}

}  // namespace server::gateway::http2
