// server/http/server.h - the TLS listener and connection threads over cpp-httplib (its only user). Accepts on
// several listening sockets (host loopback and the cluster's fabric address), asks for a client certificate,
// parses requests, hands them to a Handler, and lets an upgraded connection be taken over.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/http/pki.h"
#include "store/base/fd.h"
#include "store/base/result.h"

namespace server {

struct HttpRequest {
  std::string method;
  std::string path;                                        // Decoded, without the query.
  std::vector<std::pair<std::string, std::string>> query;  // Decoded, in order, repeats kept.
  std::multimap<std::string, std::string> headers;         // Names lower-cased.
  std::string body;
  std::string user;                                        // Of the client certificate: CN; "" = anonymous.
  std::vector<std::string> groups;                         // O
  std::string credential;                                  // "X509SHA256=...": which certificate it was.
  bool certificate_refused = false;                        // One was sent, and our CA did not sign it or it is not valid now.

  std::string header(const std::string& lower_name) const;  // First value or "".
  std::optional<std::string> param(const std::string& name) const;
};

// A connection that was upgraded, decrypted. Blocking; read and write may be used from two threads.
class Connection {
 public:
  virtual ~Connection() = default;
  virtual base::Result<size_t> read(void* buffer, size_t size) = 0;  // 0: closed
  virtual base::Status write(std::string_view bytes) = 0;
  virtual void close() = 0;  // Wakes a blocked read.
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;                                     // Or shared bytes, not copied:
  std::shared_ptr<const std::string> shared_body;
  // Set: chunked streaming. Called on the connection's thread; write() is false when the client went away.
  std::function<void(const std::function<bool(std::string_view)>& write, const std::function<bool()>& alive)> stream;
  // Set: 101 with these headers, then the handler owns the connection until it returns.
  std::function<void(Connection&)> upgrade;
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;

struct HttpServerOptions {
  std::string client_ca_pem;
  KeyPair certificate;
  size_t max_body = 3 * 1024 * 1024;   // 413 beyond
  size_t max_bodies = 64 << 20;        // Of all requests that are read or answered, as far as they are large; 429 beyond
  std::chrono::milliseconds body_limit = std::chrono::minutes(1);  // For one whole body.
  size_t max_connections = 4096;       // Threads; beyond: refused with 503 + Retry-After
};

class HttpServer {
 public:
  static base::Result<std::unique_ptr<HttpServer>> start(std::vector<base::Fd> listeners, const HttpServerOptions& options, HttpHandler handler);
  virtual ~HttpServer() = default;  // Stops accepting, closes connections, joins.
};

}  // namespace server
