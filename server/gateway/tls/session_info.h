// server/gateway/tls/session_info.h - what ServerTls keeps with each session. For this folder; the session's thread.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>

#include "server/gateway/tls/server_tls.h"

namespace server::gateway {

struct SessionInfo {
  std::shared_ptr<const ServerTls> owner;  // Until the name has been chosen by.
  ServerTls::Alpn alpn = ServerTls::Alpn::kHttp2;
  std::string server_name;
};

// nullptr for sessions that ServerTls did not make.
SessionInfo* session_info(const SSL* session);

// ALPN's callback: h2 before http/1.1, as far as the session offers them.
int select_protocol(SSL* session, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned int offered_size, void*);

}  // namespace server::gateway
