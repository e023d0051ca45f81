// server/gateway/message/message.h - requests and responses as the gateway passes them on, whatever the version of HTTP
// on either side. Hop-by-hop fields (Connection, Keep-Alive, Transfer-Encoding, Upgrade, TE but "trailers") are not among
// `headers`: the connection that reads them acts on them, the one that writes makes its own.
//
// Value types without thread affinity.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/gateway/message/headers.h"
#include "store/base/ip.h"

namespace server::gateway {

enum class Version : uint8_t { kHttp10, kHttp11, kHttp2 };
const char* version_text(Version version);  // "HTTP/1.0", "HTTP/1.1", "HTTP/2.0": nginx's $server_protocol.

// How the length of a body is known.
enum class BodyKind : uint8_t {
  kNone,     // There is none.
  kLength,   // `length` bytes.
  kStream,   // Until it says so: chunked, or an HTTP/2 stream's end.
  kUntilEnd, // A response of HTTP/1.0's kind: until the connection ends.
};

struct RequestHead {
  std::string method;     // As sent: methods mind case.
  std::string target;     // "/path?query" as sent; "*" for OPTIONS *. An absolute form is taken apart by who reads it.
  std::string authority;  // Host, or :authority, with the port if it was sent; lower case. Not among `headers`.
  Version version = Version::kHttp11;
  Headers headers;        // Without Host.
  BodyKind body = BodyKind::kNone;
  uint64_t length = 0;
  std::string upgrade;            // "websocket": the client asks to leave HTTP (HTTP/1.1 Upgrade). Empty: it does not.
  bool expects_continue = false;  // Expect: 100-continue, which is not among `headers` either.
  bool accepts_trailers = false;  // TE: trailers

  bool has_body() const { return body == BodyKind::kStream || (body == BodyKind::kLength && length > 0); }

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::string_view query() const {  // Without the '?'.
    size_t at = target.find('?');
    return at == std::string::npos ? std::string_view() : std::string_view(target).substr(at + 1);
  }
};

struct ResponseHead {
  int status = 200;
  std::string reason;     // Empty: the usual one for the status, where the version has any.
  Headers headers;
  BodyKind body = BodyKind::kNone;
  uint64_t length = 0;    // Of kLength. Also of an answer to HEAD, where it says what GET would have and nothing follows.
  bool upgrade = false;   // 101 (or 200 to CONNECT): from now on bytes, not messages.
  std::string upgrade_protocol;
};

// Who asks, and how they are connected. Lives as long as the connection.
struct ClientInfo {
  base::Ip address;          // As the network shows it, or as PROXY protocol said.
  uint16_t port = 0;
  uint16_t local_port = 80;  // Of the listener: 80, 443.
  uint16_t proxied_port = 0; // That the client called, by the word of PROXY protocol; 0: nobody said.
  bool tls = false;
  std::string server_name;   // SNI, lower case.
  std::string tls_version;   // "TLSv1.3"
  std::string tls_cipher;
  // Of a client certificate; `verified` as nginx's $ssl_client_verify: "NONE", "SUCCESS", "FAILED:reason".
  std::string verified = "NONE";
  std::string subject_dn, issuer_dn;  // RFC 2253
  std::string subject_cn;
  std::string certificate_pem;
};

// "Not Found"; "" for a status without one.
const char* reason_phrase(int status);

}  // namespace server::gateway
