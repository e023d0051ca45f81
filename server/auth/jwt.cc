#include "server/auth/jwt.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "store/base/openssl.h"
#include "store/base/text.h"
#include "store/object/access.h"

namespace auth {
namespace {

using base::BioPtr;
using base::BnPtr;
using base::KeyPtr;
using base::ssl_error;
using DigestPtr = std::unique_ptr<EVP_MD_CTX, base::FreeWith<EVP_MD_CTX_free>>;
using SigPtr = std::unique_ptr<ECDSA_SIG, base::FreeWith<ECDSA_SIG_free>>;

constexpr size_t kHalf = 32;  // Bytes of r, of s and of a coordinate.
constexpr size_t kMaxToken = 64 * 1024;


std::optional<std::string> decode_url(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (c == '+' || c == '/' || c == '=' || c == '\n' || c == '\r') return std::nullopt;
    if (c == '-') c = '+';
    else if (c == '_') c = '/';
  }
  return base::decode_base64(plain);
}

json parse(std::string_view text) {
  auto bytes = decode_url(text);
  json out = bytes ? json::parse(*bytes, nullptr, false) : json();
  return out.is_object() ? out : json();
}

std::string number(EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  if (EVP_PKEY_get_bn_param(key, name, &raw) != 1) return "";
  BnPtr value(raw);
  const bool coordinate = name[0] == 'q';
  std::string out(coordinate ? kHalf : static_cast<size_t>(BN_num_bytes(value.get())), '\0');
  if (BN_bn2binpad(value.get(), reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) < 0) return "";
  return out;
}

// JOSE has r and s side by side, OpenSSL in DER.
base::Result<std::string> to_jose(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  SigPtr signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  if (!signature) return ssl_error("read a signature");
  std::string out(2 * kHalf, '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  if (BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), to, kHalf) < 0 || BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), to + kHalf, kHalf) < 0) return ssl_error("write a signature");
  return out;
}

std::string to_der(const std::string& jose) {
  SigPtr signature(ECDSA_SIG_new());
  const auto* from = reinterpret_cast<const unsigned char*>(jose.data());
  if (!signature || ECDSA_SIG_set0(signature.get(), BN_bin2bn(from, kHalf, nullptr), BN_bin2bn(from + kHalf, kHalf, nullptr)) != 1) return "";
  unsigned char* bytes = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &bytes);
  std::string out(reinterpret_cast<char*>(bytes), size > 0 ? static_cast<size_t>(size) : 0);
  OPENSSL_free(bytes);
  return out;
}

}  // namespace

base::Error refused(const char* why) { return base::Error(base::Code::kUnauthorized, why); }

struct TokenKey::Impl {
  KeyPtr key;
  bool elliptic = false;
};

std::string base64url(std::string_view bytes) {
  std::string out = base::encode_base64(bytes);
  while (!out.empty() && out.back() == '=') out.pop_back();
  for (char& c : out) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return out;
}

base::Result<std::string> make_token_key() {
  KeyPtr key(EVP_EC_gen("P-256"));
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (!key || !bio || !PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr)) return ssl_error("generate a key for tokens");
  return base::bio_text(bio.get());
}

base::Result<TokenKey> TokenKey::from_pem(const std::string& pem) {
  BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  auto impl = std::make_shared<Impl>();
  impl->key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (!impl->key) return ssl_error("read the key for tokens");
  impl->elliptic = EVP_PKEY_is_a(impl->key.get(), "EC") == 1;
  if (!impl->elliptic && EVP_PKEY_is_a(impl->key.get(), "RSA") != 1) return base::Error(base::Code::kInvalid, "the key for tokens is neither EC P-256 nor RSA");
  if (impl->elliptic && EVP_PKEY_get_bits(impl->key.get()) != 256) return base::Error(base::Code::kInvalid, "the key for tokens is not of the curve P-256");
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(impl->key.get(), &der);
  if (size <= 0) return ssl_error("read the public key for tokens");
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(der, static_cast<size_t>(size), digest);
  OPENSSL_free(der);
  TokenKey out;
  out.id_ = base64url(std::string_view(reinterpret_cast<char*>(digest), sizeof digest));
  out.impl_ = std::move(impl);
  return out;
}

const char* TokenKey::algorithm() const { return impl_->elliptic ? "ES256" : "RS256"; }

base::Result<std::string> TokenKey::sign(const json& claims) const {
  const json head = {{"alg", algorithm()}, {"kid", id_}};
  std::string text = base64url(head.dump()) + "." + base64url(claims.dump());
  DigestPtr context(EVP_MD_CTX_new());
  size_t size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
  if (!context || EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), nullptr, &size, bytes, text.size()) != 1) {
    return ssl_error("sign a token");
  }
  std::string signature(size, '\0');
  if (EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size()) != 1) return ssl_error("sign a token");
  signature.resize(size);
  if (impl_->elliptic) signature = TRY(to_jose(signature));
  return text + "." + base64url(signature);
}

base::Result<json> TokenKey::verify(std::string_view token) const {
  const size_t first = token.find('.'), last = token.rfind('.');
  if (token.size() > kMaxToken || first == std::string_view::npos || last == first || token.find('.', first + 1) != last) return refused("not a JSON web token");
  const json head = parse(token.substr(0, first));
  // The algorithm is the key's: what the token says may only agree.
  if (store::get_string(head, "alg") != algorithm()) return refused("another algorithm");
  if (const std::string kid = store::get_string(head, "kid"); !kid.empty() && kid != id_) return refused("another key");
  auto signature = decode_url(token.substr(last + 1));
  if (!signature || (impl_->elliptic && signature->size() != 2 * kHalf)) return refused("a malformed signature");
  if (impl_->elliptic) *signature = to_der(*signature);
  DigestPtr context(EVP_MD_CTX_new());
  const std::string_view text = token.substr(0, last);
  const bool good = context && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, impl_->key.get()) == 1 &&
                    EVP_DigestVerify(context.get(), reinterpret_cast<const unsigned char*>(signature->data()), signature->size(),
                                     reinterpret_cast<const unsigned char*>(text.data()), text.size()) == 1;
  ERR_clear_error();
  if (!good) return refused("a wrong signature");
  json claims = parse(token.substr(first + 1, last - first - 1));
  if (!claims.is_object()) return refused("malformed claims");
  return claims;
}

json TokenKey::jwks() const {
  json key = {{"use", "sig"}, {"kid", id_}, {"alg", algorithm()}};
  EVP_PKEY* raw = impl_->key.get();
  if (impl_->elliptic) {
    key["kty"] = "EC";
    key["crv"] = "P-256";
    key["x"] = base64url(number(raw, OSSL_PKEY_PARAM_EC_PUB_X));
    key["y"] = base64url(number(raw, OSSL_PKEY_PARAM_EC_PUB_Y));
  } else {
    key["kty"] = "RSA";
    key["n"] = base64url(number(raw, OSSL_PKEY_PARAM_RSA_N));
    key["e"] = base64url(number(raw, OSSL_PKEY_PARAM_RSA_E));
  }
  return {{"keys", json::array({key})}};
}

}  // namespace auth
