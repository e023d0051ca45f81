// tests/server/proxy/fake_loop.h - a control loop without a store: a test changes objects by hand, and posted work
// runs on the test's thread. Shared by the tests of proxy and DNS.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "server/informer/control_loop.h"

namespace proxy_test {

class FakeLoop final : public server::ControlLoop {
 public:
  server::Client& client() override { std::abort(); }
  const base::Clock& clock() const override { return clock_; }
  const server::Cache& cache(const std::string&) override { std::abort(); }
  void on_change(const std::string& storage, Handler handler) override { handlers_[storage].push_back(std::move(handler)); }
  server::WorkQueue& make_queue(const std::string&, server::ReconcileFn, server::QueueOptions) override { std::abort(); }
  void post(std::function<void()> fn) override {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(fn));
    arrived_.notify_all();
  }
  void post_after(std::chrono::milliseconds delay, std::function<void()> fn) override { timers_.emplace_back(delay, std::move(fn)); }
  base::Status start() override { return {}; }
  void stop() override {}
  void run_until_idle() override {
    while (run_one(std::chrono::milliseconds(0))) {
    }
  }
  store::Revision revision() const override { return 0; }

  // Puts (or with a null tree removes) an object and tells the handlers.
  void put(const std::string& storage, const std::string& ns, const std::string& name, nlohmann::json tree) {
    const store::Key key{storage, ns, name};
    const store::Object before = std::exchange(objects_[key], {});
    store::Object after;
    if (!tree.is_null()) {
      tree["metadata"]["name"] = name;
      if (!ns.empty()) tree["metadata"]["namespace"] = ns;
      after = store::Object(storage, std::move(tree));
      objects_[key] = after;
    }
    for (const Handler& handler : handlers_[storage]) handler(before, after);
  }
  // Runs one posted function, waiting for it at most this long.
  bool run_one(std::chrono::milliseconds wait) {
    std::function<void()> fn;
    {
      std::unique_lock lock(mutex_);
      if (!arrived_.wait_for(lock, wait, [this] { return !posted_.empty(); })) return false;
      fn = std::move(posted_.front());
      posted_.pop_front();
    }
    fn();
    return true;
  }
  // Time passes: everything that waits for a timer runs.
  size_t run_timers() {
    auto due = std::exchange(timers_, {});
    for (auto& [delay, fn] : due) fn();
    return due.size();
  }

 private:
  base::SystemClock clock_;
  std::map<std::string, std::vector<Handler>> handlers_;
  std::map<store::Key, store::Object> objects_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<std::function<void()>> posted_;
  std::vector<std::pair<std::chrono::milliseconds, std::function<void()>>> timers_;
};

}  // namespace proxy_test
