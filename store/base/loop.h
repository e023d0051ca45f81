// store/base/loop.h - the io loop: one thread, non-blocking descriptors, timers. The only libuv user is
// loop.cc. DNS sockets, container log pipes and published ports live on it; descriptors may belong to any
// network namespace (a socket stays in the one it was created in).
//
// Thread rule: every callback runs on the loop's thread and must not block. post() and call() are the only methods that
// other threads may call; all others are called on the loop's thread (from a posted function or callback).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace base {

class Loop {
 public:
  // Starts the thread. `name` is its thread name (at most 15 characters).
  explicit Loop(const std::string& name);
  // Stops watching everything, waits for the callback that is running, runs no further one, joins the thread.
  // Callbacks that were still waiting are destroyed. Never on the loop's own thread.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs fn on the loop's thread, in the order posted. Thread-safe; never blocks. Dropped after destruction began.
  void post(std::function<void()> fn);
  // Posts and waits until it has run. Thread-safe, but never on the loop's own thread, nor once destruction began.
  void call(const std::function<void()>& fn);

  using Id = uint64_t;  // 0 is never used.
  // kNone: paused. kError: nothing but an error, or a hang-up that ended both directions (Ready.error).
  enum class Interest { kReadable, kWritable, kBoth, kError, kNone };
  struct Ready {
    bool readable;
    bool writable;
    bool error;  // Hang-up or error: read it to find out which.
  };
  // Level-triggered. The caller keeps ownership of fd and must call cancel() before closing it. One watch a
  // descriptor, which becomes non-blocking. 0: it cannot be watched (closed, a regular file, watched already).
  Id watch(int fd, Interest interest, std::function<void(Ready)> callback);
  // What a watch waits for from now on; keeps callback and id. Ids of timers and unknown ones are ignored.
  void change(Id id, Interest interest);
  // One shot after `delay`, or every `period` when it is not zero.
  Id timer(std::chrono::milliseconds delay, std::chrono::milliseconds period, std::function<void()> callback);
  // Forgets a watch or timer at once: its callback does not run again. Unknown ids are ignored.
  void cancel(Id id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace base
