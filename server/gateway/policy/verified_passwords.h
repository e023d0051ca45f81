// server/gateway/policy/verified_passwords.h - which passwords fit which hashes, as far as it was found out: bcrypt costs 50 ms, and a
// browser sends the password with every request.
//
// Keeps digests under a key of the process, not passwords. Any thread; bounded.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace server::gateway {

class VerifiedPasswords {
 public:
  static VerifiedPasswords& instance();  // One a process.

  // What is known, else what `find_out` says; only a fit is remembered. `find_out` runs without a lock.
  bool check(std::string_view hash, std::string_view password, const std::function<bool()>& find_out);
  size_t size() const;

 private:
  using Key = std::array<uint64_t, 2>;
  struct KeyHash {
    size_t operator()(const Key& key) const { return static_cast<size_t>(key[0]); }
  };
  VerifiedPasswords();
  Key key_of(std::string_view hash, std::string_view password) const;

  std::array<unsigned char, 32> secret_;
  mutable std::mutex mutex_;
  std::list<Key> used_;  // Last at the front.
  std::unordered_map<Key, std::list<Key>::iterator, KeyHash> known_;
};

}  // namespace server::gateway
