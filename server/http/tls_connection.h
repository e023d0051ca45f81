// server/http/tls_connection.h - one accepted socket with TLS on it: blocking reads and writes with deadlines
// over a non-blocking socket, so that one thread may read while another writes (an SSL object by itself allows
// only one user at a time; a lock is held for each OpenSSL call and never while waiting).
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "server/http/server.h"

namespace server {

class TlsConnection final : public Connection {
 public:
  // Takes the socket. `context` must outlive it.
  TlsConnection(base::Fd socket, SSL_CTX* context);
  ~TlsConnection() override;

  // kUnavailable when the peer is not speaking TLS or went away; must succeed before anything else.
  base::Status handshake(std::chrono::milliseconds limit);
  // Common name and organisations of a client certificate that our CA signed; empty otherwise.
  const std::string& user() const { return user_; }
  const std::vector<std::string>& groups() const { return groups_; }
  const std::string& credential() const { return credential_; }  // "X509SHA256=" and the certificate's digest.
  bool certificate_refused() const { return certificate_refused_; }  // The peer sent one that does not verify.

  // Connection: no time limit (an exec session may be silent for hours).
  base::Result<size_t> read(void* buffer, size_t size) override { return read_some(buffer, size, kForever); }
  base::Status write(std::string_view bytes) override { return write_all(bytes, kForever); }
  void close() override;

  static constexpr std::chrono::milliseconds kForever{-1};
  // 0: the peer closed. kTimeout when nothing came in time.
  base::Result<size_t> read_some(void* buffer, size_t size, std::chrono::milliseconds limit);
  // `limit` is for each piece of progress.
  base::Status write_all(std::string_view bytes, std::chrono::milliseconds limit);
  // False once the peer has closed or reset; does not consume anything, does not block.
  bool alive();
  // Bytes given back, to be read next.
  void unread(std::string_view bytes) { pushed_back_.insert(0, bytes); }
  // close_notify, without waiting for the peer's.
  void shut_down();
  int fd() const { return socket_.get(); }

 private:
  struct SslFree {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  base::Status wait(short events, std::chrono::milliseconds limit) const;
  base::Status wait_for_error(int ssl_error, std::chrono::milliseconds limit) const;
  void read_identity();

  base::Fd socket_;
  std::unique_ptr<SSL, SslFree> ssl_;
  std::mutex ssl_mutex_;    // Guards ssl_.
  std::mutex write_mutex_;  // One message at a time.
  std::atomic<bool> broken_{false};
  std::string pushed_back_;
  std::string user_;
  std::vector<std::string> groups_;
  std::string credential_;
  bool certificate_refused_ = false;
};

}  // namespace server
