#include "server/node_agent/http_reply.h"

#include <strings.h>

#include <charconv>

namespace server {
namespace {

constexpr size_t kMaxHead = 64u << 10;

std::string with_brackets(const std::string& host) { return host.find(':') == std::string::npos ? host : "[" + host + "]"; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

bool same(std::string_view a, const char* b) { return a.size() == std::string_view(b).size() && ::strncasecmp(a.data(), b, a.size()) == 0; }

// A relative path, from the directory of `base`; "." and ".." are worked out.
std::string merge_path(const std::string& base, const std::string& relative) {
  std::string query;
  std::string path = relative;
  size_t mark = path.find('?');
  if (mark != std::string::npos) query = path.substr(mark), path.resize(mark);
  if (path.empty() || path[0] != '/') {
    std::string directory = base.substr(0, base.find('?'));
    directory.resize(directory.rfind('/') + 1);
    path = directory + path;
  }
  std::vector<std::string> parts;
  size_t at = 1;
  for (bool last = false; !last;) {
    size_t end = path.find('/', at);
    last = end == std::string::npos;
    std::string part = path.substr(at, last ? std::string::npos : end - at);
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
      if (last) parts.push_back("");
    } else if (part == ".") {
      if (last) parts.push_back("");
    } else {
      parts.push_back(part);
    }
    at = end + 1;
  }
  std::string out;
  for (const std::string& part : parts) out += "/" + part;
  return (out.empty() ? "/" : out) + query;
}

// "host:port" or "[v6]:port" or "host".
void parse_authority(std::string authority, ProbeUrl& url) {
  size_t user = authority.rfind('@');
  if (user != std::string::npos) authority = authority.substr(user + 1);
  size_t bracket = authority.find(']');
  size_t colon = authority.rfind(':');
  url.port = 0;
  if (colon != std::string::npos && (bracket == std::string::npos || colon > bracket)) {
    std::from_chars(authority.data() + colon + 1, authority.data() + authority.size(), url.port);
    authority.resize(colon);
  }
  if (authority.size() > 1 && authority.front() == '[' && authority.back() == ']') authority = authority.substr(1, authority.size() - 2);
  url.host = authority;
}

// What a URL may not hold literally. A "%" is taken for an escape that is there already.
std::string escape(const std::string& path) {
  static const char* const kDigits = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : path) {
    if (c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>') {
      out += '%';
      out += kDigits[c >> 4];
      out += kDigits[c & 15];
    } else {
      out += static_cast<char>(c);
    }
  }
  return out;
}

}  // namespace

std::string ProbeUrl::authority() const { return with_brackets(host) + (port == 0 ? "" : ":" + std::to_string(port)); }
std::string ProbeUrl::text() const { return std::string(https ? "https" : "http") + "://" + authority() + path; }

ProbeUrl compile_probe_url(const Action& action, const std::string& pod_ip) {
  ProbeUrl url;
  url.https = action.https;
  url.host = action.host.empty() ? pod_ip : action.host;
  url.port = action.port;
  url.path = escape(action.path.substr(0, action.path.find('#')));
  if (url.path.empty() || url.path[0] != '/') url.path = "/" + url.path;
  return url;
}

ProbeUrl resolve_location(const ProbeUrl& base, const std::string& location) {
  ProbeUrl url = base;
  std::string rest = location.substr(0, location.find('#'));
  for (const char* scheme : {"http:", "https:"}) {
    size_t length = std::string_view(scheme).size();
    if (rest.size() <= length || !same(std::string_view(rest).substr(0, length), scheme)) continue;
    url.https = length == 6;
    rest = rest.substr(length);
    break;
  }
  if (rest.rfind("//", 0) == 0) {
    size_t end = rest.find_first_of("/?", 2);
    parse_authority(rest.substr(2, end == std::string::npos ? end : end - 2), url);
    rest = end == std::string::npos ? "/" : rest.substr(end);
    if (rest[0] == '?') rest = "/" + rest;
  }
  url.path = escape(merge_path(base.path, rest));
  return url;
}

std::string render_probe_request(const ProbeUrl& url, const Action& action, const std::string& default_agent, bool keep_host) {
  std::string host = url.authority(), agent = default_agent, accept = "*/*", others;
  for (const auto& [name, value] : action.headers) {
    if (same(name, "host")) {
      if (keep_host) host = value;
    } else if (same(name, "user-agent")) {
      agent = value;
    } else if (same(name, "accept")) {
      accept = value;  // An empty one takes the header away.
    } else if (!same(name, "connection") && !same(name, "content-length") && !same(name, "transfer-encoding")) {
      others += name + ": " + value + "\r\n";
    }
  }
  std::string out = "GET " + url.path + " HTTP/1.1\r\nHost: " + host + "\r\n";
  if (!agent.empty()) out += "User-Agent: " + agent + "\r\n";
  if (!accept.empty()) out += "Accept: " + accept + "\r\n";
  return out + others + "Connection: close\r\n\r\n";
}

