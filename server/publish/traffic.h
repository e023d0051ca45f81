// server/publish/traffic.h - what a published port has carried, and why it last failed. Written on the io loop, read
// anywhere.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace server::publish {

struct Traffic {
  std::atomic<uint64_t> open{0};      // Connections, or UDP clients.
  std::atomic<uint64_t> total{0};     // Ever accepted.
  std::atomic<uint64_t> failed{0};    // That found no destination, or one that refused.
  std::atomic<uint64_t> sent{0};      // Bytes from the host into the cluster.
  std::atomic<uint64_t> received{0};

  // True when `reason` is news: not what the last failure since a success was.
  bool fail(const std::string& reason) {
    ++failed;
    std::lock_guard lock(mutex_);
    const bool news = reason != last_error_;
    last_error_ = reason;
    return news;
  }
  void succeed() {
    std::lock_guard lock(mutex_);
    last_error_.clear();
  }
  std::string last_error() const {
    std::lock_guard lock(mutex_);
    return last_error_;
  }

 private:
  mutable std::mutex mutex_;
  std::string last_error_;
};

}  // namespace server::publish
