// A control loop without a store, on a thread of its own: a test puts objects, and handlers, posted functions and timers
// run as in the product.
#pragma once

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "server/informer/control_loop.h"

namespace server {

class ThreadedLoop final : public ControlLoop {
 public:
  ~ThreadedLoop() override { stop(); }
  Client& client() override { std::abort(); }
  const base::Clock& clock() const override { return clock_; }
  const Cache& cache(const std::string& storage) override { return caches_[storage]; }
  void on_change(const std::string& storage, Handler handler) override { handlers_[storage].push_back(std::move(handler)); }
  WorkQueue& make_queue(const std::string&, ReconcileFn, QueueOptions) override { return queue_; }
  void post(std::function<void()> fn) override { push(clock_.mono(), std::move(fn)); }
  void post_after(std::chrono::milliseconds delay, std::function<void()> fn) override { push(clock_.mono() + delay, std::move(fn)); }
  base::Status start() override {
    thread_ = std::thread([this] { run(); });
    return {};
  }
  void stop() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      arrived_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }
  void run_until_idle() override { std::abort(); }
  store::Revision revision() const override { return 0; }

  // Runs fn on the loop and waits for it.
  void call(std::function<void()> fn) {
    auto done = std::make_shared<std::promise<void>>();
    post([fn = std::move(fn), done] {
      fn();
      done->set_value();
    });
    done->get_future().wait();
  }
  // Puts (or with a null tree removes) an object, tells the handlers and waits for them.
  void put(const std::string& storage, const std::string& ns, const std::string& name, nlohmann::json tree) {
    call([&] {
      store::Object& slot = caches_[storage].objects[{ns, name}];
      const store::Object before = std::exchange(slot, {});
      if (!tree.is_null()) {
        tree["metadata"]["name"] = name;
        if (!ns.empty()) tree["metadata"]["namespace"] = ns;
        slot = store::Object(storage, std::move(tree));
      }
      for (const Handler& handler : handlers_[storage]) handler(before, slot);
    });
  }

 private:
  struct TestCache final : Cache {
    const store::Object* find(const std::string& ns, const std::string& name) const override {
      auto it = objects.find({ns, name});
      return it == objects.end() || !it->second ? nullptr : &it->second;
    }
    std::vector<store::Object> list(const std::string&) const override { std::abort(); }
    std::map<std::pair<std::string, std::string>, store::Object> objects;
  };
  struct NoQueue final : WorkQueue {
    void add(const store::Key&) override {}
    void add_after(const store::Key&, std::chrono::milliseconds) override {}
  };

  void push(base::MonoTime at, std::function<void()> fn) {
    std::lock_guard lock(mutex_);
    due_.emplace(at, std::move(fn));
    arrived_.notify_all();
  }
  void run() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (due_.empty()) {
        arrived_.wait(lock);
        continue;
      }
      auto first = due_.begin();
      if (first->first > clock_.mono()) {
        arrived_.wait_until(lock, first->first);
        continue;
      }
      std::function<void()> fn = std::move(first->second);
      due_.erase(first);
      lock.unlock();
      fn();
      lock.lock();
    }
  }

  base::SystemClock clock_;
  std::map<std::string, TestCache> caches_;
  std::map<std::string, std::vector<Handler>> handlers_;
  NoQueue queue_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::multimap<base::MonoTime, std::function<void()>> due_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace server
