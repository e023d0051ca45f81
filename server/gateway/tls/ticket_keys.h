// server/gateway/tls/ticket_keys.h - the keys that session tickets are sealed with (RFC 5077). They change every hour, and open what
// was sealed during the two hours before. Thread-safe.
#pragma once

#include <openssl/ssl.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>

#include "store/base/clock.h"

namespace server::gateway {

struct TicketKey {
  std::array<uint8_t, 16> name;
  std::array<uint8_t, 32> cipher;
  std::array<uint8_t, 32> mac;
  base::MonoTime made;
};

class TicketKeys {
 public:
  static constexpr std::chrono::hours kRenewed{1};
  static constexpr size_t kKept = 3;

  // Nothing when there is no randomness.
  std::optional<TicketKey> newest(base::MonoTime now);
  // The key of that name, unless it is too old.
  std::optional<TicketKey> find(const uint8_t* name, base::MonoTime now);

  // Sessions of the context use the process's keys from now on.
  static void use(SSL_CTX* context);

 private:
  void drop_old(base::MonoTime now);

  std::mutex mutex_;
  std::deque<TicketKey> keys_;  // Newest first.
};

}  // namespace server::gateway
