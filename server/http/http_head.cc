#include "server/http/http_head.h"

#include <algorithm>
#include <charconv>

#include "store/base/text.h"

namespace server {
namespace {

base::Error malformed(const std::string& what) { return base::Error(base::Code::kBadRequest, what); }

bool is_token(std::string_view s) {
  if (s.empty()) return false;
  return std::all_of(s.begin(), s.end(), [](unsigned char c) {
    return std::isalnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

std::string_view trim(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) s.remove_prefix(1);
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) s.remove_suffix(1);
  return s;
}

// True if the comma separated header lists `token`, in any case, over all of its lines.
bool lists_token(const HttpRequest& request, const std::string& name, std::string_view token) {
  auto [first, last] = request.headers.equal_range(name);
  for (; first != last; ++first) {
    std::string_view rest = first->second;
    while (!rest.empty()) {
      size_t comma = rest.find(',');
      if (base::lower(trim(rest.substr(0, comma))) == token) return true;
      if (comma == std::string_view::npos) break;
      rest.remove_prefix(comma + 1);
    }
  }
  return false;
}

base::Status parse_target(std::string_view target, HttpRequest* out) {
  if (size_t scheme = target.find("://"); scheme != std::string_view::npos && target.front() != '/') {
    size_t slash = target.find('/', scheme + 3);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  if (target.empty() || target.front() != '/') return malformed("malformed request target");
  size_t question = target.find('?');
  auto path = percent_decode(target.substr(0, question), Plus::kKeep);
  if (!path || path->find('\0') != std::string::npos) return malformed("malformed request path");
  out->path = std::move(*path);
  if (question == std::string_view::npos) return {};
  std::string_view rest = target.substr(question + 1);
  while (!rest.empty()) {
    size_t amp = rest.find('&');
    std::string_view pair = rest.substr(0, amp);
    if (!pair.empty()) {
      size_t equals = pair.find('=');
      auto name = percent_decode(pair.substr(0, equals), Plus::kBlank);
      auto value = percent_decode(equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1), Plus::kBlank);
      if (!name || !value) return malformed("malformed query");
      out->query.emplace_back(std::move(*name), std::move(*value));
    }
    if (amp == std::string_view::npos) break;
    rest.remove_prefix(amp + 1);
  }
  return {};
}

base::Status parse_request_line(std::string_view line, RequestHead* out) {
  size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return malformed("malformed request line");
  std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1), version = line.substr(last + 1);
  if (!is_token(method)) return malformed("malformed method");
  if (version != "HTTP/1.1" && version != "HTTP/1.0") return malformed("unsupported HTTP version");
  if (target.find(' ') != std::string_view::npos) return malformed("malformed request target");
  out->http10 = version == "HTTP/1.0";
  out->request.method = std::string(method);
  return parse_target(target, &out->request);
}

base::Status parse_framing(RequestHead* out) {
  const HttpRequest& r = out->request;
  if (r.headers.count("host") != 1 && !out->http10) return malformed("missing required Host header");
  if (r.headers.count("content-length") > 1) return malformed("repeated Content-Length");
  if (std::string te = base::lower(r.header("transfer-encoding")); r.headers.count("transfer-encoding")) {
    if (r.headers.count("transfer-encoding") > 1 || te != "chunked") return malformed("unsupported transfer encoding");
    if (r.headers.count("content-length")) return malformed("both Content-Length and Transfer-Encoding");
    out->chunked = true;
  }
  if (r.headers.count("content-length")) {
    std::string text = r.header("content-length");
    uint64_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return malformed("malformed Content-Length");
    out->content_length = value;
  }
  out->keep_alive = out->http10 ? lists_token(r, "connection", "keep-alive") : !lists_token(r, "connection", "close");
  out->upgrade = lists_token(r, "connection", "upgrade") && r.headers.count("upgrade");
  out->expect_continue = base::lower(r.header("expect")) == "100-continue";
  return {};
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, Plus plus) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == Plus::kBlank) {
      out += ' ';
    } else if (text[i] == '%') {
      unsigned value = 0;
      if (i + 2 >= text.size()) return std::nullopt;
      auto [end, error] = std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
      if (error != std::errc() || end != text.data() + i + 3) return std::nullopt;
      out += static_cast<char>(value);
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

size_t find_head_end(std::string_view bytes) {
  // LF alone ends a line too (RFC 9112, 2.2); what counts is the first empty line.
  for (size_t at = bytes.find('\n'); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
    if (at + 1 < bytes.size() && bytes[at + 1] == '\n') return at + 2;
    if (at + 2 < bytes.size() && bytes[at + 1] == '\r' && bytes[at + 2] == '\n') return at + 3;
  }
  return std::string_view::npos;
}

base::Result<RequestHead> parse_head(std::string_view head) {
  RequestHead out;
  bool first = true;
  while (!head.empty()) {
    size_t end = head.find('\n');
    std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) break;
    if (line.find('\r') != std::string_view::npos || line.find('\0') != std::string_view::npos) return malformed("control character in the head");
    if (first) {
      TRY_STATUS(parse_request_line(line, &out));
      first = false;
      continue;
    }
    size_t colon = line.find(':');
    if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return malformed("malformed header line");
    out.request.headers.emplace(base::lower(line.substr(0, colon)), std::string(trim(line.substr(colon + 1))));
  }
  if (first) return malformed("empty request");
  TRY_STATUS(parse_framing(&out));
  return out;
}

std::string HttpRequest::header(const std::string& lower_name) const {
  auto it = headers.find(lower_name);
  return it == headers.end() ? std::string() : it->second;
}

std::optional<std::string> HttpRequest::param(const std::string& name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

}  // namespace server
