#include "server/gateway/engine/engine.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "server/gateway/engine/lane.h"

namespace server::gateway {
namespace {

std::shared_ptr<const Listener> health_listener(uint16_t port) {
  auto policy = std::make_shared<Policy>();
  policy->access_log = false;
  auto listener = std::make_shared<Listener>();
  listener->name = "health";
  listener->port = port;
  VirtualHost any;
  Route healthz;
  healthz.match.path = {PathKind::kExact, "/healthz", nullptr};
  healthz.policy = policy;
  healthz.action = Reply{200, "text/plain", "ok"};
  any.routes.push_back(std::move(healthz));
  listener->hosts.push_back(std::move(any));
  return listener;
}

class EngineImpl final : public Engine {
 public:
  explicit EngineImpl(EngineOptions options) : options_(std::move(options)) {}

  base::Status begin() {
    for (int i = 0; i < std::max(1, options_.threads); ++i) {
      lanes_.push_back(std::make_unique<Lane>(options_, shared_, i));
      if (options_.net) {
        base::Status entered = lanes_.back()->enter(options_.net);
        if (!entered.ok()) return std::move(entered).error().context("enter the gateway's network namespace");
      }
    }
    publisher_ = std::thread([this] { run(); });
    return {};
  }

  ~EngineImpl() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (publisher_.joinable()) publisher_.join();
    lanes_.clear();
  }

  void publish(TablePtr table, std::function<void(std::vector<std::string>)> done) override {
    std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(table), std::move(done)});
    wake_.notify_all();
  }

  void drain(std::function<void()> done) override {
    std::lock_guard lock(mutex_);
    drained_.push_back(std::move(done));
    wake_.notify_all();
  }

  std::map<std::string, uint16_t> ports() const override {
    std::lock_guard lock(mutex_);
    return ports_;
  }

  const EngineStats& stats() const override { return shared_.stats; }

 private:
  struct Publication {
    TablePtr table;
    std::function<void(std::vector<std::string>)> done;
  };

  // Tables are made ready on a thread of their own: neither the caller nor a loop waits for a thousand certificates.
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return stopping_ || !waiting_.empty() || !drained_.empty(); });
      if (stopping_) return;
      // Of several that wait only the last counts.
      std::deque<Publication> all = std::move(waiting_);
      waiting_.clear();
      std::vector<std::function<void()>> drained = std::move(drained_);
      drained_.clear();
      lock.unlock();
      if (!all.empty()) work_by(all);
      if (!drained.empty()) drain_lanes(drained);
      lock.lock();
    }
  }

  void work_by(const std::deque<Publication>& all) {
    std::vector<std::string> problems;
    auto table = std::make_shared<Table>(*all.back().table);
    if (options_.health_port != 0) table->listeners.push_back(health_listener(options_.health_port));
    live_ = LiveTable::make(table, live_.get(), shared_, &problems);
    std::map<std::string, uint16_t> ports = this->ports();
    for (size_t i = 0; i < lanes_.size(); ++i) {
      std::vector<std::string> of_lane;
      lanes_[i]->publish(live_, &ports, &of_lane);
      if (i == 0) problems.insert(problems.end(), of_lane.begin(), of_lane.end());
    }
    {
      std::lock_guard lock(mutex_);
      ports_ = ports;
    }
    for (const Publication& one : all) {
      if (one.done) one.done(problems);
    }
  }

  void drain_lanes(const std::vector<std::function<void()>>& drained) {
    for (auto& lane : lanes_) lane->drain();
    size_t left = 1;
    std::unique_lock lock(mutex_);
    while (left > 0 && !stopping_) {
      lock.unlock();
      left = 0;
      for (auto& lane : lanes_) lane->loop().call([&] { left += lane->connections(); });
      lock.lock();
      if (left > 0) wake_.wait_for(lock, std::chrono::milliseconds(10), [this] { return stopping_; });
    }
    lock.unlock();
    for (const auto& done : drained) {
      if (done) done();
    }
  }

  const EngineOptions options_;
  SharedState shared_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::shared_ptr<const LiveTable> live_;  // The publisher's thread's.
  std::thread publisher_;
  mutable std::mutex mutex_;               // Guards what follows.
  std::condition_variable wake_;
  std::deque<Publication> waiting_;
  std::vector<std::function<void()>> drained_;
  std::map<std::string, uint16_t> ports_;
  bool stopping_ = false;
};

}  // namespace

base::Result<std::unique_ptr<Engine>> Engine::start(EngineOptions options) {
  auto engine = std::make_unique<EngineImpl>(std::move(options));
  TRY_STATUS(engine->begin());
  return std::unique_ptr<Engine>(std::move(engine));
}

}  // namespace server::gateway
