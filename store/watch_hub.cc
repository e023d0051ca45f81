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

WatchQueue::WatchQueue(WatchQuery query, std::vector<Event> backlog, Revision through, size_t buffer)
    : query_(std::move(query)),
      through_(std::max(through, query_.after)),
      limit_(buffer + backlog.size()),
      events_(std::make_move_iterator(backlog.begin()), std::make_move_iterator(backlog.end())),
      handed_out_(query_.after) {}

WatchQueue::Push WatchQueue::push(const Event& event) {
  if (event.revision <= through_ || !concerns(query_, event.object.key())) return Push::kTaken;
  std::lock_guard lock(mutex_);
  if (state_ == State::kOpen && events_.size() >= limit_) {
    state_ = State::kExpired;
    events_.clear();
  }
  if (state_ == State::kOpen) events_.push_back(event);
  changed_.notify_one();
  return state_ == State::kOpen ? Push::kTaken : Push::kExpired;
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
    return Error(Code::kExpired, "the watch fell more than " + std::to_string(limit_) + " events behind; list again");
  }
  if (state_ == State::kClosed) return Error(Code::kUnavailable, "the watch is closed");
  std::vector<Event> out(std::make_move_iterator(events_.begin()), std::make_move_iterator(events_.end()));
  events_.clear();
  if (!out.empty()) handed_out_ = out.back().revision;
  return out;
}

Revision WatchQueue::progress(Revision published) const {
  std::lock_guard lock(mutex_);
  if (!events_.empty()) return std::max(handed_out_, events_.front().revision - 1);
  return std::max(handed_out_, state_ == State::kOpen ? published : 0);
}

void WatchHub::deliver_to(Queues& queues, const Event& event) {
  auto expired = [&](const std::shared_ptr<WatchQueue>& queue) { return queue->push(event) == WatchQueue::Push::kExpired; };
  queues.erase(std::remove_if(queues.begin(), queues.end(), expired), queues.end());
}

void WatchHub::deliver(const Event& event) {
  std::lock_guard lock(mutex_);
  for (const std::string& resource : {event.object.key().resource, std::string()}) {
    auto it = queues_.find(resource);
    if (it != queues_.end()) deliver_to(it->second, event);
  }
  published_.store(event.revision, std::memory_order_release);
  advanced_.notify_all();
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
