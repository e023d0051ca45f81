#include "server/gateway/tls/session_info.h"

#include <openssl/ssl.h>

#include <string_view>

namespace server::gateway {
namespace {

// As ALPN's wire format has them.
constexpr std::string_view kHttp2AndHttp1 = "\2h2\x8http/1.1";
constexpr std::string_view kHttp1 = kHttp2AndHttp1.substr(3);

}  // namespace

int select_protocol(SSL* session, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned int offered_size, void*) {
  const SessionInfo* info = session_info(session);
  if (info == nullptr || info->alpn == ServerTls::Alpn::kNone) return SSL_TLSEXT_ERR_NOACK;
  std::string_view ours = info->alpn == ServerTls::Alpn::kHttp2 ? kHttp2AndHttp1 : kHttp1;
  unsigned char* chosen = nullptr;
  int result = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()), static_cast<unsigned int>(ours.size()), offered, offered_size);
  *out = chosen;
  // RFC 7301: who speaks none of them is told so, instead of being answered in a protocol that was not meant (ALPACA).
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace server::gateway
