#include "server/gateway/http1/parser.h"

#include <string.h>

#include <algorithm>

#include "server/gateway/http1/characters.h"
#include "store/base/text.h"

namespace server::gateway::http1 {
namespace {

Parsed refuse(int status, const char* why) {
  Parsed out;
  out.kind = Parsed::Kind::kRefused;
  out.status = status;
  out.why = why;
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Calls fn with each element of a comma-separated list; stops when it returns false.
template <class Fn>
bool each_element(std::string_view list, Fn fn) {
  while (!list.empty()) {
    size_t comma = list.find(',');
    std::string_view element = trim(list.substr(0, comma));
    if (!element.empty() && !fn(element)) return false;
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return true;
}

// A line without its end. False: not whole yet.
bool take_line(std::string_view bytes, size_t* at, std::string_view* line) {
  const void* end = memchr(bytes.data() + *at, '\n', bytes.size() - *at);
  if (end == nullptr) return false;
  size_t stop = static_cast<size_t>(static_cast<const char*>(end) - bytes.data());
  size_t next = stop + 1;
  if (stop > *at && bytes[stop - 1] == '\r') --stop;
  *line = bytes.substr(*at, stop - *at);
  *at = next;
  return true;
}

// Fields that say how a message is framed or that end at this hop. They never reach `headers`.
enum class Special : uint8_t { kNone, kHost, kLength, kTransferEncoding, kConnection, kKeepAlive, kUpgrade, kTe, kExpect, kTrailer, kDropped };

Special special_of(std::string_view name) {
  struct Row {
    std::string_view name;
    Special special;
  };
  static constexpr Row kRows[] = {
      {"host", Special::kHost}, {"content-length", Special::kLength}, {"transfer-encoding", Special::kTransferEncoding}, {"connection", Special::kConnection},
      {"keep-alive", Special::kKeepAlive}, {"proxy-connection", Special::kDropped}, {"upgrade", Special::kUpgrade}, {"te", Special::kTe},
      {"expect", Special::kExpect}, {"http2-settings", Special::kDropped},
  };
  static constexpr uint32_t kLengths = 1u << 4 | 1u << 14 | 1u << 17 | 1u << 10 | 1u << 16 | 1u << 7 | 1u << 2 | 1u << 6;
  if (name.size() > 17 || (kLengths >> name.size() & 1) == 0) return Special::kNone;
  for (const Row& row : kRows) {
    if (equal_names(name, row.name)) return row.special;
  }
  return Special::kNone;
}

// What the fields of one message say of its framing.
struct Framing {
  bool has_length = false, chunked = false, close = false, keep_alive = false, connection_upgrade = false, has_host = false, te_seen = false;
  uint64_t length = 0;
  std::string_view host, upgrade, expect;
  bool trailers = false;
  std::string_view named[8];   // By Connection: to be dropped.
  size_t named_count = 0;
};

const char* read_length(std::string_view value, Framing* f) {
  if (f->has_length) return "more than one Content-Length";
  if (value.empty() || value.size() > 19) return "a Content-Length that is not a number";
  uint64_t n = 0;
  for (char c : value) {
    if (c < '0' || c > '9') return "a Content-Length that is not a number";
    n = n * 10 + static_cast<uint64_t>(c - '0');
  }
  if (n > INT64_MAX) return "a Content-Length that is not a number";
  f->has_length = true;
  f->length = n;
  return nullptr;
}

bool read_connection(std::string_view value, Framing* f) {
  return each_element(value, [f](std::string_view element) {
    if (equal_names(element, "close")) f->close = true;
    else if (equal_names(element, "keep-alive")) f->keep_alive = true;
    else if (equal_names(element, "upgrade")) f->connection_upgrade = true;
    else if (f->named_count == std::size(f->named)) return false;
    else f->named[f->named_count++] = element;
    return true;
  });
}

Parsed read_special(Special special, std::string_view value, Framing* f) {
  switch (special) {
    case Special::kHost:
      if (f->has_host) return refuse(400, "more than one Host");
      f->has_host = true;
      f->host = value;
      break;
    case Special::kLength:
      if (const char* why = read_length(value, f)) return refuse(400, why);
      break;
    case Special::kTransferEncoding:
      if (f->te_seen) return refuse(400, "more than one Transfer-Encoding");
      f->te_seen = true;
      if (!equal_names(value, "chunked")) return refuse(501, "a Transfer-Encoding other than chunked");
      f->chunked = true;
      break;
    case Special::kConnection:
      if (!read_connection(value, f)) return refuse(400, "too many options in Connection");
      break;
    case Special::kUpgrade:
      f->upgrade = value;
      break;
    case Special::kTe:
      each_element(value, [f](std::string_view element) {
        if (equal_names(element.substr(0, element.find(';')), "trailers")) f->trailers = true;
        return true;
      });
      break;
    case Special::kExpect:
      f->expect = value;
      break;
    default:
      break;
  }
  return {};
}

// The fields of a head up to the empty line. kDone with `used`, or kNeedMore, or refused.
Parsed read_fields(std::string_view bytes, size_t at, const HeadLimits& limits, Headers* headers, Framing* f) {
  size_t count = 0;
  for (;;) {
    size_t begin = at;
    std::string_view line;
    if (!take_line(bytes, &at, &line)) {
      if (bytes.size() - begin > limits.line + 1 || bytes.size() > limits.head) return refuse(431, "a header that is too large");
      return {};
    }
    if (line.empty()) break;
    if (at > limits.head || line.size() > limits.line || ++count > limits.fields) return refuse(431, "a header that is too large");
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return refuse(400, "a header line without a colon");
    std::string_view name = line.substr(0, colon);
    if (name.empty() || !all_of(name, kTokenBytes)) return refuse(400, "a header name with forbidden characters");
    std::string_view value = trim(line.substr(colon + 1));
    if (!all_of(value, kValueBytes)) return refuse(400, "a header value with forbidden characters");
    Special special = special_of(name);
    if (special != Special::kNone) {
      Parsed refused = read_special(special, value, f);
      if (refused.kind == Parsed::Kind::kRefused) return refused;
      continue;
    }
    headers->add_in_block(static_cast<uint32_t>(name.data() - bytes.data()), static_cast<uint32_t>(name.size()),
                          static_cast<uint32_t>(value.data() - bytes.data()), static_cast<uint32_t>(value.size()));
  }
  Parsed done;
  done.kind = Parsed::Kind::kDone;
  done.used = at;
  return done;
}

void drop_named(const Framing& f, Headers* headers) {
  if (f.named_count == 0) return;
  headers->remove_if([&f](Headers::Field field) {
    for (size_t i = 0; i < f.named_count; ++i) {
      if (equal_names(field.name, f.named[i])) return true;
    }
    return false;
  });
}

// "GET /x HTTP/1.1". Refused with a status, or kDone.
Parsed read_request_line(std::string_view line, RequestHead* out) {
  Parsed done;
  done.kind = Parsed::Kind::kDone;
  size_t space = line.find(' ');
  std::string_view method = line.substr(0, space);
  if (space == std::string_view::npos || method.empty() || !all_of(method, kTokenBytes)) return refuse(400, "a request line that is not one");
  size_t last = line.rfind(' ');
  std::string_view target = last > space ? line.substr(space + 1, last - space - 1) : std::string_view();
  std::string_view version = line.substr(last + 1);
  if (target.empty() || !all_of(target, kTargetBytes) || target.find('#') != std::string_view::npos) return refuse(400, "a request target with forbidden characters");
  if (version.size() != 8 || version.substr(0, 5) != "HTTP/" || version[6] != '.' || version[5] < '0' || version[5] > '9' || version[7] < '0' || version[7] > '9') {
    return refuse(400, "a request line without a version of HTTP");
  }
  if (version[5] != '1') return refuse(505, "a version of HTTP that is not spoken here");
  out->version = version[7] == '0' ? Version::kHttp10 : Version::kHttp11;
  out->method = method;
  out->target = target;
  return done;
}

// Absolute form: the authority counts, not Host. Authority form: not served here.
Parsed settle_target(RequestHead* out) {
  Parsed done;
  done.kind = Parsed::Kind::kDone;
  if (out->method == "CONNECT") return refuse(405, "CONNECT");
  if (out->target[0] == '/') return done;
  if (out->target == "*") return out->method == "OPTIONS" ? done : refuse(400, "a request target that is not a path");
  size_t scheme = out->target.find("://");
  if (scheme == std::string::npos) return refuse(400, "a request target that is not a path");
  std::string name = base::lower(std::string_view(out->target).substr(0, scheme));
  if (name != "http" && name != "https") return refuse(400, "a request target of an unknown scheme");
  size_t path = out->target.find_first_of("/?", scheme + 3);
  std::string authority = out->target.substr(scheme + 3, path == std::string::npos ? std::string::npos : path - scheme - 3);
  if (authority.empty() || !is_authority(authority)) return refuse(400, "a request target with a host that is not one");
  out->authority = base::lower(authority);
  std::string rest = path == std::string::npos ? "/" : out->target.substr(path);
  out->target = rest[0] == '?' ? "/" + rest : rest;
  return done;
}

}  // namespace

bool is_token(std::string_view text) { return !text.empty() && all_of(text, kTokenBytes); }

bool is_authority(std::string_view text) {
  if (text.empty()) return false;
  std::string_view port;
  if (text[0] == '[') {
    size_t close = text.find(']');
    if (close == std::string_view::npos || !base::Ip::parse(text.substr(1, close - 1)).ok()) return false;
    port = text.substr(close + 1);
  } else {
    size_t colon = text.find(':');
    std::string_view host = text.substr(0, colon);
    if (host.empty() || !all_of(host, kHostBytes)) return false;
    port = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
  }
  if (port.empty()) return true;
  if (port[0] != ':' || port.size() > 6) return false;
  for (char c : port.substr(1)) {
    if (c < '0' || c > '9') return false;
  }
  return true;
}

Parsed parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead* out) {
  size_t at = 0;
  // (Where a line has not ended, one byte more than the limit may still be its CR.)
  // A client may end a body with one line too many (RFC 9112, 2.2).
  while (at < bytes.size() && at < 4 && (bytes[at] == '\r' || bytes[at] == '\n')) ++at;
  if (at == bytes.size()) return {};
  if (!kTokenBytes[static_cast<uint8_t>(bytes[at])]) return refuse(400, "it does not begin with a method");
  size_t begin = at;
  std::string_view line;
  if (!take_line(bytes, &at, &line)) return bytes.size() - begin > limits.line + 1 ? refuse(414, "a request line that is too long") : Parsed();
  if (line.size() > limits.line) return refuse(414, "a request line that is too long");
  *out = RequestHead();
  Parsed step = read_request_line(line, out);
  if (step.kind != Parsed::Kind::kDone) return step;
  Framing f;
  Parsed fields = read_fields(bytes, at, limits, &out->headers, &f);
  if (fields.kind != Parsed::Kind::kDone) return fields;
  out->headers.take_block(bytes.substr(0, fields.used));
  drop_named(f, &out->headers);
  bool old = out->version == Version::kHttp10;
  if (!f.has_host && !old) return refuse(400, "no Host");
  if (f.has_host && !(f.host.empty() && old) && !is_authority(f.host)) return refuse(400, "a Host that is not one");
  out->authority = base::lower(f.host);
  step = settle_target(out);
  if (step.kind != Parsed::Kind::kDone) return step;
  if (f.chunked && f.has_length) return refuse(400, "both Transfer-Encoding and Content-Length");
  if (f.chunked && old) return refuse(400, "Transfer-Encoding with HTTP/1.0");
  out->body = f.chunked ? BodyKind::kStream : f.has_length ? BodyKind::kLength : BodyKind::kNone;
  out->length = f.length;
  if (!f.expect.empty()) {
    if (!equal_names(f.expect, "100-continue")) return refuse(417, "an Expect that is not known");
    out->expects_continue = !old && out->has_body();
  }
  // An upgrade to HTTP/2 is neither done nor passed on; nor is a choice of several, in which it could hide.
  bool one = is_token(f.upgrade.substr(0, f.upgrade.find('/'))) && f.upgrade.find_first_of(", \t") == std::string_view::npos;
  if (f.connection_upgrade && !old && one && !equal_names(f.upgrade, "h2c") && !out->has_body()) out->upgrade = f.upgrade;
  out->accepts_trailers = f.trailers;
  fields.keep_alive = old ? f.keep_alive && !f.close : !f.close;
  return fields;
}

Parsed parse_response_head(std::string_view bytes, std::string_view method, const HeadLimits& limits, ResponseHead* out) {
  size_t at = 0;
  std::string_view line;
  if (!take_line(bytes, &at, &line)) {
    if (bytes.size() > limits.line + 1) return refuse(502, "a status line that is too long");
    if (bytes.substr(0, 5) != std::string_view("HTTP/").substr(0, std::min<size_t>(bytes.size(), 5))) return refuse(502, "it does not begin with a version of HTTP");
    return {};
  }
  if (line.size() > limits.line) return refuse(502, "a status line that is too long");
  auto digit = [&line](size_t i) { return line[i] >= '0' && line[i] <= '9'; };
  if (line.size() < 12 || line.substr(0, 7) != "HTTP/1." || !digit(7) || line[8] != ' ' || !digit(9) || !digit(10) || !digit(11) || (line.size() > 12 && line[12] != ' ')) {
    return refuse(502, "a status line that is not one");
  }
  *out = ResponseHead();
  bool old = line[7] == '0';
  out->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (out->status < 100) return refuse(502, "a status line that is not one");
  if (line.size() > 13) out->reason = line.substr(13);
  if (!all_of(out->reason, kValueBytes)) return refuse(502, "a status line with forbidden characters");
  Framing f;
  Parsed fields = read_fields(bytes, at, limits, &out->headers, &f);
  if (fields.kind == Parsed::Kind::kRefused) fields.status = 502;
  if (fields.kind != Parsed::Kind::kDone) return fields;
  out->headers.take_block(bytes.substr(0, fields.used));
  drop_named(f, &out->headers);
  if (f.chunked && f.has_length) return refuse(502, "both Transfer-Encoding and Content-Length");
  bool bodyless = out->status < 200 || out->status == 204 || out->status == 304;
  if (out->status == 101) {
    out->upgrade = true;
    out->upgrade_protocol = f.upgrade;
  }
  if (bodyless) out->body = BodyKind::kNone;
  else if (f.chunked) out->body = BodyKind::kStream;
  else if (f.has_length) out->body = BodyKind::kLength;
  else out->body = method == "HEAD" ? BodyKind::kNone : BodyKind::kUntilEnd;
  out->length = f.length;
  fields.keep_alive = (old ? f.keep_alive && !f.close : !f.close) && out->body != BodyKind::kUntilEnd;
  return fields;
}

}  // namespace server::gateway::http1
