// server/images/app_tls.h - TLS for the built-in programs. Handshakes and reads block; one thread a connection.
#pragma once

#include <memory>
#include <string>

#include "store/base/result.h"

struct ssl_ctx_st;
struct ssl_st;

namespace server::images {

class AppTls {
 public:
  // PEM files, as the program's flags name them.
  static base::Result<std::shared_ptr<AppTls>> load(const std::string& cert_file, const std::string& key_file);
  // A certificate of its own, made now: for localhost, 127.0.0.1, ::1 and example.com, signed by itself.
  static base::Result<std::shared_ptr<AppTls>> make_own();
  ~AppTls();
  AppTls(const AppTls&) = delete;
  AppTls& operator=(const AppTls&) = delete;

  // nullptr: the handshake failed. The result is the caller's, for close_session().
  ssl_st* accept(int fd) const;

 private:
  explicit AppTls(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

// As read(2) and write(2).
long read_session(ssl_st* session, void* buffer, size_t size);
bool write_session(ssl_st* session, const void* data, size_t size);
void close_session(ssl_st* session);

}  // namespace server::images
