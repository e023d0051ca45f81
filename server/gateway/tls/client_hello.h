// server/gateway/tls/client_hello.h - what a client says before anything is encrypted, read without taking part: for
// passthrough, where the name decides and the bytes go on as they are.
//
// Pure functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace server::gateway {

struct PeekedHello {
  enum class Kind : uint8_t {
    kNeedMore,  // What there is so far is the beginning of a hello.
    kFound,     // A whole hello, with a name.
    kNoName,    // A whole hello without one.
    kNotTls,    // No hello, or malformed, or longer than kMaxPeekedHello.
  };
  Kind kind = Kind::kNeedMore;
  std::string server_name;         // kFound: SNI, lower case, without a dot at the end.
  std::vector<std::string> alpn;   // As sent: "h2", "http/1.1".
};

// What is not whole within this many bytes is not waited for.
inline constexpr size_t kMaxPeekedHello = 16 * 1024;

// `bytes`: all that came on the connection so far, from its beginning; more than the hello is fine. It may be split anywhere
// and lie in several TLS records.
PeekedHello peek_client_hello(std::string_view bytes);

// The body of a server_name extension (RFC 6066): the name as above; "" when the list has no host name. Nothing: malformed, or a
// name with bytes that no host name has.
std::optional<std::string> parse_server_name(std::string_view extension);

}  // namespace server::gateway
