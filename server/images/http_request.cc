#include "server/images/http_request.h"

#include <algorithm>
#include <cctype>
#include <limits>

#include "store/base/text.h"

namespace server::images {

namespace {

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool parse_number(std::string_view text, uint64_t& out) {
  if (text.empty()) return false;
  out = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    uint64_t digit = static_cast<uint64_t>(c - '0');
    if (out > (std::numeric_limits<uint64_t>::max() - digit) / 10) return false;
    out = out * 10 + digit;
  }
  return true;
}

// False where nginx answers 400: a broken escape, a zero byte, a way out of the root.
bool decode_path(std::string_view raw, std::string& out) {
  std::string decoded;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (raw[i] == '%') {
      if (i + 2 >= raw.size()) return false;
      int high = base::hex_digit(raw[i + 1]), low = base::hex_digit(raw[i + 2]);
      if (high < 0 || low < 0) return false;
      char c = static_cast<char>(high * 16 + low);
      if (c == '\0') return false;
      decoded += c;
      i += 2;
    } else {
      decoded += raw[i];
    }
  }
  out = "/";
  for (size_t at = 0; at < decoded.size();) {
    size_t end = std::min(decoded.find('/', at), decoded.size());
    std::string_view segment(decoded.data() + at, end - at);
    bool slash = end < decoded.size();
    if (segment == "..") {
      if (out == "/") return false;
      out.pop_back();
      out.resize(out.find_last_of('/') + 1);
    } else if (!segment.empty() && segment != ".") {
      out.append(segment);
      if (slash) out += '/';
    }
    at = end + 1;
  }
  return true;
}

// Finds the end of the line that starts at `at`; a lone LF ends one too. npos: not there yet.
size_t line_end(std::string_view input, size_t at) { return input.find('\n', at); }

std::string_view line_text(std::string_view input, size_t at, size_t end) {
  if (end > at && input[end - 1] == '\r') --end;
  return input.substr(at, end - at);
}

ParsedHead bad(HttpRequest request, int status, bool too_large = false) {
  ParsedHead out;
  out.state = ParsedHead::State::kBad;
  out.status = status;
  out.header_too_large = too_large;
  request.keep_alive = false;
  if (request.version == 9) request.version = 10;  // Whoever it is gets a status line.
  out.request = std::move(request);
  return out;
}

// 0 or the status to answer.
int parse_target(std::string_view target, HttpRequest& request) {
  if (target.empty()) return 400;
  if (target[0] != '/') {
    // "http://host/path", as to a proxy; its host wins over the header's.
    size_t scheme = target.find("://");
    if (scheme == std::string_view::npos || scheme == 0 || !std::all_of(target.begin(), target.begin() + static_cast<long>(scheme), [](unsigned char c) { return std::isalpha(c); })) return 400;
    std::string_view rest = target.substr(scheme + 3);
    size_t end = std::min(rest.find_first_of("/?"), rest.size());
    if (end == 0) return 400;
    request.host = base::lower(rest.substr(0, end));
    target = rest.substr(end);
  }
  size_t fragment = target.find('#');
  if (fragment != std::string_view::npos) target = target.substr(0, fragment);
  size_t question = target.find('?');
  if (question != std::string_view::npos) {
    request.query = target.substr(question + 1);
    target = target.substr(0, question);
  }
  return decode_path(target, request.path) ? 0 : 400;
}

int parse_version(std::string_view text, HttpRequest& request) {
  if (text.substr(0, 5) != "HTTP/") return 400;
  text.remove_prefix(5);
  size_t dot = text.find('.');
  uint64_t major = 0, minor = 0;
  if (dot == std::string_view::npos || dot > 3 || text.size() - dot > 4 || !parse_number(text.substr(0, dot), major) ||
      !parse_number(text.substr(dot + 1), minor)) {
    return 400;
  }
  if (major == 0) return 400;
  if (major > 1) return 505;
  request.version = minor == 0 ? 10 : 11;
  return 0;
}

