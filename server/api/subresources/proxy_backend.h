// server/api/subresources/proxy_backend.h - one HTTP/1.1 exchange with an endpoint, over a socket that is connected already,
// plain or with TLS (whose certificate nobody checks, as upstream's proxy does not). One thread; blocks.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/base/fd.h"
#include "store/base/result.h"

struct ssl_st;

namespace server {

struct BackendHead {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::optional<uint64_t> length;
  bool chunked = false;

  std::string header(std::string_view lower_name) const;  // First value or "".
};
// `text` ends with the empty line.
base::Result<BackendHead> parse_backend_head(std::string_view text);

class ProxyBackend {
 public:
  static base::Result<std::unique_ptr<ProxyBackend>> open(base::Fd socket, bool tls);
  ~ProxyBackend();

  base::Status write(std::string_view bytes);
  // Informational answers (1xx) but 101 are passed over. `bodiless`: it answers a HEAD.
  base::Result<BackendHead> read_head(bool bodiless);
  // The next bytes of the body, framing taken off; "" at its end. kTimeout: nothing came within `wait`.
  base::Result<std::string> read_body(std::chrono::milliseconds wait);
  bool at_end() const { return end_; }
  // For a connection that was upgraded: bytes as they are; "" when the other side closed.
  base::Result<std::string> read_raw(std::chrono::milliseconds wait);

 private:
  ProxyBackend(base::Fd socket) : socket_(std::move(socket)) {}
  base::Status fill(std::chrono::milliseconds wait);
  base::Result<std::string> read_line(std::chrono::milliseconds wait);

  base::Fd socket_;
  ssl_st* ssl_ = nullptr;
  std::string buffer_;
  bool closed_ = false;  // The other side has said all.
  bool chunked_ = false, end_ = false;
  std::optional<uint64_t> left_;  // Of the body or the chunk.
};

}  // namespace server
