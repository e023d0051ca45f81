#include "server/gateway/tls/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <string.h>

namespace server::gateway {
namespace {

bool set_mac(EVP_MAC_CTX* mac, const TicketKey& key) {
  char digest[] = "SHA256";
  std::array<uint8_t, 32> secret = key.mac;
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, secret.data(), secret.size()),
                               OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, params) == 1;
}

// As SSL_CTX_set_tlsext_ticket_key_evp_cb() wants it: -1 error, 0 no such key (a full handshake follows), 1 good, 2 good and to be
// renewed.
int apply_key(SSL* session, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) {
  static TicketKeys* const keys = new TicketKeys;  // Never destroyed: threads may outlive main().
  static const EVP_CIPHER* const kind = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
  const base::MonoTime now = base::SystemClock().mono();
  if (sealing != 0) {
    std::optional<TicketKey> key = keys->newest(now);
    if (!key || RAND_bytes(iv, EVP_CIPHER_get_iv_length(kind)) != 1) return -1;
    memcpy(name, key->name.data(), key->name.size());
    return EVP_EncryptInit_ex(cipher, kind, nullptr, key->cipher.data(), iv) == 1 && set_mac(mac, *key) ? 1 : -1;
  }
  std::optional<TicketKey> key = keys->find(name, now);
  if (!key) return 0;
  if (!set_mac(mac, *key) || EVP_DecryptInit_ex(cipher, kind, nullptr, key->cipher.data(), iv) != 1) return -1;
  // TLS 1.3: clients use a ticket once, so that nobody can tell that two connections are one client's (RFC 8446 C.4).
  return SSL_version(session) < TLS1_3_VERSION && now - key->made < TicketKeys::kRenewed ? 1 : 2;
}

}  // namespace

void TicketKeys::drop_old(base::MonoTime now) {
  while (!keys_.empty() && now - keys_.back().made >= kRenewed * kKept) keys_.pop_back();
}

std::optional<TicketKey> TicketKeys::newest(base::MonoTime now) {
  std::lock_guard lock(mutex_);
  if (keys_.empty() || now - keys_.front().made >= kRenewed) {
    TicketKey key;
    key.made = now;
    if (RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) != 1 || RAND_priv_bytes(key.cipher.data(), static_cast<int>(key.cipher.size())) != 1 ||
        RAND_priv_bytes(key.mac.data(), static_cast<int>(key.mac.size())) != 1) {
      return std::nullopt;
    }
    keys_.push_front(key);
  }
  drop_old(now);
  return keys_.front();
}

std::optional<TicketKey> TicketKeys::find(const uint8_t* name, base::MonoTime now) {
  std::lock_guard lock(mutex_);
  drop_old(now);
  for (const TicketKey& key : keys_) {
    if (memcmp(key.name.data(), name, key.name.size()) == 0) return key;
  }
  return std::nullopt;
}

void TicketKeys::use(SSL_CTX* context) {
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, apply_key);
  // No ticket lives longer than the key that opens it.
  SSL_CTX_set_timeout(context, std::chrono::seconds(kRenewed * (kKept - 1)).count());
}

}  // namespace server::gateway
