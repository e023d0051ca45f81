// netns/ns/worker.h - a thread that lives in one network namespace for its whole life. All netlink, nft and
// socket-creating work for that namespace runs on it, in order.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <string>

#include "store/base/fd.h"
#include "store/base/result.h"

namespace netns {

class Worker {
 public:
  // Enters `net` on a new thread named `name`. `net` stays the caller's; the thread keeps its own reference.
  static base::Result<std::unique_ptr<Worker>> start(const std::string& name, const base::Fd& net);
  ~Worker();  // Finishes what was posted, then joins.
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Thread-safe, never blocks, in order.
  void post(std::function<void()> fn);
  // Posts and waits; not from the worker's own thread.
  template <class F>
  auto call(F fn) -> decltype(fn()) {
    auto task = std::make_shared<std::packaged_task<decltype(fn())()>>(std::move(fn));
    auto future = task->get_future();
    post([task] { (*task)(); });
    return future.get();
  }

 private:
  Worker();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace netns
