// server/images/app_http.h - requests and answers of the built-in HTTP programs other than nginx. Pure. Heads are read by
// http_request's parser; answers have the form that Go's net/http gives them.
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/images/http_request.h"

namespace server::images {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct AppRequest {
  std::string method;
  std::string path;     // Decoded.
  std::string query;    // Raw.
  std::string target;   // As it came: "/a?b=c".
  std::string proto;    // "HTTP/1.1"
  std::string host;
  Headers headers;      // Canonical names ("X-Forwarded-For"), in the order they came; without Host.
  std::string body;
  bool chunked = false;
  bool wants_close = false;
  std::string remote;   // "10.244.1.5:40312", "[::1]:80"

  const std::string* header(std::string_view canonical_name) const;
  // Of a form in the body, else of the query; first of that name, decoded; "" if there is none.
  std::string form(std::string_view name) const;
};
AppRequest make_app_request(const HttpRequest& head, std::string body, std::string remote);

struct AppResponse {
  int status = 200;
  Headers headers;      // Content-Type is guessed where none is named.
  std::string body;
  // A body that is made while it is sent: `size` bytes, of which make(at, count) gives some. Instead of `body`.
  uint64_t size = 0;
  std::function<std::string(uint64_t at, size_t count)> make;
  bool close = false;   // The connection, after this answer.
  bool abort = false;   // The connection, without an answer: what a handler that panics does.

  uint64_t body_size() const { return make ? size : body.size(); }
};
AppResponse text_response(std::string body, int status = 200);
AppResponse error_text(const std::string& message, int status);  // http.Error: one line, text/plain

// Status line and headers.
std::string render_app_head(const AppRequest& request, const AppResponse& response, bool keep_alive, time_t now);
std::string render_bad_request(int status);  // For a head that was not understood.

std::string canonical_header(std::string_view name);                      // "x-forwarded-for" -> "X-Forwarded-For"
std::string decode_query(std::string_view text);                          // '+' and "%2F"
std::string query_value(std::string_view query, std::string_view name);   // First of that name, decoded.
std::string status_text(int status);                                      // "Not Found"; "" where there is none.

}  // namespace server::images
