// server/gateway/tls/server_tls.h - TLS of one listener: which certificate and which rules for clients' certificates a name
// gets. Immutable; made anew with each table, where all that did not change is taken over from the one before.
//
// Names are chosen by SNI: the exact name, then wildcards from the longest, then the host without a name. The certificate is
// that of the first of these that has one, else the listener's, else a fake one; the rules for clients' certificates and the
// ciphers are those of the first that exists.
//
// A client's certificate that does not verify does not fail the handshake: describe() notes it, judge_client() says what
// a request is answered with. Sessions are resumed by tickets, whose keys belong to the process: they outlive tables.
//
// Thread rule: any thread.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/gateway/message/message.h"
#include "server/gateway/table/table.h"
#include "server/gateway/tls/client_hello.h"

namespace server::gateway {

class TlsContext;  // tls_context.h
using TlsContextPtr = std::shared_ptr<const TlsContext>;

class ServerTls : public std::enable_shared_from_this<ServerTls> {
 public:
  // Of a listener with the protocol kHttps. `before` (may be nullptr): the one to take over from. What cannot be used (a
  // certificate whose key does not fit, say) is told in `problems` (may be nullptr), one sentence each, and the next in the order
  // above takes its place: there is always something to serve.
  static std::shared_ptr<const ServerTls> make(const Listener& listener, const ServerTls* before, std::vector<std::string>* problems);

  enum class Alpn : uint8_t { kHttp2, kHttp1, kNone };  // kHttp2: h2 and http/1.1. kNone: the extension is not answered.
  // A server's side, not begun yet; the caller's, for SSL_free. nullptr: no memory. It keeps what it needs of this object.
  SSL* new_session(Alpn alpn = Alpn::kHttp2) const;

  // After the handshake: all of ClientInfo that is TLS's.
  static void describe(SSL* session, ClientInfo* client);
  static bool chose_http2(SSL* session);

  // What a client that sends this name is given; REQUIRES lower case without a dot at the end, as parse_server_name() makes it.
  const TlsContext& choose(const std::string& server_name) const;

 private:
  struct Builder;
  struct HostNames {
    std::unordered_map<std::string, TlsContextPtr> exact;
    std::unordered_map<std::string, TlsContextPtr> one_label, many_labels;  // By what follows the "*.".
  };
  ServerTls() = default;

  HostNames hosts_;
  TlsContextPtr otherwise_;                                    // Never nullptr.
  std::unordered_multimap<size_t, TlsContextPtr> contexts_;    // All, by TlsContext::hash(): for the next table.
};

// What a request to a host with these rules is answered with, before anything else. The host of the request must be the one that
// SNI chose (else 421): a certificate was verified for that one only.
enum class ClientVerdict : uint8_t {
  kAccepted,
  kMissing,    // 400 (nginx's 496): no certificate, and one is required.
  kRefused,    // 400 (495): it did not verify.
  kForbidden,  // 403: the host's CA could not be read.
};
ClientVerdict judge_client(const ClientAuth& rules, const ClientInfo& client);

}  // namespace server::gateway
