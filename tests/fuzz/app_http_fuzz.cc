// libFuzzer: any bytes as what a client sends to the built-in servers other than nginx: heads, chunked bodies, queries,
// forms with files, command words of the UDP servers.
#include <cstdint>
#include <cstdlib>

#include "server/images/agnhost.h"
#include "server/images/go_text.h"
#include "server/images/multipart.h"
#include "server/images/simple_apps.h"

namespace {

void require(bool holds) {
  if (!holds) abort();
}

void check_answer(const server::images::AppHandler& handler, const server::images::AppRequest& request) {
  server::images::AppResponse response = handler(request);
  std::string head = server::images::render_app_head(request, response, true, 0);
  // What a client sent must not become a second head or a header of ours.
  require(head.find("\r\n\r\n") + 4 == head.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  static const server::images::AppHandler kEcho = server::images::http_echo_handler({"x", 200, false});
  static const server::images::AppHandler kWhoami = server::images::whoami_handler({});
  server::images::ParsedHead head = server::images::parse_head(input);
  if (head.state == server::images::ParsedHead::State::kDone) {
    std::string body;
    server::images::ChunkSkipper chunks(body);
    size_t at = head.consumed;
    if (head.request.chunked) chunks.skip(input, at);
    require(body.size() == chunks.body_size() && at <= size);
    server::images::AppRequest request = server::images::make_app_request(head.request, body, "1.2.3.4:5");
    request.form("msg");
    check_answer(kEcho, request);
    // Not its waits.
    if (request.query.find("wait") == std::string::npos && request.query.find('%') == std::string::npos) check_answer(kWhoami, request);
  }
  std::optional<std::string> file = server::images::multipart_file("multipart/form-data; boundary=X", input, "file");
  require(!file || file->size() < size);
  server::images::multipart_file(input, "--X\r\n\r\n", "file");
  server::images::sniff_content_type(input);
  server::images::go_json_string(input);
  if (auto duration = server::images::parse_go_duration(input)) server::images::render_go_duration(*duration);
  server::images::split_host_port(std::string(input));
  server::images::parse_listen_address(std::string(input)).ok();
  return 0;
}
