// libFuzzer: any bytes as a chunked body. In whatever pieces they come, data, trailers, the end or the refusal are the same; and what
// was read, written again, is read as the same.
#include <cstdint>
#include <cstdlib>

#include "server/gateway/http1/characters.h"
#include "server/gateway/http1/parser.h"

namespace {

using namespace server::gateway;
using http1::ChunkedReader;
using Kind = ChunkedReader::Step::Kind;

void require(bool holds) {
  if (!holds) abort();
}

struct Read {
  Kind outcome = Kind::kNeedMore;
  std::string data, trailers;
  size_t used = 0;
};

// As a connection reads: what was not used is given again with more.
Read read(std::string_view bytes, size_t piece) {
  Read out;
  ChunkedReader reader;
  std::string held;
  while (out.outcome == Kind::kNeedMore && !bytes.empty()) {
    size_t size = std::min(piece, bytes.size());
    held.append(bytes.substr(0, size));
    bytes.remove_prefix(size);
    for (bool more = true; more;) {
      ChunkedReader::Step step = reader.next(held);
      require(step.used <= held.size());
      out.data.append(step.data);
      out.used += step.used;
      if (step.kind != Kind::kData) {
        out.outcome = step.kind;
        more = false;
      } else {
        require(!step.data.empty());
      }
      held.erase(0, step.used);
    }
  }
  const Headers& trailers = reader.trailers();
  for (size_t i = 0; i < trailers.size(); ++i) {
    require(http1::is_token(trailers[i].name) && http1::all_of(trailers[i].value, http1::kValueBytes));
    for (const char* framing : {"transfer-encoding", "content-length", "host", "connection"}) require(!equal_names(trailers[i].name, framing));
    out.trailers.append(trailers[i].name).append(": ").append(trailers[i].value).append("\n");
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Read whole = read(bytes, bytes.size() + 1), pieces = read(bytes, size_t{data[0] % 16u} + 1);
  require(whole.outcome == pieces.outcome && whole.data == pieces.data);
  if (whole.outcome != Kind::kEnd) return 0;
  require(whole.used == pieces.used && whole.trailers == pieces.trailers && whole.used <= bytes.size());

  ChunkedReader reader;
  std::string written;
  if (!whole.data.empty()) http1::append_chunk(whole.data, &written);
  Headers trailers;
  for (std::string_view rest = whole.trailers; !rest.empty();) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(line.size() + 1);
    trailers.add(line.substr(0, line.find(": ")), line.substr(line.find(": ") + 2));
  }
  http1::append_last_chunk(&trailers, &written);
  Read again = read(written, written.size());
  require(again.outcome == Kind::kEnd && again.used == written.size() && again.data == whole.data && again.trailers == whole.trailers);
  return 0;
}
