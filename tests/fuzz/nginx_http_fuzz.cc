// libFuzzer: any bytes as what a client sends to the built-in nginx. Whatever is understood keeps its promises: a path
// inside the root, an answer with one head, and the same reading however the bytes arrive.
#include <cstdint>
#include <cstdlib>

#include "server/images/nginx_response.h"

namespace {

void require(bool holds) {
  if (!holds) abort();
}

void check_request(const server::images::ParsedHead& head, size_t size) {
  const server::images::HttpRequest& request = head.request;
  require(head.consumed > 0 && head.consumed <= size);
  require(!request.path.empty() && request.path[0] == '/');
  // No way up, and no end of string on the way to open().
  require((request.path + "/").find("/../") == std::string::npos && request.path.find('\0') == std::string::npos);
  require(!(request.chunked && request.content_length > 0));
  server::images::NginxSite site;
  site.root = "/nonexistent";
  server::images::NginxResponse response = server::images::answer(site, request, 0);
  require(response.status >= 400);
  // A header that came in must not become one that goes out.
  size_t end = response.head.find("\r\n\r\n");
  require(response.head.empty() ? request.version == 9 : end + 4 == response.head.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  std::string_view rest = input;
  for (int requests = 0; requests < 16; ++requests) {
    server::images::ParsedHead head = server::images::parse_head(rest);
    if (head.state == server::images::ParsedHead::State::kMore) {
      require(rest.size() <= server::images::kMaxHead + 2);
      break;
    }
    if (head.state == server::images::ParsedHead::State::kBad) {
      require(head.status >= 400 && head.status < 600 && !head.request.keep_alive);
      require(server::images::answer_bad(head, 0).status == head.status);
      break;
    }
    check_request(head, rest.size());
    // A prefix of a whole request is never taken for a different whole one.
    server::images::ParsedHead early = server::images::parse_head(rest.substr(0, head.consumed - 1));
    require(early.state != server::images::ParsedHead::State::kDone || early.consumed == head.consumed - 1);
    rest.remove_prefix(head.consumed);
    if (!head.request.chunked) continue;
    server::images::ChunkSkipper skipper;
    size_t at = 0;
    if (skipper.skip(rest, at) != server::images::ChunkSkipper::State::kDone) break;
    require(at <= rest.size());
    rest.remove_prefix(at);
  }
  server::images::ByteRange range = server::images::parse_range(input, 1000);
  if (range.kind == server::images::ByteRange::Kind::kOne) require(range.first <= range.last && range.last < 1000);
  return 0;
}
