// Chunked bodies. Line ends are CRLF and nothing else: here a bare LF is how smuggling begins.
#include <algorithm>

#include "server/gateway/http1/characters.h"
#include "server/gateway/http1/parser.h"
#include "store/base/text.h"

namespace server::gateway::http1 {
namespace {

constexpr size_t kMaxSizeLine = 1024;

// A trailer may not say what a head has to say.
bool forbidden_trailer(std::string_view name) {
  for (std::string_view other : {"host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect", "authorization", "cookie", "set-cookie",
                                 "content-encoding", "content-type", "content-range", "cache-control", "keep-alive", "proxy-connection"}) {
    if (equal_names(name, other)) return true;
  }
  return false;
}

}  // namespace

ChunkedReader::Step ChunkedReader::read_size(std::string_view input) {
  Step broken{Step::Kind::kBroken, 0, {}, "a chunk size that is not one"};
  size_t end = input.find('\n');
  if (end == std::string_view::npos) {
    // What is there must be able to become a size line.
    if (!input.empty() && base::hex_digit(input[0]) < 0) return broken;
    return input.size() > kMaxSizeLine ? broken : Step{Step::Kind::kNeedMore, 0, {}, ""};
  }
  if (end == 0 || end > kMaxSizeLine || input[end - 1] != '\r') return broken;
  std::string_view line = input.substr(0, end - 1);
  size_t digits = 0;
  uint64_t size = 0;
  while (digits < line.size() && base::hex_digit(line[digits]) >= 0) {
    if (digits == 15) return broken;
    size = size * 16 + static_cast<uint64_t>(base::hex_digit(line[digits++]));
  }
  if (digits == 0) return broken;
  std::string_view extension = line.substr(digits);
  while (!extension.empty() && (extension[0] == ' ' || extension[0] == '\t')) extension.remove_prefix(1);
  if (!extension.empty() && extension[0] != ';') return broken;
  if (!all_of(extension, kValueBytes)) return broken;
  left_ = size;
  state_ = size == 0 ? State::kTrailers : State::kData;
  return {Step::Kind::kData, end + 1, {}, ""};
}

ChunkedReader::Step ChunkedReader::read_trailer(std::string_view input) {
  Step broken{Step::Kind::kBroken, 0, {}, "a trailer that is not a header"};
  size_t end = input.find('\n');
  if (end == std::string_view::npos) return trailer_bytes_ + input.size() > max_trailers_ ? broken : Step{Step::Kind::kNeedMore, 0, {}, ""};
  trailer_bytes_ += end + 1;
  if (end == 0 || input[end - 1] != '\r' || trailer_bytes_ > max_trailers_) return broken;
  std::string_view line = input.substr(0, end - 1);
  if (line.empty()) {
    state_ = State::kDone;
    return {Step::Kind::kEnd, end + 1, {}, ""};
  }
  size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return broken;
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  if (!all_of(value, kValueBytes)) return broken;
  if (!forbidden_trailer(line.substr(0, colon))) trailers_.add(line.substr(0, colon), value);
  return {Step::Kind::kData, end + 1, {}, ""};
}

ChunkedReader::Step ChunkedReader::next(std::string_view input) {
  size_t used = 0;
  for (;;) {
    std::string_view rest = input.substr(used);
    Step step{Step::Kind::kNeedMore, 0, {}, ""};
    switch (state_) {
      case State::kSize:
        step = read_size(rest);
        break;
      case State::kData:
        if (rest.empty()) break;
        step.kind = Step::Kind::kData;
        step.data = rest.substr(0, static_cast<size_t>(std::min<uint64_t>(left_, rest.size())));
        step.used = step.data.size();
        left_ -= step.used;
        if (left_ == 0) state_ = State::kDataEnd;
        break;
      case State::kDataEnd:
        if (!rest.empty() && rest[0] != '\r') return {Step::Kind::kBroken, used, {}, "a chunk longer than its size"};
        if (rest.size() < 2) break;
        if (rest[1] != '\n') return {Step::Kind::kBroken, used, {}, "a chunk longer than its size"};
        step = {Step::Kind::kData, 2, {}, ""};
        state_ = State::kSize;
        break;
      case State::kTrailers:
        step = read_trailer(rest);
        break;
      case State::kDone:
        return {Step::Kind::kEnd, used, {}, ""};
    }
    used += step.used;
    if (step.kind == Step::Kind::kData && step.data.empty()) continue;  // A line was read.
    step.used = used;
    return step;
  }
}

void append_chunk(std::string_view data, std::string* out) {
  char digits[16];
  size_t n = 0;
  for (uint64_t size = data.size(); size > 0; size >>= 4) digits[n++] = "0123456789abcdef"[size & 15];
  while (n > 0) out->push_back(digits[--n]);
  out->append("\r\n");
  out->append(data);
  out->append("\r\n");
}

void append_last_chunk(const Headers* trailers, std::string* out) {
  out->append("0\r\n");
  for (size_t i = 0; trailers != nullptr && i < trailers->size(); ++i) {
    Headers::Field field = (*trailers)[i];
    out->append(field.name).append(": ").append(field.value).append("\r\n");
  }
  out->append("\r\n");
}

}  // namespace server::gateway::http1
