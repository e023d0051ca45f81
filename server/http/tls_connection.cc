#include "server/http/tls_connection.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace server {
namespace {

base::Error gone() { return base::Error(base::Code::kUnavailable, "the connection was closed"); }

std::string asn1_text(const ASN1_STRING* value) {
  unsigned char* utf8 = nullptr;
  int size = ASN1_STRING_to_UTF8(&utf8, value);
  if (size < 0) return "";
  std::string out(reinterpret_cast<char*>(utf8), static_cast<size_t>(size));
  OPENSSL_free(utf8);
  return out;
}

// SHA-256 of the whole certificate, in hexadecimal.
std::string digest_of(const X509* cert) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  std::string out;
  if (X509_digest(cert, EVP_sha256(), digest, &size) != 1) return out;
  for (unsigned int i = 0; i < size; ++i) {
    out += "0123456789abcdef"[digest[i] >> 4];
    out += "0123456789abcdef"[digest[i] & 15];
  }
  return out;
}

}  // namespace

TlsConnection::TlsConnection(base::Fd socket, SSL_CTX* context) : socket_(std::move(socket)), ssl_(SSL_new(context)) {
  if (ssl_) SSL_set_fd(ssl_.get(), socket_.get());
}

TlsConnection::~TlsConnection() = default;

base::Status TlsConnection::wait(short events, std::chrono::milliseconds limit) const {
  auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    int timeout = -1;
    if (limit != kForever) {
      auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
      timeout = std::max<int>(0, static_cast<int>(left.count()));
    }
    pollfd p{socket_.get(), events, 0};
    int n = ::poll(&p, 1, timeout);
    if (n > 0) return broken_ ? base::Status(gone()) : base::Status();
    if (n == 0) return base::Error(base::Code::kTimeout, "the peer was silent for too long");
    if (errno != EINTR) return base::os_error("poll");
  }
}

base::Status TlsConnection::wait_for_error(int ssl_error, std::chrono::milliseconds limit) const {
  if (ssl_error == SSL_ERROR_WANT_READ) return wait(POLLIN, limit);
  if (ssl_error == SSL_ERROR_WANT_WRITE) return wait(POLLOUT, limit);
  return gone();
}

base::Status TlsConnection::handshake(std::chrono::milliseconds limit) {
  if (!ssl_) return base::Error(base::Code::kInternal, "no memory for a TLS session");
  auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    ERR_clear_error();
    int n = SSL_accept(ssl_.get());
    if (n == 1) break;
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return base::Error(base::Code::kTimeout, "TLS handshake took too long");
    TRY_STATUS(wait_for_error(SSL_get_error(ssl_.get(), n), left));
  }
  read_identity();
  return {};
}

// The certificate's chain is checked during the handshake without failing it (as upstream: a bad certificate
// means a 401 that kubectl can explain, where a TLS alert says nothing).
void TlsConnection::read_identity() {
  X509* cert = SSL_get0_peer_certificate(ssl_.get());
  if (!cert) return;
  certificate_refused_ = SSL_get_verify_result(ssl_.get()) != X509_V_OK;
  if (certificate_refused_) return;
  credential_ = "X509SHA256=" + digest_of(cert);
  X509_NAME* subject = X509_get_subject_name(cert);
  for (int i = 0; i < X509_NAME_entry_count(subject); ++i) {
    X509_NAME_ENTRY* entry = X509_NAME_get_entry(subject, i);
    int nid = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    if (nid == NID_commonName) user_ = asn1_text(X509_NAME_ENTRY_get_data(entry));
    if (nid == NID_organizationName) groups_.push_back(asn1_text(X509_NAME_ENTRY_get_data(entry)));
  }
}

base::Result<size_t> TlsConnection::read_some(void* buffer, size_t size, std::chrono::milliseconds limit) {
  if (!pushed_back_.empty()) {
    size_t n = std::min(size, pushed_back_.size());
    memcpy(buffer, pushed_back_.data(), n);
    pushed_back_.erase(0, n);
    return n;
  }
  for (;;) {
    if (broken_) return size_t{0};
    int n, error;
    {
      std::lock_guard lock(ssl_mutex_);
      ERR_clear_error();
      n = SSL_read(ssl_.get(), buffer, static_cast<int>(std::min<size_t>(size, 1 << 30)));
      if (n > 0) return static_cast<size_t>(n);
      error = SSL_get_error(ssl_.get(), n);
    }
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      broken_ = true;
      return size_t{0};
    }
    base::Status waited = wait_for_error(error, limit);
    if (!waited.ok()) {
      if (waited.error().code == base::Code::kUnavailable) return size_t{0};
      return std::move(waited).error();
    }
  }
}

base::Status TlsConnection::write_all(std::string_view bytes, std::chrono::milliseconds limit) {
  std::lock_guard one_message(write_mutex_);
  while (!bytes.empty()) {
    if (broken_) return gone();
    int n, error = 0;
    {
      std::lock_guard lock(ssl_mutex_);
      ERR_clear_error();
      n = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), 1 << 20)));
      if (n <= 0) error = SSL_get_error(ssl_.get(), n);
    }
    if (n > 0) {
      bytes.remove_prefix(static_cast<size_t>(n));
      continue;
    }
    base::Status waited = wait_for_error(error, limit);
    if (!waited.ok()) {
      broken_ = true;
      return waited;
    }
  }
  return {};
}

bool TlsConnection::alive() {
  if (broken_) return false;
  if (!pushed_back_.empty()) return true;
  std::lock_guard lock(ssl_mutex_);
  ERR_clear_error();
  char byte;
  int n = SSL_peek(ssl_.get(), &byte, 1);
  if (n > 0) return true;
  int error = SSL_get_error(ssl_.get(), n);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return true;
  broken_ = true;
  return false;
}

void TlsConnection::close() {
  broken_ = true;
  ::shutdown(socket_.get(), SHUT_RDWR);
}

void TlsConnection::shut_down() {
  if (broken_) return;
  std::lock_guard lock(ssl_mutex_);
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

}  // namespace server
