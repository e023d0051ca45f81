// server/informer/keyed_queue.h - the WorkQueue behind ControlLoop::make_queue(): which keys wait, which are held
// back until the caches caught up, and how long a failing key backs off. Decides only; the loop runs it and
// lends it its timers. Control thread only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "server/informer/control_loop.h"
#include "server/informer/recording_client.h"

namespace server {

// What a queue needs of its loop.
class QueueHost {
 public:
  virtual ~QueueHost() = default;
  virtual base::MonoTime now() const = 0;
  virtual void after(std::chrono::milliseconds delay, std::function<void()> fn) = 0;
  virtual bool reached(const WriteBar& bar) const = 0;  // Do the caches hold it?
  virtual store::Revision seen() const = 0;             // Revision of the caches.
  virtual bool throttles() const = 0;                   // false under run_until_idle().
};

class KeyedQueue final : public WorkQueue {
 public:
  KeyedQueue(std::string name, ReconcileFn reconcile, QueueOptions options, QueueHost& host);

  void add(const store::Key& key) override;
  void add_after(const store::Key& key, std::chrono::milliseconds delay) override;

  bool low_priority() const { return options_.priority == QueueOptions::Priority::kLow; }
  // The next key that may run now; nothing if none. Keys that may not are parked.
  std::optional<store::Key> take();
  // Runs `key` and files what came of it.
  void run(const store::Key& key, RecordingClient& client);
  // Call after the caches changed: parked keys whose bar is reached wait again.
  void unpark();

 private:
  struct Parked {
    WriteBar bar;
    store::Revision after = 0;  // Or: caches beyond this (after a conflict).
    uint64_t ticket = 0;        // Tells this stay from an earlier one whose time limit is still running.
  };
  void park(const store::Key& key, Parked parked);
  bool throttled(const store::Key& key);
  base::Result<Requeue> reconcile_safely(const store::Key& key) const;
  void back_off(const store::Key& key, const base::Error& error);

  const std::string name_;
  const ReconcileFn reconcile_;
  const QueueOptions options_;
  QueueHost& host_;
  std::deque<store::Key> waiting_;
  std::set<store::Key> waiting_set_;
  std::map<store::Key, Parked> parked_;
  uint64_t last_ticket_ = 0;
  std::map<store::Key, WriteBar> bars_;           // Of the last run.
  std::map<store::Key, int> failures_;
  std::map<store::Key, base::MonoTime> delayed_;  // Earliest pending add_after().
  std::map<store::Key, base::MonoTime> last_run_;
};

}  // namespace server
