// libFuzzer: any bytes as the head of a request or a response. Wherever they are cut, the parser says the same of them; what it accepts
// holds nothing that another reader could take for framing; and as the gateway writes it on, it is the same request again.
#include <cstdint>
#include <cstdlib>

#include "server/gateway/http1/characters.h"
#include "server/gateway/http1/parser.h"
#include "server/gateway/http1/writer.h"

namespace {

using namespace server::gateway;
using http1::HeadLimits;
using http1::Parsed;

void require(bool holds) {
  if (!holds) abort();
}

void check_headers(const Headers& headers, bool request) {
  for (size_t i = 0; i < headers.size(); ++i) {
    require(http1::is_token(headers[i].name));
    require(http1::all_of(headers[i].value, http1::kValueBytes));
    for (const char* framing : {"transfer-encoding", "content-length", "connection"}) require(!equal_names(headers[i].name, framing));
    if (request) require(!equal_names(headers[i].name, "host"));
  }
}

bool same_headers(const Headers& a, const Headers& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].name != b[i].name || a[i].value != b[i].value) return false;
  }
  return true;
}

// What a part of the bytes gives must not contradict what all of them give.
void check_prefix(const Parsed& part, size_t size, const Parsed& all) {
  if (part.kind == Parsed::Kind::kNeedMore) return require(all.kind != Parsed::Kind::kDone || all.used > size);
  require(part.kind == all.kind);
  if (part.kind == Parsed::Kind::kDone) require(part.used == all.used && part.keep_alive == all.keep_alive);
}

void try_request(std::string_view bytes, size_t cut, const HeadLimits& limits) {
  RequestHead head, of_part;
  Parsed parsed = http1::parse_request_head(bytes, limits, &head);
  Parsed part = http1::parse_request_head(bytes.substr(0, cut), limits, &of_part);
  check_prefix(part, cut, parsed);
  if (parsed.kind != Parsed::Kind::kDone) return;
  require(parsed.used <= bytes.size());
  require(http1::is_token(head.method));
  require(!head.target.empty() && http1::all_of(head.target, http1::kTargetBytes) && (head.target[0] == '/' || head.target == "*"));
  require(head.authority.empty() || http1::is_authority(head.authority));
  check_headers(head.headers, true);
  if (head.authority.empty()) return;  // HTTP/1.0 may do without; the exchange answers it or takes the listener's.
  std::string written;
  http1::append_request_head(head, false, "", &written);
  RequestHead again;
  HeadLimits wide;
  wide.head = wide.line = 1 << 20;
  Parsed second = http1::parse_request_head(written, wide, &again);
  require(second.kind == Parsed::Kind::kDone && second.used == written.size());
  require(again.method == head.method && again.target == head.target && again.authority == head.authority);
  require(again.body == head.body && (head.body != BodyKind::kLength || again.length == head.length));
  require(again.upgrade == head.upgrade && again.accepts_trailers == head.accepts_trailers);
  require(same_headers(again.headers, head.headers));
}

void try_response(std::string_view bytes, size_t cut, const HeadLimits& limits, std::string_view method) {
  ResponseHead head, of_part;
  Parsed parsed = http1::parse_response_head(bytes, method, limits, &head);
  check_prefix(http1::parse_response_head(bytes.substr(0, cut), method, limits, &of_part), cut, parsed);
  if (parsed.kind != Parsed::Kind::kDone) return;
  require(head.status >= 100 && head.status <= 999);
  require(http1::all_of(head.reason, http1::kValueBytes));
  check_headers(head.headers, false);
  // An answer to HEAD tells how GET's would be framed.
  if (head.status < 200 || head.status == 204 || head.status == 304) require(head.body == BodyKind::kNone || head.body == BodyKind::kLength || head.upgrade);
  if (head.body == BodyKind::kUntilEnd) require(!parsed.keep_alive);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  size_t cut = bytes.empty() ? 0 : data[1] * bytes.size() / 256;
  HeadLimits limits;
  if ((data[0] & 4) != 0) limits = {512, 64, 8};
  if ((data[0] & 1) == 0) try_request(bytes, cut, limits);
  else try_response(bytes, cut, limits, (data[0] & 2) != 0 ? "HEAD" : "GET");
  return 0;
}
