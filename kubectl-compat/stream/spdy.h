// kubectl-compat/stream/spdy.h - SPDY/3.1 framing as kubectl speaks it (exec, attach, port-forward): pure
// codec over bytes. One a connection; not thread-safe; never does I/O. No flow control, as spdystream.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/base/result.h"

namespace compat {

struct SpdyEvent {
  enum class Kind { kSynStream, kSynReply, kHeaders, kData, kReset, kPing, kGoAway, kWindowUpdate, kSettings };
  Kind kind = Kind::kData;
  uint32_t stream = 0;   // or the ping id
  bool fin = false;
  std::map<std::string, std::string> headers;  // lower-case names
  std::string data;
  uint32_t status = 0;   // reset
};

class SpdySession {
 public:
  SpdySession();
  ~SpdySession();
  // Feeds bytes in any chunking. kBadRequest on a malformed frame (or a header block over 64 KiB): close.
  base::Result<std::vector<SpdyEvent>> feed(std::string_view bytes);
  std::string syn_reply(uint32_t stream, bool fin);  // Header blocks share one zlib stream: send in the order made.
  std::string data(uint32_t stream, std::string_view payload, bool fin) const;  // Splits at 2^24-1.
  std::string reset(uint32_t stream, uint32_t status) const;
  std::string ping(uint32_t id) const;
  std::string go_away(uint32_t last_stream) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace compat