int parse_request_line(std::string_view line, HttpRequest& request) {
  request.line = line;
  if (std::any_of(line.begin(), line.end(), is_control)) return 400;
  size_t space = line.find(' ');
  request.method = line.substr(0, space);
  if (request.method.empty() || !std::all_of(request.method.begin(), request.method.end(), [](char c) { return (c >= 'A' && c <= 'Z') || c == '_' || c == '-'; })) {
    return 400;
  }
  if (space == std::string_view::npos) return 400;
  std::string_view rest = trimmed(line.substr(space));
  size_t last = rest.find_last_of(' ');
  if (last == std::string_view::npos) {
    // HTTP/0.9 knows GET alone.
    request.version = 9;
    return request.method == "GET" ? parse_target(rest, request) : 400;
  }
  std::string_view target = trimmed(rest.substr(0, last));
  if (target.find(' ') != std::string_view::npos) return 400;
  int status = parse_version(rest.substr(last + 1), request);
  return status != 0 ? status : parse_target(target, request);
}

// A line that is no header is passed over, as is a name with other characters than letters, digits and '-'.
int parse_header_line(std::string_view line, HttpRequest& request) {
  if (line.find('\0') != std::string_view::npos) return 400;
  if (line[0] == ' ' || line[0] == '\t') return 400;  // Folded lines let two readers see two different requests.
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || colon == 0) return 400;
  std::string_view name = line.substr(0, colon);
  if (name.back() == ' ' || name.back() == '\t') return 400;
  if (!std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '-'; })) return 0;
  std::string_view value = trimmed(line.substr(colon + 1));
  if (std::any_of(value.begin(), value.end(), [](char c) { return is_control(c) && c != '\t'; })) return 400;
  request.headers.emplace_back(base::lower(name), std::string(value));
  return 0;
}

size_t count(const HttpRequest& request, std::string_view name) {
  return static_cast<size_t>(std::count_if(request.headers.begin(), request.headers.end(), [&](const auto& header) { return header.first == name; }));
}

// What the headers mean for how the connection goes on.
int interpret(HttpRequest& request) {
  if (count(request, "host") > 1 || count(request, "content-length") > 1 || count(request, "transfer-encoding") > 1) return 400;
  const std::string* host = request.find("host");
  if (host == nullptr && request.version == 11) return 400;
  if (host != nullptr && host->find_first_of("/ \t@") != std::string::npos) return 400;
  if (request.host.empty() && host != nullptr) request.host = base::lower(*host);
  const std::string* length = request.find("content-length");
  if (length != nullptr && !parse_number(*length, request.content_length)) return 400;
  if (const std::string* encoding = request.find("transfer-encoding")) {
    if (request.version < 11 || length != nullptr) return 400;  // Two lengths: request smuggling.
    if (base::lower(*encoding) != "chunked") return 501;
    request.chunked = true;
  }
  const std::string* connection = request.find("connection");
  const std::string wish = connection == nullptr ? "" : base::lower(*connection);
  request.keep_alive = request.version == 11 ? wish.find("close") == std::string::npos : wish.find("keep-alive") != std::string::npos;
  return 0;
}

}  // namespace

const std::string* HttpRequest::find(std::string_view name) const {
  for (const auto& [each, value] : headers) {
    if (each == name) return &value;
  }
  return nullptr;
}

ParsedHead parse_head(std::string_view input) {
  HttpRequest request;
  size_t at = 0;
  // Empty lines before a request are left over from sloppy clients.
  while (at < input.size() && (input[at] == '\r' || input[at] == '\n')) ++at;
  if (at > kMaxLine) return bad(std::move(request), 400);
  size_t end = line_end(input, at);
  if ((end == std::string_view::npos ? input.size() : end) - at > kMaxLine) {
    request.line = input.substr(at, 256);
    return bad(std::move(request), 414);
  }
  if (end == std::string_view::npos) return {};
  int status = parse_request_line(line_text(input, at, end), request);
  if (status != 0) return bad(std::move(request), status);
  at = end + 1;
  while (request.version != 9) {
    end = line_end(input, at);
    size_t known_end = end == std::string_view::npos ? input.size() : end;
    if (known_end - at > kMaxLine || known_end > kMaxHead) return bad(std::move(request), 400, true);
    if (end == std::string_view::npos) return {};
    std::string_view line = line_text(input, at, end);
    at = end + 1;
    if (line.empty()) break;
    status = parse_header_line(line, request);
    if (status != 0) return bad(std::move(request), status);
  }
  if (request.version != 9) status = interpret(request);
  if (status != 0) return bad(std::move(request), status);
  ParsedHead out;
  out.state = ParsedHead::State::kDone;
  out.consumed = at;
  out.request = std::move(request);
  return out;
}

