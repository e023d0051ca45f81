#include "store/watch_hub.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "store/history.h"

namespace store {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr size_t kWokenByWriter = 4;  // More are left to the Waker.

// Keeps now() + wait from overflowing when a caller means "for ever".
std::chrono::milliseconds bounded(std::chrono::milliseconds wait) {
  return std::clamp<std::chrono::milliseconds>(wait, std::chrono::milliseconds(0), std::chrono::hours(24));
}

class HubWatch final : public Watch {
 public:
  HubWatch(std::shared_ptr<WatchHub> hub, std::shared_ptr<WatchQueue> queue) : hub_(std::move(hub)), queue_(std::move(queue)) {}
  ~HubWatch() override { hub_->remove(queue_.get()); }

  Result<std::vector<Event>> next(std::chrono::milliseconds wait) override { return queue_->pop(wait); }
  // published() first: what is published afterwards must not count as handed out.
  Revision progress() const override {
    Revision published = hub_->published();
    return queue_->progress(published);
  }
  void close() override {
    hub_->remove(queue_.get());
    queue_->close();
  }

 private:
  const std::shared_ptr<WatchHub> hub_;
  const std::shared_ptr<WatchQueue> queue_;
};

}  // namespace

WatchQueue::WatchQueue(WatchQuery query, std::vector<Event> backlog, Revision through, Limits limits)
    : query_(std::move(query)),
      through_(std::max(through, query_.after)),
      limits_{limits.events + backlog.size(), limits.bytes},
      events_(std::make_move_iterator(backlog.begin()), std::make_move_iterator(backlog.end())),
      handed_out_(query_.after) {}

WatchQueue::Push WatchQueue::push(const Event& event) {
  if (event.revision <= through_ || !concerns(query_, event.object.key())) return Push::kTaken;
  std::lock_guard lock(mutex_);
  if (state_ == State::kOpen && (events_.size() >= limits_.events || bytes_ > limits_.bytes)) {
    state_ = State::kExpired;
    events_.clear();
  }
  if (state_ != State::kOpen) {
    changed_.notify_one();
    return Push::kExpired;
  }
  events_.push_back(event);
  bytes_ += event.object.bytes().size();
  // Whoever has not yet fetched the ones before was woken for them.
  return events_.size() == 1 ? Push::kWake : Push::kTaken;
}

void WatchQueue::close() {
  std::lock_guard lock(mutex_);
  if (state_ == State::kOpen) state_ = State::kClosed;
  events_.clear();
  changed_.notify_all();
}

Result<std::vector<Event>> WatchQueue::pop(std::chrono::milliseconds wait) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, bounded(wait), [&] { return state_ != State::kOpen || !events_.empty(); });
  if (state_ == State::kExpired) {
    if (bytes_ > limits_.bytes) return Error(Code::kExpired, "the watch fell more than " + std::to_string(limits_.bytes) + " bytes behind; list again");
    return Error(Code::kExpired, "the watch fell more than " + std::to_string(limits_.events) + " events behind; list again");
  }
  if (state_ == State::kClosed) return Error(Code::kUnavailable, "the watch is closed");
  std::vector<Event> out(std::make_move_iterator(events_.begin()), std::make_move_iterator(events_.end()));
  events_.clear();
  bytes_ = 0;
  if (!out.empty()) handed_out_ = out.back().revision;
  return out;
}

Revision WatchQueue::progress(Revision published) const {
  std::lock_guard lock(mutex_);
  if (!events_.empty()) return std::max(handed_out_, events_.front().revision - 1);
  return std::max(handed_out_, state_ == State::kOpen ? published : 0);
}

Waker::~Waker() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Waker::wake(std::vector<std::shared_ptr<WatchQueue>> queues) {
  std::lock_guard lock(mutex_);
  pending_.insert(pending_.end(), std::make_move_iterator(queues.begin()), std::make_move_iterator(queues.end()));
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_one();
}

void Waker::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return ending_ || !pending_.empty(); });
    if (ending_) return;
    std::vector<std::shared_ptr<WatchQueue>> queues = std::exchange(pending_, {});
    lock.unlock();
    for (const std::shared_ptr<WatchQueue>& queue : queues) queue->wake();
    queues.clear();
    lock.lock();
  }
}

void WatchHub::deliver_to(Queues& queues, const Event& event, Queues* waiting) {
  auto expired = [&](const std::shared_ptr<WatchQueue>& queue) {
    const WatchQueue::Push done = queue->push(event);
    if (done == WatchQueue::Push::kWake) waiting->push_back(queue);
    return done == WatchQueue::Push::kExpired;
  };
  queues.erase(std::remove_if(queues.begin(), queues.end(), expired), queues.end());
}

void WatchHub::deliver(const Event& event) {
  Queues waiting;
  {
    std::lock_guard lock(mutex_);
    // Those who watch everything first: they are informers, and few.
    for (const std::string& resource : {std::string(), event.object.key().resource}) {
      auto it = queues_.find(resource);
      if (it != queues_.end()) deliver_to(it->second, event, &waiting);
    }
    published_.store(event.revision, std::memory_order_release);
    advanced_.notify_all();
  }
  const auto rest = waiting.begin() + static_cast<std::ptrdiff_t>(std::min(waiting.size(), kWokenByWriter));
  for (auto queue = waiting.begin(); queue != rest; ++queue) (*queue)->wake();
  waiting.erase(waiting.begin(), rest);
  if (!waiting.empty()) waker_.wake(std::move(waiting));
}

bool WatchHub::wait_for(Revision revision, std::chrono::milliseconds wait) const {
  if (published() >= revision) return true;
  std::unique_lock lock(mutex_);
  advanced_.wait_for(lock, bounded(wait), [&] { return closed_ || published() >= revision; });
  return published() >= revision;
}

void WatchHub::add(const std::shared_ptr<WatchQueue>& queue) {
  std::lock_guard lock(mutex_);
  if (closed_) queue->close();
  else queues_[queue->query().resource].push_back(queue);
}

void WatchHub::remove(const WatchQueue* queue) {
  std::lock_guard lock(mutex_);
  auto it = queues_.find(queue->query().resource);
  if (it == queues_.end()) return;
  Queues& queues = it->second;
  queues.erase(std::remove_if(queues.begin(), queues.end(), [&](const auto& q) { return q.get() == queue; }), queues.end());
  if (queues.empty()) queues_.erase(it);
}

void WatchHub::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  for (auto& [resource, queues] : queues_) {
    for (const std::shared_ptr<WatchQueue>& queue : queues) queue->close();
  }
  queues_.clear();
  advanced_.notify_all();
}

std::unique_ptr<Watch> make_watch(std::shared_ptr<WatchHub> hub, std::shared_ptr<WatchQueue> queue) {
  return std::make_unique<HubWatch>(std::move(hub), std::move(queue));
}

}  // namespace store
