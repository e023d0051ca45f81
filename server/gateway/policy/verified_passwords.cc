#include "server/gateway/policy/verified_passwords.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstring>

namespace server::gateway {
namespace {

constexpr size_t kMaxKnown = 1024;

}  // namespace

VerifiedPasswords& VerifiedPasswords::instance() {
  static VerifiedPasswords one;
  return one;
}

VerifiedPasswords::VerifiedPasswords() { RAND_bytes(secret_.data(), static_cast<int>(secret_.size())); }

VerifiedPasswords::Key VerifiedPasswords::key_of(std::string_view hash, std::string_view password) const {
  std::string text(hash);
  text.append(1, '\0').append(password);  // No hash contains NUL.
  unsigned char out[EVP_MAX_MD_SIZE] = {};
  unsigned int size = 0;
  HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()), reinterpret_cast<const unsigned char*>(text.data()), text.size(), out, &size);
  Key key;
  std::memcpy(key.data(), out, sizeof key);
  return key;
}

bool VerifiedPasswords::check(std::string_view hash, std::string_view password, const std::function<bool()>& find_out) {
  Key key = key_of(hash, password);
  {
    std::lock_guard lock(mutex_);
    if (auto it = known_.find(key); it != known_.end()) {
      used_.splice(used_.begin(), used_, it->second);
      return true;
    }
  }
  if (!find_out()) return false;
  std::lock_guard lock(mutex_);
  if (known_.find(key) != known_.end()) return true;
  if (used_.size() >= kMaxKnown) {
    known_.erase(used_.back());
    used_.pop_back();
  }
  used_.push_front(key);
  known_.emplace(key, used_.begin());
  return true;
}

size_t VerifiedPasswords::size() const {
  std::lock_guard lock(mutex_);
  return used_.size();
}

}  // namespace server::gateway
