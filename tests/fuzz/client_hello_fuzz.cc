// Bytes of strangers on a port for TLS: whatever comes, what is peeked is consistent, and more bytes never take a name back.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/gateway/tls/client_hello.h"

using server::gateway::PeekedHello;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  PeekedHello whole = server::gateway::peek_client_hello(bytes);
  if ((whole.kind == PeekedHello::Kind::kFound) == whole.server_name.empty()) std::abort();
  if (whole.server_name.size() > 255) std::abort();
  // What was decided on fewer bytes stays decided.
  PeekedHello half = server::gateway::peek_client_hello(bytes.substr(0, size / 2));
  if (half.kind != PeekedHello::Kind::kNeedMore && size / 2 < server::gateway::kMaxPeekedHello && (half.kind != whole.kind || half.server_name != whole.server_name)) std::abort();
  auto name = server::gateway::parse_server_name(bytes);
  if (name && name->size() > 255) std::abort();
  return 0;
}
