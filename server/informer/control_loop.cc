#include "server/informer/control_loop.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include "server/informer/keyed_queue.h"
#include "server/informer/object_cache.h"
#include "server/informer/recording_client.h"
#include "store/base/log.h"
#include "store/object/access.h"

namespace server {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPumpWait{60'000};   // Only bounds one call; closing the watch ends it at once.
constexpr milliseconds kRelistDelay{50};    // Between attempts when listing fails.
constexpr int kIdleRounds = 100'000;        // run_until_idle(): a reconciler that never settles is a bug, not a hang.

// All objects at one revision.
struct Listing {
  std::vector<store::Object> objects;
  store::Revision revision = 0;
};

// A mistake in what one handler does with one object costs that, and not the cluster.
template <class Call>
void guarded(const char* what, const Call& call) {
  try {
    call();
  } catch (const std::exception& e) {
    base::log::error("control loop: {}: exception: {}", what, e.what());
  }
}

// What other threads hand over. One lock, held for pointer moves only.
class Mailbox {
 public:
  struct Mail {
    std::vector<store::Event> events;
    std::optional<Listing> relisted;
    std::vector<std::function<void()>> calls;
    bool empty() const { return events.empty() && calls.empty() && !relisted; }
  };

  void put_events(std::vector<store::Event> events) {
    {
      std::lock_guard lock(mutex_);
      if (mail_.events.empty()) {
        mail_.events = std::move(events);
      } else {
        std::move(events.begin(), events.end(), std::back_inserter(mail_.events));
      }
    }
    ready_.notify_one();
  }
  // Everything queued before is older than the list, so it is dropped.
  void put_list(Listing listing) {
    {
      std::lock_guard lock(mutex_);
      mail_.events.clear();
      mail_.relisted = std::move(listing);
    }
    ready_.notify_one();
  }
  void put_call(std::function<void()> fn) {
    {
      std::lock_guard lock(mutex_);
      mail_.calls.push_back(std::move(fn));
    }
    ready_.notify_one();
  }
  Mail take() {
    std::lock_guard lock(mutex_);
    return std::exchange(mail_, {});
  }
  void wait_until(std::optional<base::MonoTime> deadline, const std::atomic<bool>& stop) {
    std::unique_lock lock(mutex_);
    auto due = [&] { return !mail_.empty() || stop.load(); };
    if (deadline) {
      ready_.wait_until(lock, *deadline, due);
    } else {
      ready_.wait(lock, due);
    }
  }
  void wake() {
    { std::lock_guard lock(mutex_); }
    ready_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  Mail mail_;
};

class ControlLoopImpl final : public ControlLoop, private QueueHost {
 public:
  ControlLoopImpl(Client& client, const base::Clock& clock) : client_(client), clock_(clock) {}
  ~ControlLoopImpl() override { stop(); }

  Client& client() override { return client_; }
  const base::Clock& clock() const override { return clock_; }
  const Cache& cache(const std::string& storage) override { return caches_[storage]; }
  void on_change(const std::string& storage, Handler handler) override { handlers_[storage].push_back(std::move(handler)); }
  WorkQueue& make_queue(const std::string& name, ReconcileFn reconcile, QueueOptions options) override {
    queues_.push_back(std::make_unique<KeyedQueue>(name, std::move(reconcile), options, static_cast<QueueHost&>(*this)));
    return *queues_.back();
  }
  void post(std::function<void()> fn) override { mailbox_.put_call(std::move(fn)); }
  void post_after(milliseconds delay, std::function<void()> fn) override {
    const base::MonoTime due = clock_.mono() + delay;
    if (std::this_thread::get_id() == owner_.load()) {
      timers_.emplace(std::pair{due, ++timer_sequence_}, std::move(fn));
    } else {
      post([this, due, call = std::move(fn)]() mutable { timers_.emplace(std::pair{due, ++timer_sequence_}, std::move(call)); });
    }
  }

  base::Status start() override;
  void stop() override;
  void run_until_idle() override;
  store::Revision revision() const override { return revision_.load(); }

 private:
  // QueueHost
  base::MonoTime now() const override { return clock_.mono(); }
  void after(milliseconds delay, std::function<void()> fn) override { post_after(delay, std::move(fn)); }
  bool reached(const WriteBar& bar) const override;
  store::Revision seen() const override { return revision_.load(); }
  bool throttles() const override { return threaded_; }