HttpReply::State HttpReply::broken(const std::string& problem) {
  problem_ = problem;
  return state_ = State::kBroken;
}

HttpReply::State HttpReply::feed(std::string_view bytes) {
  if (state_ == State::kDone || state_ == State::kBroken) return state_;
  in_ += bytes;
  while (state_ == State::kHead) {
    if (parse_head() == State::kHead) return state_;
    if (state_ == State::kBody && status_ < 200 && status_ != 101) state_ = State::kHead;  // "100 Continue" and the like go before the reply.
    else break;
  }
  return state_ == State::kBody ? take_body() : state_;
}

HttpReply::State HttpReply::end() {
  if (state_ == State::kHead) return broken("EOF");
  if (state_ == State::kBody) {
    if (framing_ != Framing::kUntilEnd) return broken("unexpected EOF");
    state_ = State::kDone;
  }
  return state_;
}

HttpReply::State HttpReply::parse_head() {
  size_t line_end = in_.find('\n');
  if (line_end != std::string::npos || in_.size() >= 5) {
    std::string_view line = trim(std::string_view(in_).substr(0, line_end));
    bool version = line.rfind("HTTP/1.", 0) == 0 || (line_end == std::string::npos && std::string_view("HTTP/1.").rfind(line, 0) == 0);
    if (!version) return broken("net/http: HTTP/1.x transport connection broken: malformed HTTP response \"" + std::string(line.substr(0, 100)) + "\"");
  }
  size_t end = in_.find("\r\n\r\n");
  if (end == std::string::npos) return in_.size() > kMaxHead ? broken("net/http: server response headers exceeded " + std::to_string(kMaxHead) + " bytes; aborted") : state_;
  std::string_view head = std::string_view(in_).substr(0, end);
  std::string_view status_text = head.size() >= 12 ? head.substr(9, 3) : std::string_view();
  status_ = 0;
  std::from_chars(status_text.data(), status_text.data() + status_text.size(), status_);
  if (status_ < 100) return broken("net/http: HTTP/1.x transport connection broken: malformed HTTP status code \"" + std::string(status_text) + "\"");
  framing_ = Framing::kUntilEnd;
  for (size_t at = head.find('\n'); at != std::string_view::npos;) {
    size_t next = head.find('\n', at + 1);
    std::string_view line = head.substr(at + 1, next == std::string_view::npos ? next : next - at - 1);
    size_t colon = line.find(':');
    at = next;
    if (colon == std::string_view::npos) continue;
    std::string_view name = line.substr(0, colon), value = trim(line.substr(colon + 1));
    if (same(name, "location")) location_ = value;
    if (same(name, "transfer-encoding") && same(value, "chunked")) framing_ = Framing::kChunked;
    if (same(name, "content-length") && framing_ != Framing::kChunked) {
      framing_ = Framing::kLength;
      length_ = 0;
      auto [last, error] = std::from_chars(value.data(), value.data() + value.size(), length_);
      if (error != std::errc() || last != value.data() + value.size()) return broken("net/http: HTTP/1.x transport connection broken: bad Content-Length \"" + std::string(value) + "\"");
    }
  }
  if (status_ == 204 || status_ == 304) framing_ = Framing::kLength, length_ = 0;
  in_.erase(0, end + 4);
  return state_ = State::kBody;
}

HttpReply::State HttpReply::take_body() {
  if (framing_ == Framing::kChunked) return take_chunks();
  body_ += in_;
  in_.clear();
  if (framing_ == Framing::kLength && body_.size() >= length_) body_.resize(length_), state_ = State::kDone;
  if (body_.size() >= kMaxBody) body_.resize(kMaxBody), state_ = State::kDone;
  return state_;
}

HttpReply::State HttpReply::take_chunks() {
  for (size_t line = in_.find("\r\n"); line != std::string::npos; line = in_.find("\r\n")) {
    size_t size = 0;
    auto [last, error] = std::from_chars(in_.data(), in_.data() + line, size, 16);
    if (error != std::errc() || (last != in_.data() + line && *last != ';' && *last != ' ')) return broken("invalid byte in chunk length");
    if (size == 0) return state_ = State::kDone;
    // Of a chunk beyond the limit its beginning is enough.
    size_t have = in_.size() - line - 2;
    if (body_.size() + have >= kMaxBody && body_.size() + size >= kMaxBody) {
      body_ += in_.substr(line + 2, kMaxBody - body_.size());
      return state_ = State::kDone;
    }
    if (have < size + 2) return state_;
    body_ += in_.substr(line + 2, size);
    in_.erase(0, line + 2 + size + 2);
  }
  return in_.size() > 1024 ? broken("chunk length too large") : state_;
}

}  // namespace server
