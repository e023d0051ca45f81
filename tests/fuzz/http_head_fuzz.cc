// libFuzzer: any bytes as what a client sends to the API or to a node's health pages. A head that is understood has one
// reading: a token for a method, a path that starts with '/', no control bytes, and framing that cannot be mistaken.
#include <cstdint>
#include <cstdlib>

#include "server/http/http_head.h"

namespace {

void require(bool holds) {
  if (!holds) abort();
}

void check_head(const server::RequestHead& head) {
  const server::HttpRequest& request = head.request;
  require(!request.method.empty() && request.method.find_first_of(" \t\r\n") == std::string::npos);
  require(!request.path.empty() && request.path[0] == '/' && request.path.find('\0') == std::string::npos);
  require(!(head.chunked && head.content_length.has_value()));
  require(head.http10 || request.headers.count("host") == 1);
  for (const auto& [name, value] : request.headers) {
    require(!name.empty() && name.find_first_of(" \t\r\n:") == std::string::npos);
    require(value.find_first_of("\r\n") == std::string::npos && value.find('\0') == std::string::npos);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  for (int requests = 0; requests < 16; ++requests) {
    const size_t end = server::find_head_end(rest);
    if (end == std::string_view::npos) break;
    require(end > 0 && end <= rest.size());
    // Nothing shorter is a whole head.
    require(server::find_head_end(rest.substr(0, end - 1)) == std::string_view::npos);
    base::Result<server::RequestHead> head = server::parse_head(rest.substr(0, end));
    if (head.ok()) check_head(*head);
    rest.remove_prefix(end);
  }
  return 0;
}
