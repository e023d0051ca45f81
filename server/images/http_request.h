// server/images/http_request.h - the request parser of the built-in nginx. Pure; meets the network, so it takes any
// bytes. Decisions (what is a 400, a 414, a 501) follow nginx's.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace server::images {

struct HttpRequest {
  std::string line;                // "GET /x?y HTTP/1.1", for the log; up to where it was understood.
  std::string method;
  std::string path;                // Decoded, "." and ".." resolved, slashes merged; starts with '/'.
  std::string query;               // After '?', raw.
  int version = 11;                // 9: HTTP/0.9 ("GET /", no headers), 10, 11
  std::string host;
  std::vector<std::pair<std::string, std::string>> headers;  // Names in lower case.
  uint64_t content_length = 0;
  bool chunked = false;
  bool keep_alive = false;

  // First of that name, or nullptr. `name` in lower case.
  const std::string* find(std::string_view name) const;
};

struct ParsedHead {
  enum class State { kMore, kDone, kBad };
  State state = State::kMore;
  int status = 0;                  // kBad: the answer.
  bool header_too_large = false;   // kBad: this 400 has a text of its own.
  size_t consumed = 0;             // kDone
  HttpRequest request;             // kBad: as far as it got.
};
// `input` starts at a request. kMore never comes for more than kMaxHead bytes.
inline constexpr size_t kMaxLine = 8 * 1024;
inline constexpr size_t kMaxHead = 32 * 1024;
ParsedHead parse_head(std::string_view input);

// Takes a chunked body apart in order to skip it, or to keep what it says. Feed in any pieces.
class ChunkSkipper {
 public:
  enum class State { kMore, kDone, kBad };
  ChunkSkipper() = default;
  explicit ChunkSkipper(std::string& keep) : keep_(&keep) {}  // What the chunks hold is appended to it.
  // Advances `at` past what belongs to the body.
  State skip(std::string_view input, size_t& at);
  uint64_t body_size() const { return size_; }

 private:
  enum class Part { kSize, kExtension, kSizeEnd, kData, kDataEnd, kTrailer, kTrailerLine, kDone };
  State step(char c);
  Part part_ = Part::kSize;
  uint64_t chunk_ = 0;
  uint64_t size_ = 0;
  int digits_ = 0;
  size_t overhead_ = 0;  // Extensions and trailers are bounded.
  std::string* keep_ = nullptr;
};

// One range of a file, by a Range header.
struct ByteRange {
  enum class Kind { kNone, kOne, kUnsatisfiable };
  Kind kind = Kind::kNone;  // kNone: absent, malformed, or several: the whole file.
  uint64_t first = 0;
  uint64_t last = 0;        // Included.
};
ByteRange parse_range(std::string_view header, uint64_t size);

}  // namespace server::images