  void pump();
  bool pump_once();
  base::Result<Listing> list();
  void run();
  bool step();
  void deliver_list(const Listing& listing);
  void deliver(const store::Event& event);
  void notify(const store::Key& key, const store::Object& before, const store::Object& after);
  bool run_timers();
  bool run_one_key();
  std::optional<base::MonoTime> next_timer() const;

  RecordingClient client_;
  const base::Clock& clock_;
  std::map<std::string, ObjectCache> caches_;
  std::map<std::string, std::vector<Handler>> handlers_;
  std::vector<std::unique_ptr<KeyedQueue>> queues_;
  std::map<std::pair<base::MonoTime, uint64_t>, std::function<void()>> timers_;
  uint64_t timer_sequence_ = 0;
  std::atomic<store::Revision> revision_{0};

  Mailbox mailbox_;
  std::mutex watch_mutex_;  // Guards the pointer; the pump replaces it, stop() closes it.
  std::shared_ptr<store::Watch> watch_;
  std::atomic<std::thread::id> owner_{std::this_thread::get_id()};  // Until start(), the building thread.
  std::atomic<bool> stopping_{false};
  bool threaded_ = false;
  bool listed_ = false;
  std::thread pump_thread_;
  std::thread control_thread_;
};

bool ControlLoopImpl::reached(const WriteBar& bar) const {
  if (bar.revision > revision_.load()) return false;
  return std::all_of(bar.removed.begin(), bar.removed.end(), [this](const WriteBar::Removed& removed) {
    auto cache = caches_.find(removed.key.resource);
    if (cache == caches_.end()) return true;
    const store::Object* object = cache->second.find(removed.key.ns, removed.key.name);
    return object == nullptr || object->uid() != removed.uid || store::find(object->tree(), "metadata.deletionTimestamp") != nullptr;
  });
}

void ControlLoopImpl::notify(const store::Key& key, const store::Object& before, const store::Object& after) {
  for (const std::string& storage : {key.resource, std::string()}) {
    auto it = handlers_.find(storage);
    if (it == handlers_.end()) continue;
    for (const Handler& handler : it->second) guarded(key.resource.c_str(), [&] { handler(before, after); });
  }
}

void ControlLoopImpl::deliver(const store::Event& event) {
  const store::Key& key = event.object.key();
  ObjectCache& cache = caches_[key.resource];
  if (event.type == store::EventType::kDeleted) {
    // Handlers get the last state (with what the deletion set) as `before`.
    cache.erase(key.ns, key.name);
    revision_.store(std::max(revision_.load(), event.revision));
    notify(key, event.object, {});
    return;
  }
  const store::Object before = cache.put(event.object);
  revision_.store(std::max(revision_.load(), event.revision));
  notify(key, before, event.object);
}

// A fresh list: whatever differs from the caches is delivered as if it had been watched.
void ControlLoopImpl::deliver_list(const Listing& listing) {
  std::map<std::string, std::set<std::pair<std::string, std::string>>> live;
  std::vector<std::pair<store::Object, store::Object>> changes;
  for (const store::Object& object : listing.objects) {
    live[object.key().resource].emplace(object.ns(), object.name());
    store::Object before = caches_[object.key().resource].put(object);
    if (before && before.uid() != object.uid()) {
      changes.emplace_back(std::move(before), store::Object{});
      changes.emplace_back(store::Object{}, object);
    } else if (!before || before.revision() != object.revision()) {
      changes.emplace_back(std::move(before), object);
    }
  }
  for (auto& [storage, cache] : caches_) {
    for (const store::Object& cached : cache.list()) {
      if (live[storage].contains({cached.ns(), cached.name()})) continue;
      cache.erase(cached.ns(), cached.name());
      changes.emplace_back(cached, store::Object{});
    }
  }
  revision_.store(std::max(revision_.load(), listing.revision));
  for (const auto& [before, after] : changes) notify(before ? before.key() : after.key(), before, after);
}

bool ControlLoopImpl::run_timers() {
  const base::MonoTime now = clock_.mono();
  bool ran = false;
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    auto node = timers_.extract(timers_.begin());
    guarded("timer", node.mapped());
    ran = true;
  }
  return ran;
}

std::optional<base::MonoTime> ControlLoopImpl::next_timer() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first.first;
}

bool ControlLoopImpl::run_one_key() {
  for (const bool low : {false, true}) {
    for (const auto& queue : queues_) {
      if (queue->low_priority() != low) continue;
      if (auto key = queue->take()) {
        queue->run(*key, client_);
        return true;
      }
    }
  }
  return false;
}

// One round: everything that arrived, then one key. False when there was nothing to do.
bool ControlLoopImpl::step() {
  Mailbox::Mail mail = mailbox_.take();
  bool worked = !mail.empty();
  const bool changed = mail.relisted || !mail.events.empty();
  if (mail.relisted) deliver_list(*mail.relisted);
  for (const store::Event& event : mail.events) deliver(event);
  if (changed) {
    for (const auto& queue : queues_) queue->unpark();
  }
  for (const auto& call : mail.calls) guarded("call", call);
  worked = run_timers() || worked;
  return run_one_key() || worked;
}

void ControlLoopImpl::run() {
  pthread_setname_np(pthread_self(), "kl-control");
  owner_.store(std::this_thread::get_id());
  while (!stopping_.load()) {
    if (!step()) mailbox_.wait_until(next_timer(), stopping_);
  }
}

// Moves one batch from the watch to the mailbox. False when there is no point in going on.
bool ControlLoopImpl::pump_once() {
  std::shared_ptr<store::Watch> watch;
  {
    std::lock_guard lock(watch_mutex_);
    watch = watch_;
  }
  auto batch = watch->next(kPumpWait);
  if (batch.ok()) {
    if (!batch->empty()) mailbox_.put_events(std::move(*batch));
    return true;
  }
  if (batch.error().code != base::Code::kExpired) return false;  // The store is closing.
  // Lagged too far behind: start over from a list.
  auto listing = list();
  if (!listing.ok()) {
    base::log::error("control loop: cannot list objects again: {}", listing.error().message);
    std::this_thread::sleep_for(kRelistDelay);
    return !stopping_.load();
  }
  mailbox_.put_list(std::move(*listing));
  return true;
}

// Everything that is stored, and from now on the watch of what follows.
base::Result<Listing> ControlLoopImpl::list() {
  Client::Snapshot snapshot = TRY(client_.snapshot_and_watch());
  // Nothing was fetched from the watch yet, so what it has passed is what the list holds.
  Listing listing{std::move(snapshot.objects), snapshot.watch->progress()};
  for (const store::Object& object : listing.objects) listing.revision = std::max(listing.revision, object.revision());
  std::lock_guard lock(watch_mutex_);
  watch_ = std::move(snapshot.watch);
  if (stopping_.load()) watch_->close();  // stop() has closed the one before.
  return listing;
}

void ControlLoopImpl::pump() {
  pthread_setname_np(pthread_self(), "kl-informer");
  while (!stopping_.load() && pump_once()) {
  }
}

base::Status ControlLoopImpl::start() {
  Listing listing = TRY(list());
  threaded_ = true;
  listed_ = true;
  deliver_list(listing);
  owner_.store(std::thread::id());  // Nobody's until run() takes it, so that timers go through the mailbox.
  control_thread_ = std::thread([this] { run(); });
  pump_thread_ = std::thread([this] { pump(); });
  return {};
}

void ControlLoopImpl::stop() {
  stopping_.store(true);
  {
    std::lock_guard lock(watch_mutex_);
    if (watch_) watch_->close();
  }
  mailbox_.wake();
  if (control_thread_.joinable()) control_thread_.join();
  if (pump_thread_.joinable()) pump_thread_.join();
}

void ControlLoopImpl::run_until_idle() {
  owner_.store(std::this_thread::get_id());
  for (int round = 0; round < kIdleRounds; ++round) {
    base::Result<std::vector<store::Event>> batch = base::Error(base::Code::kExpired, "nothing listed yet");
    if (listed_) batch = watch_->next(milliseconds(0));
    if (batch.ok() && !batch->empty()) mailbox_.put_events(std::move(*batch));
    if (!batch.ok() && batch.error().code == base::Code::kExpired) {
      auto listing = list();
      if (!listing.ok()) {
        base::log::error("control loop: cannot list objects: {}", listing.error().message);
        return;
      }
      listed_ = true;
      mailbox_.put_list(std::move(*listing));
    }
    if (!step()) return;
  }
  base::log::error("control loop: still busy after {} rounds", kIdleRounds);
}

}  // namespace

std::unique_ptr<ControlLoop> ControlLoop::make(Client& client, const base::Clock& clock) {
  return std::make_unique<ControlLoopImpl>(client, clock);
}

}  // namespace server
