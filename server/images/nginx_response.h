// server/images/nginx_response.h - what the built-in nginx answers to a request: its default site, static files below
// one root. No sockets here.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "server/images/http_request.h"
#include "store/base/fd.h"

namespace server::images {

struct NginxSite {
  std::string root = "/usr/share/nginx/html";
  uint16_t port = 80;                      // Put into redirects unless it is 80.
  uint64_t max_body = 1024 * 1024;         // client_max_body_size
};

struct NginxResponse {
  int status = 200;
  std::string head;          // Status line and headers; empty for HTTP/0.9.
  std::string body;          // Or:
  base::Fd file;             // From file_begin up to file_end.
  uint64_t file_begin = 0;
  uint64_t file_end = 0;
  bool keep_alive = false;
  std::string error_note;    // For the error log, without the request's particulars; empty: nothing to note.

  uint64_t body_size() const { return file.valid() ? file_end - file_begin : body.size(); }
};

// `now` goes into Date. A HEAD response keeps the length it would have had in its headers, and no body.
NginxResponse answer(const NginxSite& site, const HttpRequest& request, time_t now);
// For a head that was not understood.
NginxResponse answer_bad(const ParsedHead& head, time_t now);

std::string_view content_type(std::string_view path);
std::string http_date(time_t when);              // Sun, 06 Nov 1994 08:49:37 GMT
time_t parse_http_date(const std::string& text);  // -1 if it is none.

}  // namespace server::images
