#include "server/gateway/policy/balance.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace server::gateway {
namespace {

constexpr double kDecaySeconds = 10;    // Peak-sensitive average, as ingress-nginx's: old times fade by e in that time.
constexpr double kFailureMs = 1000;     // What a failure counts as.
constexpr size_t kMaxForgotten = 64;    // Scores of endpoints that are gone, kept before they are swept.
constexpr uint64_t kSeedA = 0x9e3779b97f4a7c15, kSeedB = 0xd1b54a32d192ed03;

// A multiplication whose halves are folded: every bit of the input reaches every bit of the output.
uint64_t fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// As wyhash does: the seeds keep small numbers and zeros from cancelling the product.
uint64_t mix(uint64_t a, uint64_t b) { return fold(a ^ kSeedA, b ^ kSeedB); }

WeightedTurns& turns_of_thread() {
  thread_local WeightedTurns turns;
  return turns;
}

bool is_tried(const std::vector<bool>& tried, size_t i) { return i < tried.size() && tried[i]; }

bool all_tried(const std::vector<bool>& tried, size_t count) {
  if (tried.size() < count) return false;
  for (size_t i = 0; i < count; ++i) {
    if (!tried[i]) return false;
  }
  return true;
}

// Highest random weight: each candidate's hash with the key; the highest wins. Without a ring there is nothing to build and keep,
// shares are even, and a removed candidate's keys spread over all others.
template <class HashOf>
size_t find_highest(size_t count, uint64_t key, const std::vector<bool>* tried, HashOf hash) {
  size_t best = count;
  uint64_t best_score = 0;
  for (size_t i = 0; i < count; ++i) {
    if (tried != nullptr && is_tried(*tried, i)) continue;
    uint64_t score = mix(key, hash(i));
    if (best < count && score <= best_score) continue;
    best = i;
    best_score = score;
  }
  return best;
}

}  // namespace

uint64_t hash_of(std::string_view bytes) {
  uint64_t hash = fold(bytes.size() ^ kSeedA, kSeedB);
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), 8);
    hash = mix(hash, word);
    bytes.remove_prefix(8);
  }
  uint64_t rest = 0;
  std::memcpy(&rest, bytes.data(), bytes.size());
  return mix(hash, rest);
}

uint64_t hash_of(const Endpoint& endpoint) {
  uint64_t words[2] = {0, 0};
  std::memcpy(words, endpoint.address.bytes(), endpoint.address.size());
  return mix(mix(words[0], words[1]), static_cast<uint64_t>(endpoint.port) << 8 | endpoint.address.size());
}

size_t endpoint_by_hash(const std::vector<Endpoint>& endpoints, uint64_t key) {
  return find_highest(endpoints.size(), key, nullptr, [&](size_t i) { return hash_of(endpoints[i]); });
}

// ---- Shares ------------------------------------------------------------------------------------------------------

// Steps of about the golden ratio of `total` that have no common divisor with it visit every place once a round, and
// neighbouring turns are far apart.
uint64_t place_of_turn(uint64_t turn, uint64_t total) {
  if (total < 3) return turn % total;
  auto step = static_cast<uint64_t>(static_cast<double>(total) * 0.6180339887498949);
  while (std::gcd(step, total) != 1) ++step;
  return turn % total * step % total;
}

bool take_share(uint64_t numerator, uint64_t denominator, WeightedTurns* turns) {
  if (numerator == 0 || denominator == 0) return false;
  if (numerator >= denominator) return true;
  uint64_t divisor = std::gcd(numerator, denominator);
  WeightedTurns& counter = turns != nullptr ? *turns : turns_of_thread();
  return place_of_turn(counter.next(), denominator / divisor) < numerator / divisor;
}

size_t pick_backend(const std::vector<Backend>& backends, WeightedTurns* turns) {
  uint64_t total = 0, divisor = 0;
  for (const Backend& backend : backends) {
    total += backend.weight;
    divisor = std::gcd(divisor, static_cast<uint64_t>(backend.weight));
  }
  if (total == 0) return backends.size();
  WeightedTurns& counter = turns != nullptr ? *turns : turns_of_thread();
  uint64_t place = place_of_turn(counter.next(), total / divisor);
  for (size_t i = 0; i < backends.size(); ++i) {
    uint64_t share = backends[i].weight / divisor;
    if (place < share) return i;
    place -= share;
  }
  return backends.size();
}

// ---- Endpoints ---------------------------------------------------------------------------------------------------

size_t UpstreamState::pick(const Upstream& upstream, std::optional<uint64_t> hash, const std::vector<bool>& tried) {
  size_t count = upstream.endpoints.size();
  if (count <= 1) return 0;
  static const std::vector<bool> kNone;
  const std::vector<bool>& out = all_tried(tried, count) ? kNone : tried;
  if (upstream.balance == Balance::kHash && hash) {
    if (upstream.hash_subset > 0) return pick_in_subset(upstream, *hash, out);
    return find_highest(count, *hash, &out, [&](size_t i) { return hash_of(upstream.endpoints[i]); });
  }
  if (upstream.balance == Balance::kLeastTime) return pick_least_time(upstream, out);
  return pick_in_turn(count, out);
}

