#include "server/informer/keyed_queue.h"

#include <algorithm>
#include <utility>

#include "store/base/log.h"

namespace server {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstBackOff{5};
constexpr milliseconds kMaxBackOff{30'000};
constexpr int kQuietFailures = 3;      // Races settle by themselves; what fails more often is worth a line.
constexpr milliseconds kParkLimit{1'000};  // A bar that is never reached (a write that changed nothing) must not stop a key.
constexpr size_t kRememberedRuns = 4096;

std::string text(const store::Key& key) { return key.ns.empty() ? key.name : key.ns + "/" + key.name; }

}  // namespace

KeyedQueue::KeyedQueue(std::string name, ReconcileFn reconcile, QueueOptions options, QueueHost& host)
    : name_(std::move(name)), reconcile_(std::move(reconcile)), options_(options), host_(host) {}

void KeyedQueue::add(const store::Key& key) {
  if (parked_.contains(key)) return;  // It will run when its bar is reached, and then see this change too.
  if (waiting_set_.insert(key).second) waiting_.push_back(key);
}

void KeyedQueue::add_after(const store::Key& key, milliseconds delay) {
  if (delay.count() <= 0) return add(key);
  const base::MonoTime due = host_.now() + delay;
  auto [it, fresh] = delayed_.try_emplace(key, due);
  if (!fresh && it->second <= due) return;
  it->second = due;
  host_.after(delay, [this, key, due] {
    auto pending = delayed_.find(key);
    if (pending == delayed_.end() || pending->second != due) return;  // Overtaken by an earlier one.
    delayed_.erase(pending);
    add(key);
  });
}

void KeyedQueue::park(const store::Key& key, Parked parked) {
  const uint64_t ticket = parked.ticket = ++last_ticket_;
  parked_[key] = std::move(parked);
  host_.after(kParkLimit, [this, key, ticket] {
    auto it = parked_.find(key);
    if (it == parked_.end() || it->second.ticket != ticket) return;
    parked_.erase(it);
    bars_.erase(key);
    add(key);
  });
}

void KeyedQueue::unpark() {
  for (auto it = parked_.begin(); it != parked_.end();) {
    const Parked& parked = it->second;
    if (host_.seen() <= parked.after || !host_.reached(parked.bar)) {
      ++it;
      continue;
    }
    const store::Key key = it->first;
    it = parked_.erase(it);
    bars_.erase(key);
    add(key);
  }
}

bool KeyedQueue::throttled(const store::Key& key) {
  if (options_.min_interval.count() == 0 || !host_.throttles()) return false;
  const base::MonoTime now = host_.now();
  if (last_run_.size() > kRememberedRuns) {
    std::erase_if(last_run_, [&](const auto& entry) { return entry.second + options_.min_interval <= now; });
  }
  auto it = last_run_.find(key);
  if (it == last_run_.end()) return false;
  const auto wait = std::chrono::ceil<milliseconds>(it->second + options_.min_interval - now);
  if (wait.count() <= 0) return false;
  add_after(key, wait);
  return true;
}

std::optional<store::Key> KeyedQueue::take() {
  while (!waiting_.empty()) {
    store::Key key = std::move(waiting_.front());
    waiting_.pop_front();
    waiting_set_.erase(key);
    if (auto bar = bars_.find(key); bar != bars_.end()) {
      if (!host_.reached(bar->second)) {
        Parked parked{bar->second, 0};
        park(key, std::move(parked));
        continue;
      }
      bars_.erase(bar);
    }
    if (!throttled(key)) return key;
  }
  return std::nullopt;
}

// A reconciler that throws has a mistake in it, which costs this key and not the cluster.
base::Result<Requeue> KeyedQueue::reconcile_safely(const store::Key& key) const {
  try {
    return reconcile_(key);
  } catch (const std::exception& e) {
    base::log::error("{} {}: exception: {}", name_, text(key), e.what());
    return base::Error(base::Code::kInternal, e.what());
  }
}

void KeyedQueue::run(const store::Key& key, RecordingClient& client) {
  if (options_.min_interval.count() > 0) last_run_[key] = host_.now();
  client.begin();
  base::Result<Requeue> result = reconcile_safely(key);
  WriteBar bar = client.end();
  if (!bar.empty()) bars_[key] = bar;
  if (result.ok()) {
    failures_.erase(key);
    if (result->after.count() > 0) add_after(key, result->after);
    return;
  }
  if (result.error().code == base::Code::kConflict) {
    // Somebody wrote in between: the caches will show it within microseconds, so wait for exactly that.
    park(key, Parked{std::move(bar), host_.seen()});
    return;
  }
  back_off(key, result.error());
}

void KeyedQueue::back_off(const store::Key& key, const base::Error& error) {
  const int failures = ++failures_[key];
  const milliseconds delay = std::min(kMaxBackOff, kFirstBackOff * (1 << std::min(failures - 1, 13)));
  if (failures > kQuietFailures) {
    base::log::warn("{} {}: {} (attempt {}, next in {} ms)", name_, text(key), error.message, failures, delay.count());
  } else {
    base::log::debug("{} {}: {}", name_, text(key), error.message);
  }
  add_after(key, delay);
}

}  // namespace server
