#include "server/gateway/policy/limits.h"

#include <algorithm>
#include <list>
#include <random>
#include <utility>

#include "server/gateway/policy/addresses.h"
#include "server/gateway/policy/balance.h"

namespace server::gateway {
namespace {

constexpr size_t kShards = 64;
constexpr size_t kClientsAShard = 2048;  // 131,072 in all, some 15 MB.

// Unlike hash_of(), not to be foreseen: nobody chooses an address that shares another's counter.
uint64_t secret() {
  static const uint64_t value = (static_cast<uint64_t>(std::random_device()()) << 32) | std::random_device()();
  return value;
}

uint64_t key_of(const Limits& limits, const base::Ip& address) {
  char bytes[40];
  uint64_t front[3] = {secret(), hash_of(limits.key), address.size()};
  std::copy_n(reinterpret_cast<const char*>(front), sizeof front, bytes);
  std::copy_n(reinterpret_cast<const char*>(address.bytes()), 16, bytes + sizeof front);
  return hash_of({bytes, sizeof bytes});
}

}  // namespace

struct LimitStates::Shard {
  // A client on one route. `excess`: requests in the bucket beyond the one that is always let in.
  struct Client {
    uint64_t key;
    double second_excess = 0, minute_excess = 0;
    bool asked = false;  // Else the buckets are new.
    base::MonoTime last;
    uint32_t connections = 0;
  };
  std::mutex mutex;
  std::list<Client> clients;  // Used last at the front.
  std::unordered_map<uint64_t, std::list<Client>::iterator> by_key;

  Client& find_or_add(uint64_t key) {
    if (auto it = by_key.find(key); it != by_key.end()) {
      clients.splice(clients.begin(), clients, it->second);
      return clients.front();
    }
    if (clients.size() >= kClientsAShard) make_room();
    clients.push_front(Client{key});
    by_key.emplace(key, clients.begin());
    return clients.front();
  }
  // The quietest without connections goes. Those with connections hold a slot each, and so are bounded by what the engine accepts.
  void make_room() {
    int looked_at = 0;
    for (auto it = std::prev(clients.end()); looked_at < 16; ++looked_at) {
      if (it->connections == 0) {
        by_key.erase(it->key);
        clients.erase(it);
        return;
      }
      if (it == clients.begin()) return;
      --it;
    }
  }
};

LimitStates::LimitStates() : shards_(std::make_unique<Shard[]>(kShards)) {}
LimitStates::~LimitStates() = default;

LimitStates::Shard& LimitStates::shard_of(uint64_t key) const { return shards_[key >> 58]; }

bool LimitStates::take_request(const Limits& limits, const base::Ip& address, base::MonoTime now) {
  double second = limits.requests_per_second, minute = limits.requests_per_minute;
  if ((second <= 0 && minute <= 0) || contains_address(limits.exempt, address)) return true;
  uint64_t key = key_of(limits, address);
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  Shard::Client& client = shard.find_or_add(key);
  // nginx: the first request finds an empty bucket; each later one adds itself to what has not leaked yet.
  double passed = client.asked ? std::max(0.0, std::chrono::duration<double>(now - client.last).count()) : 0;
  double second_excess = client.asked ? std::max(0.0, client.second_excess - second * passed + 1) : 0;
  double minute_excess = client.asked ? std::max(0.0, client.minute_excess - minute / 60 * passed + 1) : 0;
  if (second > 0 && second_excess > second * limits.burst_multiplier) return false;
  if (minute > 0 && minute_excess > minute * limits.burst_multiplier) return false;
  client.asked = true;
  client.last = now;
  client.second_excess = second_excess;
  client.minute_excess = minute_excess;
  return true;
}

std::optional<ConnectionSlot> LimitStates::take_connection(const Limits& limits, const base::Ip& address) {
  ConnectionSlot slot;
  if (limits.connections == 0 || contains_address(limits.exempt, address)) return slot;
  uint64_t key = key_of(limits, address);
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  Shard::Client& client = shard.find_or_add(key);
  if (client.connections >= limits.connections) return std::nullopt;
  ++client.connections;
  slot.states_ = this;
  slot.key_ = key;
  return slot;
}

void LimitStates::give_back(uint64_t key) {
  Shard& shard = shard_of(key);
  std::lock_guard lock(shard.mutex);
  auto it = shard.by_key.find(key);
  if (it == shard.by_key.end() || it->second->connections == 0) return;
  --it->second->connections;
}

size_t LimitStates::clients() const {
  size_t count = 0;
  for (size_t i = 0; i < kShards; ++i) {
    std::lock_guard lock(shards_[i].mutex);
    count += shards_[i].clients.size();
  }
  return count;
}

ConnectionSlot& ConnectionSlot::operator=(ConnectionSlot&& other) noexcept {
  if (this == &other) return *this;
  if (states_ != nullptr) states_->give_back(key_);
  states_ = std::exchange(other.states_, nullptr);
  key_ = other.key_;
  return *this;
}

ConnectionSlot::~ConnectionSlot() {
  if (states_ != nullptr) states_->give_back(key_);
}

// ---- Bytes -------------------------------------------------------------------------------------------------------

uint64_t allowed_bytes(uint64_t rate, uint64_t free, uint64_t sent, std::chrono::milliseconds elapsed) {
  if (rate == 0) return UINT64_MAX;
  auto ms = static_cast<uint64_t>(std::max<int64_t>(0, elapsed.count())) + 1000;
  // Whole seconds apart, so that neither product overflows for any rate that a manifest can have.
  uint64_t earned = free + rate * (ms / 1000) + rate * (ms % 1000) / 1000;
  return earned > sent ? earned - sent : 0;
}

std::chrono::milliseconds time_to_allowance(uint64_t rate, uint64_t free, uint64_t sent, std::chrono::milliseconds elapsed) {
  if (allowed_bytes(rate, free, sent, elapsed) > 0) return std::chrono::milliseconds(0);
  // The first byte beyond `sent`, but no sooner than a piece that is worth a call.
  uint64_t piece = std::max<uint64_t>(1, rate / 50);
  uint64_t due = (sent + piece - free) * 1000 / rate;
  uint64_t have = static_cast<uint64_t>(std::max<int64_t>(0, elapsed.count())) + 1000;
  return std::chrono::milliseconds(due > have ? due - have : 1);
}

}  // namespace server::gateway