size_t UpstreamState::pick_in_turn(size_t count, const std::vector<bool>& tried) {
  size_t at = static_cast<size_t>(turns_.next() % count);
  for (size_t i = 0; i < count && is_tried(tried, at); ++i) at = at + 1 < count ? at + 1 : 0;
  return at;
}

// As ingress-nginx: endpoints are dealt into groups in order, the last one filled up from the first endpoints.
size_t UpstreamState::pick_in_subset(const Upstream& upstream, uint64_t hash, const std::vector<bool>& tried) {
  size_t count = upstream.endpoints.size();
  size_t size = std::min<size_t>(upstream.hash_subset, count);
  size_t groups = (count + size - 1) / size;
  size_t group = find_highest(groups, hash, nullptr, [](size_t i) { return static_cast<uint64_t>(i) + 1; });
  uint64_t turn = turns_.next();
  for (size_t i = 0; i < size; ++i) {
    size_t at = (group * size + (turn + i) % size) % count;
    if (!is_tried(tried, at)) return at;
  }
  return pick_in_turn(count, tried);
}

// ---- By time -----------------------------------------------------------------------------------------------------

double UpstreamState::score_now(const Endpoint& endpoint, Clock::time_point now) const {
  auto it = scores_.find(hash_of(endpoint));
  if (it == scores_.end()) return -1;
  double age = std::max(0.0, std::chrono::duration<double>(now - it->second.at).count());
  return it->second.ewma_ms * std::exp(-age / kDecaySeconds);
}

// The better of two: taking the best of all would send every loop to the same one.
size_t UpstreamState::pick_least_time(const Upstream& upstream, const std::vector<bool>& tried) {
  thread_local std::vector<size_t> candidates;
  candidates.clear();
  size_t count = upstream.endpoints.size();
  for (size_t i = 0; i < count; ++i) {
    if (!is_tried(tried, i)) candidates.push_back(i);
  }
  if (candidates.size() == 1) return candidates[0];
  uint64_t random = mix(turns_.next(), kSeedA);
  size_t first = static_cast<size_t>(random % candidates.size());
  size_t second = static_cast<size_t>((random >> 32) % (candidates.size() - 1));
  if (second >= first) ++second;
  first = candidates[first];
  second = candidates[second];
  Clock::time_point now = Clock::now();
  std::lock_guard lock(mutex_);
  double a = score_now(upstream.endpoints[first], now), b = score_now(upstream.endpoints[second], now);
  if (a < 0 || b < 0) {
    // Who has not answered yet counts as average, or it would get everything.
    double sum = 0;
    size_t known = 0;
    for (const Endpoint& endpoint : upstream.endpoints) {
      double score = score_now(endpoint, now);
      if (score < 0) continue;
      sum += score;
      ++known;
    }
    double average = known > 0 ? sum / static_cast<double>(known) : 0;
    if (a < 0) a = average;
    if (b < 0) b = average;
  }
  return b < a ? second : first;
}

void UpstreamState::add_time(const Upstream& upstream, size_t endpoint, double ms) {
  if (upstream.balance != Balance::kLeastTime || endpoint >= upstream.endpoints.size()) return;
  Clock::time_point now = Clock::now();
  std::lock_guard lock(mutex_);
  if (scores_.size() > upstream.endpoints.size() + kMaxForgotten) {
    std::unordered_map<uint64_t, Score> kept;
    for (const Endpoint& each : upstream.endpoints) {
      if (auto it = scores_.find(hash_of(each)); it != scores_.end()) kept.insert(*it);
    }
    scores_ = std::move(kept);
  }
  auto [it, fresh] = scores_.try_emplace(hash_of(upstream.endpoints[endpoint]), Score{ms, now});
  if (fresh) return;
  double age = std::max(0.0, std::chrono::duration<double>(now - it->second.at).count());
  double weight = std::exp(-age / kDecaySeconds);
  it->second.ewma_ms = it->second.ewma_ms * weight + ms * (1 - weight);
  // A peak is believed at once; what is fast again has to show it.
  it->second.ewma_ms = std::max(it->second.ewma_ms, ms);
  it->second.at = now;
}

void UpstreamState::report(const Upstream& upstream, size_t endpoint, std::chrono::nanoseconds took) {
  add_time(upstream, endpoint, std::chrono::duration<double, std::milli>(took).count());
}

void UpstreamState::failed(const Upstream& upstream, size_t endpoint) { add_time(upstream, endpoint, kFailureMs); }

}  // namespace server::gateway
