#include "server/node_agent/probe_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <cctype>
#include <cerrno>
#include <cstring>

namespace server {
namespace {

// One for all probes; OpenSSL counts references atomically.
SSL_CTX* context() {
  static SSL_CTX* const ctx = [] {
    SSL_CTX* made = SSL_CTX_new(TLS_client_method());
    if (made != nullptr) SSL_CTX_set_verify(made, SSL_VERIFY_NONE, nullptr);
    return made;
  }();
  return ctx;
}

}  // namespace

struct ProbeStream::Tls {
  SSL* ssl = nullptr;
  ~Tls() { SSL_free(ssl); }
};

std::string error_text(int error) {
  std::string text = std::strerror(error);
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

ProbeStream::ProbeStream(base::Fd fd) : fd_(std::move(fd)) {}
ProbeStream::~ProbeStream() = default;

void ProbeStream::use_tls(const std::string& name) {
  tls_ = std::make_unique<Tls>();
  if (context() != nullptr) tls_->ssl = SSL_new(context());
  if (tls_->ssl == nullptr || SSL_set_fd(tls_->ssl, fd_.get()) != 1) return;
  if (!name.empty()) SSL_set_tlsext_host_name(tls_->ssl, name.c_str());
}

ProbeStream::Result ProbeStream::explain(int code) {
  int kind = SSL_get_error(tls_->ssl, code);
  if (kind == SSL_ERROR_WANT_READ) return Result::kWantRead;
  if (kind == SSL_ERROR_WANT_WRITE) return Result::kWantWrite;
  if (kind == SSL_ERROR_ZERO_RETURN) return Result::kEnd;
  unsigned long error = ERR_get_error();
  ERR_clear_error();
  if (kind == SSL_ERROR_SYSCALL && errno != 0) problem_ = "read: " + error_text(errno);
  else if (error == 0 || ERR_GET_REASON(error) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return Result::kEnd;
  // What a server without TLS sends is no TLS record.
  else if (ERR_GET_REASON(error) == SSL_R_WRONG_VERSION_NUMBER || ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST) problem_ = "http: server gave HTTP response to HTTPS client";
  else problem_ = std::string("remote error: tls: ") + (ERR_reason_error_string(error) == nullptr ? "handshake failure" : ERR_reason_error_string(error));
  return Result::kError;
}

ProbeStream::Result ProbeStream::handshake() {
  if (tls_ == nullptr) return Result::kOk;
  if (tls_->ssl == nullptr) {
    problem_ = "tls: out of memory";
    return Result::kError;
  }
  ERR_clear_error();
  errno = 0;
  int code = SSL_connect(tls_->ssl);
  return code == 1 ? Result::kOk : explain(code);
}

ProbeStream::Result ProbeStream::write(std::string_view& rest) {
  while (!rest.empty()) {
    if (tls_ != nullptr) {
      ERR_clear_error();
      errno = 0;
      int n = SSL_write(tls_->ssl, rest.data(), static_cast<int>(rest.size()));
      if (n <= 0) return explain(n);
      rest.remove_prefix(static_cast<size_t>(n));
      continue;
    }
    ssize_t n = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (n >= 0) {
      rest.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      return Result::kWantWrite;
    } else if (errno != EINTR) {
      problem_ = "write: " + error_text(errno);
      return Result::kError;
    }
  }
  return Result::kOk;
}

ProbeStream::Result ProbeStream::read(std::string& to) {
  char buffer[16384];
  if (tls_ != nullptr) {
    ERR_clear_error();
    errno = 0;
    int n = SSL_read(tls_->ssl, buffer, sizeof buffer);
    if (n <= 0) return explain(n);
    to.append(buffer, static_cast<size_t>(n));
    return Result::kOk;
  }
  ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
  if (n > 0) {
    to.append(buffer, static_cast<size_t>(n));
    return Result::kOk;
  }
  if (n == 0) return Result::kEnd;
  if (errno == EAGAIN || errno == EINTR) return Result::kWantRead;
  problem_ = "read: " + error_text(errno);
  return Result::kError;
}

}  // namespace server
