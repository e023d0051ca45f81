// server/informer/control_loop.h - the control thread: one ordered view of all objects (the caches), change
// handlers, keyed work queues with back-off, and timers. Every controller, the scheduler, the proxy and DNS
// compilers and the node agent run here, so none of them needs a lock.
//
// Thread rule: post() and post_after() from anywhere; everything else on the control thread, or before start().
// Tests build it with a fake Clock and call run_until_idle() instead of start(). Nothing is polled: an idle loop
// sleeps until a write, a post or a timer.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/api/client.h"
#include "store/base/clock.h"
#include "store/object/object.h"

namespace server {

// All live objects of one resource, ordered by namespace/name, as of the last event handled.
class Cache {
 public:
  virtual ~Cache() = default;
  virtual const store::Object* find(const std::string& ns, const std::string& name) const = 0;  // Valid until the next event.
  virtual std::vector<store::Object> list(const std::string& ns = "") const = 0;                // "" = all namespaces.
};

// What reconcile wants next. Errors are retried with exponential back-off (5 ms to 30 s); kConflict at once.
struct Requeue {
  std::chrono::milliseconds after{0};  // 0: done until something changes.
};
using ReconcileFn = std::function<base::Result<Requeue>(const store::Key& key)>;

struct QueueOptions {
  // kLow: served only while no normal queue has work (event records, heartbeats).
  enum class Priority { kNormal, kLow };
  Priority priority = Priority::kNormal;
  // A key runs at most once per interval, so that a burst of changes costs one run; the first runs at once.
  // Ignored by run_until_idle().
  std::chrono::milliseconds min_interval{0};
};

// A queue of keys served by one reconcile function; a key waits at most once.
//
// Read your writes: after a run that wrote through ControlLoop::client(), the key runs again only when the
// caches hold what it wrote. So no reconciler sees a state older than its own last step, and none needs
// upstream's "expectations".
class WorkQueue {
 public:
  virtual ~WorkQueue() = default;
  virtual void add(const store::Key& key) = 0;
  virtual void add_after(const store::Key& key, std::chrono::milliseconds delay) = 0;
};

class ControlLoop {
 public:
  using Handler = std::function<void(const store::Object& before, const store::Object& after)>;

  static std::unique_ptr<ControlLoop> make(Client& client, const base::Clock& clock);
  virtual ~ControlLoop() = default;  // Stops and joins.

  virtual Client& client() = 0;
  virtual const base::Clock& clock() const = 0;
  // `storage` as in store::Key::resource ("pods", "deployments.apps").
  virtual const Cache& cache(const std::string& storage) = 0;
  // Runs after the caches were updated; `before`/`after` may be empty Objects (added/deleted). On start every
  // live object is delivered as added. Handlers must be quick: put a key into a queue. An empty `storage`
  // means every resource; such handlers run after the resource's own. Handlers live as long as the loop: call
  // stop() before destroying what they capture.
  virtual void on_change(const std::string& storage, Handler handler) = 0;
  // Queues are served in the order they were made (earlier first). The queue is owned by the loop.
  virtual WorkQueue& make_queue(const std::string& name, ReconcileFn reconcile, QueueOptions options = {}) = 0;

  virtual void post(std::function<void()> fn) = 0;
  virtual void post_after(std::chrono::milliseconds delay, std::function<void()> fn) = 0;

  virtual base::Status start() = 0;      // Lists, delivers, then runs on its own thread.
  virtual void stop() = 0;               // Joins; nothing runs afterwards. Idempotent. Not from the control thread.
  // Tests: handles everything that is due at the clock's now, on the calling thread.
  virtual void run_until_idle() = 0;
  // After the last event handled so far.
  virtual store::Revision revision() const = 0;
};

}  // namespace server