ChunkSkipper::State ChunkSkipper::step(char c) {
  constexpr size_t kMaxOverhead = 16 * 1024;
  switch (part_) {
    case Part::kSize: {
      int digit = base::hex_digit(c);
      if (digit >= 0) {
        if (++digits_ > 15) return State::kBad;
        chunk_ = chunk_ * 16 + static_cast<uint64_t>(digit);
        return State::kMore;
      }
      if (digits_ == 0) return State::kBad;
      if (c == '\r') part_ = Part::kSizeEnd;
      else if (c == '\n') part_ = chunk_ == 0 ? Part::kTrailer : Part::kData;
      else if (c == ';' || c == ' ' || c == '\t') part_ = Part::kExtension;
      else return State::kBad;
      return State::kMore;
    }
    case Part::kExtension:
      if (++overhead_ > kMaxOverhead) return State::kBad;
      if (c == '\n') part_ = chunk_ == 0 ? Part::kTrailer : Part::kData;
      return State::kMore;
    case Part::kSizeEnd:
      if (c != '\n') return State::kBad;
      part_ = chunk_ == 0 ? Part::kTrailer : Part::kData;
      return State::kMore;
    case Part::kDataEnd:
      if (c == '\r') return State::kMore;
      if (c != '\n') return State::kBad;
      part_ = Part::kSize;
      chunk_ = 0;
      digits_ = 0;
      return State::kMore;
    case Part::kTrailer:  // At the start of a line.
      if (c == '\r') return State::kMore;
      if (c == '\n') {
        part_ = Part::kDone;
        return State::kDone;
      }
      part_ = Part::kTrailerLine;
      return State::kMore;
    case Part::kTrailerLine:
      if (++overhead_ > kMaxOverhead) return State::kBad;
      if (c == '\n') part_ = Part::kTrailer;
      return State::kMore;
    case Part::kData:
    case Part::kDone: break;
  }
  return State::kDone;
}

ChunkSkipper::State ChunkSkipper::skip(std::string_view input, size_t& at) {
  while (part_ != Part::kDone) {
    if (at >= input.size()) return State::kMore;
    if (part_ == Part::kData) {
      uint64_t take = std::min<uint64_t>(chunk_, input.size() - at);
      if (keep_ != nullptr) keep_->append(input.substr(at, static_cast<size_t>(take)));
      at += static_cast<size_t>(take);
      chunk_ -= take;
      size_ += take;
      if (chunk_ == 0) part_ = Part::kDataEnd;
      continue;
    }
    State state = step(input[at++]);
    if (state != State::kMore) return state;
  }
  return State::kDone;
}

ByteRange parse_range(std::string_view header, uint64_t size) {
  ByteRange range;
  if (base::lower(header.substr(0, 6)) != "bytes=") return range;
  std::string_view spec = trimmed(header.substr(6));
  size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return range;
  std::string_view first = trimmed(spec.substr(0, dash)), last = trimmed(spec.substr(dash + 1));
  uint64_t number = 0;
  if (first.empty()) {
    if (!parse_number(last, number)) return range;
    range.kind = number == 0 || size == 0 ? ByteRange::Kind::kUnsatisfiable : ByteRange::Kind::kOne;
    range.first = number >= size ? 0 : size - number;
    range.last = size == 0 ? 0 : size - 1;
    return range;
  }
  if (!parse_number(first, range.first)) return range;
  range.last = size == 0 ? 0 : size - 1;
  if (!last.empty()) {
    if (!parse_number(last, number) || number < range.first) return range;
    range.last = std::min(range.last, number);
  }
  range.kind = range.first >= size ? ByteRange::Kind::kUnsatisfiable : ByteRange::Kind::kOne;
  return range;
}

}  // namespace server::images
