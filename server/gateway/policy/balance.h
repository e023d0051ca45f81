// server/gateway/policy/balance.h - which endpoint, which backend. Turns go on where they were when tables are replaced.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/gateway/table/table.h"

namespace server::gateway {

// Counts turns. Any thread, no lock.
class WeightedTurns {
 public:
  uint64_t next() { return turn_.fetch_add(1, std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> turn_{0};
};

// By weight, without randomness: of any `sum of weights` (less their common divisor) turns from the first on, each backend gets
// exactly its share, and they are spread well. `turns` nullptr: those of the thread. backends.size(): all weights are 0.
size_t pick_backend(const std::vector<Backend>& backends, WeightedTurns* turns);
// The place of a turn in 0 to total - 1: each place once in any `total` turns from a multiple of it on, neighbours far apart.
// REQUIRES total > 0.
uint64_t place_of_turn(uint64_t turn, uint64_t total);
// True in exactly `numerator` of `denominator` turns.
bool take_share(uint64_t numerator, uint64_t denominator, WeightedTurns* turns);

// The same for the same bytes in every process.
uint64_t hash_of(std::string_view bytes);
uint64_t hash_of(const Endpoint& endpoint);
// Consistent hashing: the endpoint for `key`. When an endpoint comes or goes, only keys move that it takes or had.
// REQUIRES endpoints not empty.
size_t endpoint_by_hash(const std::vector<Endpoint>& endpoints, uint64_t key);

// What is known of the endpoints of one Upstream::name; outlives tables. Any thread; no lock but with kLeastTime.
class UpstreamState {
 public:
  UpstreamState() = default;
  UpstreamState(const UpstreamState&) = delete;
  UpstreamState& operator=(const UpstreamState&) = delete;

  // An index into upstream.endpoints (REQUIRES: not empty). `tried`: endpoints to leave out (shorter or empty: none more); when
  // all were tried, as if none. Round robin is exact. kHash without `hash`: round robin. With hash_subset the hash chooses a
  // group of endpoints, and turns are taken in it.
  size_t pick(const Upstream& upstream, std::optional<uint64_t> hash, const std::vector<bool>& tried);

  // kLeastTime only, else nothing: how long the head of an answer took; that it failed.
  void report(const Upstream& upstream, size_t endpoint, std::chrono::nanoseconds took);
  void failed(const Upstream& upstream, size_t endpoint);

  // Is this request among those that are copied?
  bool share_of_mirror(const Mirror& mirror) { return take_share(mirror.numerator, mirror.denominator, &mirror_turns_); }

 private:
  using Clock = std::chrono::steady_clock;
  struct Score {
    double ewma_ms = 0;
    Clock::time_point at;
  };
  size_t pick_in_turn(size_t count, const std::vector<bool>& tried);
  size_t pick_in_subset(const Upstream& upstream, uint64_t hash, const std::vector<bool>& tried);
  size_t pick_least_time(const Upstream& upstream, const std::vector<bool>& tried);
  void add_time(const Upstream& upstream, size_t endpoint, double ms);
  double score_now(const Endpoint& endpoint, Clock::time_point now) const;  // Under mutex_; below 0: unknown.

  WeightedTurns turns_, mirror_turns_;
  std::mutex mutex_;
  std::unordered_map<uint64_t, Score> scores_;  // By hash_of(endpoint).
};

}  // namespace server::gateway
