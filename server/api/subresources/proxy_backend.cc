#include "server/api/subresources/proxy_backend.h"

#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>

#include "store/base/text.h"

namespace server {
namespace {

constexpr size_t kMaxHead = 64 * 1024;
constexpr std::chrono::seconds kHeadWait{60};

base::Error broken(const std::string& what) { return base::Error(base::Code::kUnavailable, what); }

std::string trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t\r");
  return first == std::string_view::npos || last < first ? "" : std::string(text.substr(first, last - first + 1));
}

SSL_CTX* client_context() {
  static SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  return context;
}

}  // namespace

std::string BackendHead::header(std::string_view lower_name) const {
  for (const auto& [name, value] : headers) {
    if (base::lower(name) == lower_name) return value;
  }
  return "";
}

base::Result<BackendHead> parse_backend_head(std::string_view text) {
  BackendHead out;
  const size_t first = std::min(text.find('\n'), text.size());
  const std::string_view start = text.substr(0, first);
  if (!start.starts_with("HTTP/1.") || start.size() < 12) return broken("malformed HTTP response");
  auto [end, error] = std::from_chars(start.data() + 9, start.data() + 12, out.status);
  if (error != std::errc() || end != start.data() + 12 || out.status < 100) return broken("malformed HTTP response");
  for (size_t at = first + 1; at < text.size();) {
    const size_t next = std::min(text.find('\n', at), text.size());
    const std::string_view line = text.substr(at, next - at);
    at = next + 1;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    out.headers.emplace_back(trim(line.substr(0, colon)), trim(line.substr(colon + 1)));
    const auto& [name, value] = out.headers.back();
    const std::string lower = base::lower(name);
    if (lower == "transfer-encoding" && base::lower(value).find("chunked") != std::string::npos) out.chunked = true;
    if (lower != "content-length") continue;
    uint64_t length = 0;
    auto [stop, bad] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (bad != std::errc() || stop != value.data() + value.size()) return broken("malformed HTTP response: bad Content-Length");
    out.length = length;
  }
  return out;
}

base::Result<std::unique_ptr<ProxyBackend>> ProxyBackend::open(base::Fd socket, bool tls) {
  std::unique_ptr<ProxyBackend> out(new ProxyBackend(std::move(socket)));
  if (!tls) return out;
  out->ssl_ = SSL_new(client_context());
  SSL_set_fd(out->ssl_, out->socket_.get());
  if (SSL_connect(out->ssl_) != 1) return broken("tls: handshake failure");
  return out;
}

ProxyBackend::~ProxyBackend() {
  if (ssl_ != nullptr) SSL_free(ssl_);
}

base::Status ProxyBackend::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), 1 << 20)))
                                      : ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && ssl_ == nullptr && errno == EINTR) continue;
    if (n <= 0) return broken("the connection was closed");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

// More bytes into the buffer; at the end closed_ is set.
base::Status ProxyBackend::fill(std::chrono::milliseconds wait) {
  if (ssl_ == nullptr || SSL_pending(ssl_) == 0) {
    pollfd p{socket_.get(), POLLIN, 0};
    const int ready = ::poll(&p, 1, static_cast<int>(wait.count()));
    if (ready == 0 || (ready < 0 && errno == EINTR)) return base::Error(base::Code::kTimeout, "timeout awaiting response");
  }
  char bytes[16 * 1024];
  const ssize_t n = ssl_ != nullptr ? SSL_read(ssl_, bytes, sizeof bytes) : ::recv(socket_.get(), bytes, sizeof bytes, 0);
  if (n < 0 && ssl_ == nullptr && errno == EINTR) return {};
  if (n <= 0) closed_ = true;
  else buffer_.append(bytes, static_cast<size_t>(n));
  return {};
}

base::Result<BackendHead> ProxyBackend::read_head(bool bodiless) {
  for (;;) {
    const size_t end = buffer_.find("\r\n\r\n");
    if (end == std::string::npos) {
      if (closed_) return broken("EOF");
      if (buffer_.size() > kMaxHead) return broken("malformed HTTP response: the head is too long");
      TRY_STATUS(fill(kHeadWait));
      continue;
    }
    BackendHead head = TRY(parse_backend_head(std::string_view(buffer_).substr(0, end + 4)));
    buffer_.erase(0, end + 4);
    if (head.status < 200 && head.status != 101) continue;
    chunked_ = head.chunked;
    end_ = bodiless || head.status == 204 || head.status == 304;
    if (!chunked_) left_ = head.length;
    if (left_ && *left_ == 0) end_ = true;
    return head;
  }
}

base::Result<std::string> ProxyBackend::read_line(std::chrono::milliseconds wait) {
  for (;;) {
    if (size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = trim(std::string_view(buffer_).substr(0, end));
      buffer_.erase(0, end + 1);
      return line;
    }
    if (closed_ || buffer_.size() > kMaxHead) return broken("unexpected EOF");
    TRY_STATUS(fill(wait));
  }
}

base::Result<std::string> ProxyBackend::read_body(std::chrono::milliseconds wait) {
  if (end_) return std::string();
  if (chunked_ && (!left_ || *left_ == 0)) {
    if (left_) TRY(read_line(wait));  // Behind a chunk.
    left_.reset();
    const std::string line = TRY(read_line(wait));
    uint64_t size = 0;
    if (std::from_chars(line.data(), line.data() + line.size(), size, 16).ec != std::errc()) return broken("malformed chunked encoding");
    if (size == 0) {
      end_ = true;
      return std::string();
    }
    left_ = size;
  }
  while (buffer_.empty()) {
    if (closed_) {
      end_ = true;
      if (left_ && *left_ > 0) return broken("unexpected EOF");
      return std::string();
    }
    TRY_STATUS(fill(wait));
  }
  const size_t n = left_ ? static_cast<size_t>(std::min<uint64_t>(*left_, buffer_.size())) : buffer_.size();
  std::string out = buffer_.substr(0, n);
  buffer_.erase(0, n);
  if (left_) *left_ -= n;
  if (left_ && *left_ == 0 && !chunked_) end_ = true;
  return out;
}

base::Result<std::string> ProxyBackend::read_raw(std::chrono::milliseconds wait) {
  if (buffer_.empty() && !closed_) TRY_STATUS(fill(wait));
  return std::exchange(buffer_, {});
}

}  // namespace server
