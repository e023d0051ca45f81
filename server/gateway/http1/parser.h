// server/gateway/http1/parser.h - heads and chunked bodies of HTTP/1.1 (RFC 9112), read strictly: whatever two readers could
// understand differently is refused, so that nothing can be smuggled past the gateway. What is accepted is passed on in
// one spelling only.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/gateway/message/message.h"

namespace server::gateway::http1 {

struct HeadLimits {
  size_t head = 32 * 1024;    // All of it: 431 (414 while the request line alone is above `line`).
  size_t line = 8 * 1024;     // The request line, and each field: 414, 431.
  size_t fields = 128;        // 431
};

struct Parsed {
  enum class Kind : uint8_t { kNeedMore, kDone, kRefused } kind = Kind::kNeedMore;
  size_t used = 0;            // kDone: bytes of the head, with the empty line. Empty lines before it count.
  int status = 400;           // kRefused: what to answer. 0: nothing, it is not HTTP at all.
  const char* why = "";       // kRefused, for the log.
  bool keep_alive = true;     // kDone: the peer goes on after this message.
};

// `bytes` from the message's first byte. On kDone `out` is whole.
Parsed parse_request_head(std::string_view bytes, const HeadLimits& limits, RequestHead* out);
// `method` of the request decides about the body (HEAD). Trailing interim responses are the caller's business: status < 200 is
// a response as any other, without body.
Parsed parse_response_head(std::string_view bytes, std::string_view method, const HeadLimits& limits, ResponseHead* out);

// A chunked body, piece by piece. Extensions are dropped; trailers are checked like fields (framing and routing fields among
// them are dropped).
class ChunkedReader {
 public:
  explicit ChunkedReader(size_t max_trailers = 8 * 1024) : max_trailers_(max_trailers) {}
  struct Step {
    enum class Kind : uint8_t { kNeedMore, kData, kEnd, kBroken } kind;
    size_t used = 0;          // Bytes of the input taken, the data included.
    std::string_view data;    // kData: a part of the input.
    const char* why = "";     // kBroken
  };
  // Call again with what is left of the input until it says kNeedMore (all was used, but for a line that is not whole: give
  // it again with more), kEnd or kBroken.
  Step next(std::string_view input);
  const Headers& trailers() const { return trailers_; }

 private:
  Step read_size(std::string_view input);
  Step read_trailer(std::string_view input);

  enum class State : uint8_t { kSize, kData, kDataEnd, kTrailers, kDone } state_ = State::kSize;
  uint64_t left_ = 0;
  size_t trailer_bytes_ = 0;
  const size_t max_trailers_;
  Headers trailers_;
};

// Appends the size line, the data and the line's end. `data` is not empty.
void append_chunk(std::string_view data, std::string* out);
// The last chunk, trailers and the empty line.
void append_last_chunk(const Headers* trailers, std::string* out);

bool is_token(std::string_view text);
// Of a Host field or an absolute target: host or [v6], with a port or without. Nothing else may be in it.
bool is_authority(std::string_view text);

}  // namespace server::gateway::http1
