// store/watch_hub.h - private to store/: hands committed events to the watchers.
//
// deliver() is called by the one writer, in revision order, and never waits for a watcher: one whose queue is full
// is expired and forgotten. Thread-safe. Lock order: hub, then queue. Shared by the store and its watches, so that
// a watch may outlive the store.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <thread>
#include <vector>

#include "store/store.h"

namespace store {

// The events one watcher has not fetched yet.
class WatchQueue {
 public:
  struct Limits {
    size_t events = 0, bytes = 0;  // Of lag; bytes of the objects' JSON.
  };
  // `backlog`: the events up to revision `through`, which are not delivered again. They do not count as lag.
  WatchQueue(WatchQuery query, std::vector<Event> backlog, Revision through, Limits limits);

  const WatchQuery& query() const { return query_; }
  // kWake: taken, and the one who waits has to be told by wake(). kExpired: it was told.
  enum class Push { kTaken, kWake, kExpired };
  Push push(const Event& event);
  void wake() { changed_.notify_one(); }
  void close();
  base::Result<std::vector<Event>> pop(std::chrono::milliseconds wait);
  // Given that every event up to `published` was delivered.
  Revision progress(Revision published) const;

 private:
  enum class State { kOpen, kExpired, kClosed };

  const WatchQuery query_;
  const Revision through_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> events_;
  size_t bytes_ = 0;  // Of what was pushed and not fetched.
  Revision handed_out_ = 0;
  State state_ = State::kOpen;
};

// Wakes watchers on a thread of its own: to wake hundreds takes milliseconds, for which no writer should wait. Their
// events are in their queues by then.
class Waker {
 public:
  ~Waker();
  void wake(std::vector<std::shared_ptr<WatchQueue>> queues);

 private:
  void run();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<WatchQueue>> pending_;
  bool ending_ = false;
  std::thread thread_;  // From the first need on.
};

class WatchHub {
 public:
  explicit WatchHub(Revision revision) : published_(revision) {}

  void deliver(const Event& event);
  // Every event up to this revision was delivered.
  Revision published() const { return published_.load(std::memory_order_acquire); }
  bool wait_for(Revision revision, std::chrono::milliseconds wait) const;

  void add(const std::shared_ptr<WatchQueue>& queue);  // Closed at once when the hub is.
  void remove(const WatchQueue* queue);
  void close();

 private:
  using Queues = std::vector<std::shared_ptr<WatchQueue>>;
  static void deliver_to(Queues& queues, const Event& event, Queues* waiting);

  mutable std::mutex mutex_;
  mutable std::condition_variable advanced_;
  std::unordered_map<std::string, Queues> queues_;  // By watched resource; "" watches all.
  std::atomic<Revision> published_;
  bool closed_ = false;
  Waker waker_;
};

std::unique_ptr<Watch> make_watch(std::shared_ptr<WatchHub> hub, std::shared_ptr<WatchQueue> queue);

}  // namespace store
