// server/node_agent/standard_input.h - the write end of a container's standard input, as attach sessions get it.
// Any thread.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "store/base/fd.h"

namespace server {

class StandardInput {
 public:
  enum class Sessions {
    kMany,
    kOne,  // stdinOnce: when the first session lets go of it, the container reads end of file.
  };
  StandardInput(base::Fd end, Sessions sessions) : end_(std::make_shared<base::Fd>(std::move(end))), sessions_(sessions) {}

  // nullptr: another session had it. Closed when the last holder lets go; of kMany this object is one.
  std::shared_ptr<base::Fd> open() {
    std::lock_guard lock(mutex_);
    return sessions_ == Sessions::kOne ? std::exchange(end_, nullptr) : end_;
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<base::Fd> end_;
  const Sessions sessions_;
};

}  // namespace server
