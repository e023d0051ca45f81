#include "netns/ns/worker.h"

#include <pthread.h>
#include <signal.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "netns/ns/namespace.h"

namespace netns {

struct Worker::State {
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<std::function<void()>> queue;
  bool stopping = false;
  std::thread thread;

  void run() {
    for (;;) {
      std::deque<std::function<void()>> batch;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [this] { return stopping || !queue.empty(); });
        if (queue.empty()) return;
        batch.swap(queue);
      }
      for (auto& fn : batch) {
        fn();
        fn = nullptr;  // What it captured must not outlive its turn.
      }
    }
  }
};

Worker::Worker() : state_(std::make_unique<State>()) {}

base::Result<std::unique_ptr<Worker>> Worker::start(const std::string& name, const base::Fd& net) {
  std::unique_ptr<Worker> worker(new Worker());
  base::Fd own = TRY(net.duplicate());
  std::promise<base::Status> entered;
  std::future<base::Status> result = entered.get_future();
  State* state = worker->state_.get();
  // Signals belong to the main thread: a handler must not run in a pod's or node's namespace.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  state->thread = std::thread([state, name, own = std::move(own), &entered] {
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    base::Status status = enter(own, CLONE_NEWNET);
    bool ok = status.ok();
    entered.set_value(std::move(status));
    if (ok) state->run();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  base::Status status = result.get();
  if (!status.ok()) return std::move(status).error().context("worker " + name);
  return worker;
}

Worker::~Worker() {
  {
    std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->wake.notify_one();
  if (state_->thread.joinable()) state_->thread.join();
}

void Worker::post(std::function<void()> fn) {
  {
    std::lock_guard lock(state_->mutex);
    state_->queue.push_back(std::move(fn));
  }
  state_->wake.notify_one();
}

}  // namespace netns
