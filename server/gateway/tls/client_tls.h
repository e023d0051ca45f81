// server/gateway/tls/client_tls.h - TLS towards upstreams. Contexts are made once per distinct UpstreamTls and kept, so that
// connections cost no parsing of certificates; sessions are resumed per context and host.
//
// Thread rule: any thread.
#pragma once

#include <openssl/types.h>

#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "server/gateway/table/table.h"

namespace server::gateway {

class ClientTls {
 public:
  ClientTls();
  ~ClientTls();
  ClientTls(const ClientTls&) = delete;
  ClientTls& operator=(const ClientTls&) = delete;

  // A client's side, not begun yet; the caller's, for SSL_free, and independent of this object. ALPN offers h2, else http/1.1.
  // `host`: by which sessions are resumed (an endpoint or a Service), and the name where `tls` has none; it may be an address.
  // When `tls` cannot be used (a CA that is no PEM, say), the session's handshake fails before it has said hello: what was
  // to be encrypted never goes out plain. nullptr: no memory.
  SSL* new_session(const UpstreamTls& tls, const std::string& host, bool http2);

  // Why the handshake failed on our side: the upstream's certificate was refused, or UpstreamTls cannot be used. Empty: neither.
  static std::string verify_error(SSL* session);

 private:
  struct Entry;
  std::mutex mutex_;
  std::list<Entry> entries_;  // Latest used first.
};

}  // namespace server::gateway
