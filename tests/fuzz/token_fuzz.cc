// libFuzzer: any bytes as a bearer token, as claims of a good one, and as a certificate request. Nothing that this key did
// not sign is ever good.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "server/auth/csr.h"
#include "server/auth/jwt.h"
#include "server/auth/tokens.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auth::TokenKey key = *auth::TokenKey::from_pem(*auth::make_token_key());
  const std::string text(reinterpret_cast<const char*>(data), size);
  if (key.verify(text).ok()) abort();
  if (const size_t dot = text.find('.'); dot != std::string::npos) {
    const std::string claims = auth::base64url(text.substr(0, dot));
    const std::string head = auth::base64url(nlohmann::json{{"alg", key.algorithm()}, {"kid", key.id()}}.dump());
    if (key.verify(head + "." + claims + "." + auth::base64url(text.substr(dot + 1))).ok()) abort();
  }
  nlohmann::json claims = nlohmann::json::parse(text, nullptr, false);
  if (!claims.is_discarded()) (void)auth::check_claims(claims, "issuer", {"issuer"}, base::WallTime{});
  auto request = auth::parse_request(text);
  if (request.ok()) (void)auth::signer_problem("kubernetes.io/kubelet-serving", *request, {"server auth"});
  return 0;
}
