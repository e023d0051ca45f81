#include "server/proxy/wheels.h"

#include <algorithm>

namespace server::proxy {
namespace {

constexpr size_t kMaxBatch = 64;  // As many cost the kernel as much as one.

}  // namespace

std::string WheelPool::chain_name(WheelId id, const Wheel& wheel) {
  if (wheel.spread == Spread::kRandom) return "random-" + std::to_string(wheel.slots);
  return "wheel-" + std::to_string(wheel.slots) + "-" + std::to_string(id);
}

WheelId WheelPool::make(size_t slots, Spread spread, Script& script) {
  using Do = Script::Operation::Kind;
  const WheelId id = next_++;
  const std::string chain = chain_name(id, wheels_[id] = {slots, spread});
  script.put(Script::kWheels, {{Do::kAddChain, Set::kWheels, {}, chain, static_cast<uint32_t>(slots), spread == Spread::kRandom},
                               {Do::kAdd, Set::kWheels, wheel_element(id, chain), std::to_string(id) + " : jump " + chain, 0, false}});
  return id;
}

WheelId WheelPool::take(size_t slots, Spread spread, Script& script) {
  if (spread == Spread::kRandom) {
    auto known = random_.find(slots);
    return known != random_.end() ? known->second : random_[slots] = make(slots, spread, script);
  }
  Kind& kind = kinds_[slots];
  if (kind.free.empty()) {
    // The more chains there are, the dearer is the check, and the more are made at once.
    const size_t batch = std::clamp<size_t>(wheels_.size() / 16, 1, kMaxBatch);
    for (size_t i = 0; i < batch; ++i) kind.free.insert(make(slots, spread, script));
  }
  const WheelId id = *kind.free.begin();
  kind.free.erase(kind.free.begin());
  ++kind.used;
  return id;
}

void WheelPool::give_back(WheelId id) {
  const Wheel& wheel = wheels_.at(id);
  if (wheel.spread == Spread::kRandom) return;
  Kind& kind = kinds_[wheel.slots];
  kind.free.insert(id);
  --kind.used;
  surplus_ = surplus_ || kind.free.size() > 2 * spare(kind);
}

void WheelPool::give_up_surplus(Script& script) {
  using Do = Script::Operation::Kind;
  for (const std::string& chain : leaving_) script.put(Script::kWheels, {{Do::kDeleteChain, Set::kWheels, {}, chain, 0, false}});
  leaving_.clear();
  if (!std::exchange(surplus_, false)) return;
  for (auto& [slots, kind] : kinds_) {
    if (kind.free.size() <= 2 * spare(kind)) continue;
    while (kind.free.size() > spare(kind)) {
      const WheelId id = *kind.free.rbegin();
      const std::string chain = chain_name(id, wheels_.at(id));
      script.put(Script::kWheels, {{Do::kDelete, Set::kWheels, wheel_element(id, chain), std::to_string(id), 0, false}});
      leaving_.push_back(chain);
      wheels_.erase(id);
      kind.free.erase(id);
    }
  }
}

std::vector<std::pair<WheelId, std::string>> WheelPool::all() const {
  std::vector<std::pair<WheelId, std::string>> out;
  for (const auto& [id, wheel] : wheels_) out.emplace_back(id, chain_name(id, wheel));
  return out;
}

}  // namespace server::proxy
