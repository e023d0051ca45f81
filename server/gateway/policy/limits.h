// server/gateway/policy/limits.h - how much of a route one client may have: requests in a time, connections at once, bytes
// in a second. Counters are per Limits::key and client address.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "server/gateway/table/table.h"
#include "store/base/clock.h"
#include "store/base/ip.h"

namespace server::gateway {

// One of a client's connections at once, given back when it goes.
class ConnectionSlot {
 public:
  ConnectionSlot(ConnectionSlot&& other) noexcept { *this = std::move(other); }
  ConnectionSlot& operator=(ConnectionSlot&& other) noexcept;
  ~ConnectionSlot();

 private:
  friend class LimitStates;
  ConnectionSlot() = default;
  class LimitStates* states_ = nullptr;  // nullptr: nothing was counted.
  uint64_t key_ = 0;
};

// Shared by all loops; any thread (locks are short and by shard). Memory is bounded: when there are too many clients, those
// that have been quiet longest are forgotten. Outlives its slots.
class LimitStates {
 public:
  LimitStates();
  ~LimitStates();

  // nginx's limit_req with burst and nodelay: a bucket that leaks by the rate and holds rate x burst_multiplier more. False:
  // too many. Exempt addresses always may. A refused request does not count.
  bool take_request(const Limits& limits, const base::Ip& address, base::MonoTime now);
  // nginx's limit_conn. Nothing: too many.
  std::optional<ConnectionSlot> take_connection(const Limits& limits, const base::Ip& address);

  size_t clients() const;  // Remembered; for tests.

 private:
  friend class ConnectionSlot;
  struct Shard;
  bool take_from_bucket(uint64_t key, double per_second, double burst, base::MonoTime now);
  void give_back(uint64_t key);
  Shard& shard_of(uint64_t key) const;
  std::unique_ptr<Shard[]> shards_;
};

// How many bytes of an answer may have gone by now, less those that have: `rate` a second, the first `free` at once, and the
// first second's worth too (limit-rate, limit-rate-after). rate 0: no limit.
uint64_t allowed_bytes(uint64_t rate, uint64_t free, uint64_t sent, std::chrono::milliseconds elapsed);
// When it is worth asking again, if nothing is allowed now.
std::chrono::milliseconds time_to_allowance(uint64_t rate, uint64_t free, uint64_t sent, std::chrono::milliseconds elapsed);

}  // namespace server::gateway
