// server/http/framer.h - one request's body in, one response out, on a TLS connection: cpp-httplib does the
// HTTP/1.1 framing (lengths, chunks, limits, heads). The only user of httplib.h is framer.cc.
#pragma once

#include <memory>
#include <optional>

#include "server/http/http_head.h"
#include "server/http/tls_connection.h"

namespace server {

inline constexpr std::chrono::seconds kWriteLimit{120};  // No progress: the client's machine is gone.
inline constexpr std::chrono::seconds kIdleLimit{120};   // Keep-alive; client-go keeps idle connections for 90 s.

// One request and, once known, its response.
struct Exchange {
  HttpRequest request;                   // Its body is filled in by Framer.
  std::optional<HttpResponse> response;  // Set before serve(): the handler has answered already.
};

// A Status body as kubectl expects it, for errors found before a handler runs.
HttpResponse status_response(int code, const char* reason, const std::string& message);
// The handler's answer; an exception becomes a 500.
HttpResponse call_handler(const HttpHandler& handler, const HttpRequest& request);

struct BodyLimits {
  size_t max_body = 0, max_bodies = 0;  // As in HttpServerOptions.
  std::chrono::milliseconds time{0};
};

// serve() may run on many threads at once; all they share is what their bodies take.
class Framer {
 public:
  Framer(HttpHandler handler, const BodyLimits& limits);
  ~Framer();
  // Reads the body, calls the handler and writes the response. Returns whether the connection can be used for
  // another request; bytes read beyond this one are put into *rest.
  bool serve(TlsConnection& connection, const RequestHead& head, Exchange& exchange, std::string* rest);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace server
